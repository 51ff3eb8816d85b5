//! The databases that statements are written for.

/// The database that a statement is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Dialect {
    /// SQLite 3.35 or later, the first version with `RETURNING`.
    Sqlite,
    /// PostgreSQL 13 or later, the first version with `gen_random_uuid`.
    Postgres,
}
