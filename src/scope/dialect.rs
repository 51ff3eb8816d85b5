//! The databases that statements are for.

/// The database that a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.35 or later, the first with `RETURNING`.
    Sqlite,
    /// PostgreSQL 13 or later, the first with `gen_random_uuid`.
    Postgres,
}
