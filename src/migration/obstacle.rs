//! The obstacles of a migration.

use std::fmt;

/// An object of the database, or a value in it, that could refuse a row of a later step, or lose it.
///
/// A check, a trigger or an index is an obstacle as soon as it names one of the migration's columns
/// and is not understood. A person reads it, and either changes it or names it in
/// [`LegacySchema::harmless`](super::LegacySchema::harmless).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// The kind of the object.
    pub kind: ObstacleKind,
    /// The table that it belongs to.
    pub table: String,
    /// The object's name; of a constraint without one, its text.
    pub name: String,
    /// Its text, as the database tells it, or the values.
    pub text: String,
}

/// The kind of an obstacle. It decides the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObstacleKind {
    /// A check that names one of the columns.
    Check,
    /// A domain with a constraint, as the type of one of the columns.
    Domain,
    /// A trigger that names one of the columns, uses a row as a whole, or cannot be read.
    Trigger,
    /// A generated column that is computed from one of the columns, or is one of them.
    Generated,
    /// A primary key that has one of the columns in it.
    PrimaryKey,
    /// A partition that is chosen by one of the columns, and may have no place for null.
    Partition,
    /// The index by which rows are replicated: its columns cannot be null.
    ReplicaIdentity,
    /// A unique index that may count rows without an identifier as equal.
    UniqueIndex,
    /// A foreign key from one of the columns, which refuses a placeholder or a payment method.
    ForeignKey,
    /// A rule of PostgreSQL's, which may write something else.
    Rule,
    /// A policy of row-level security that names one of the columns.
    Policy,
    /// Row-level security that hides rows from the role that migrates.
    RowSecurity,
    /// A view with a check option that names one of the columns.
    CheckOption,
    /// A type that has no room for a placeholder, and so no way back.
    Type,
    /// Values in the column of the payment method that name no payment method.
    Methods,
    /// Identifiers that are not those of a subscription of Stripe's.
    Identifiers,
}

impl ObstacleKind {
    /// Returns true if a person can find it harmless. The others fail for certain.
    pub(super) const fn may_be_harmless(self) -> bool {
        !matches!(
            self,
            Self::PrimaryKey
                | Self::ReplicaIdentity
                | Self::RowSecurity
                | Self::Type
                | Self::Methods
        )
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Domain => "domain",
            Self::Trigger => "trigger",
            Self::Generated => "generated column",
            Self::PrimaryKey => "primary key",
            Self::Partition => "partition",
            Self::ReplicaIdentity => "replica identity",
            Self::UniqueIndex => "unique index",
            Self::ForeignKey => "foreign key",
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::RowSecurity => "row-level security for the role",
            Self::CheckOption => "view with a check option",
            Self::Type => "type of the column",
            Self::Methods => "payment methods in the column",
            Self::Identifiers => "identifiers in the column",
        }
    }

    /// Returns the remedy, as an instruction to the person who runs the migration.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Check | Self::Domain | Self::Trigger | Self::Policy | Self::CheckOption => {
                "drop it, or let it allow null and a placeholder and name it as harmless"
            }
            Self::Generated => "drop it, or let it allow null and name it as harmless",
            Self::PrimaryKey => "give the table a key of its own that is not Stripe's identifier",
            Self::Partition => "give null and a placeholder a place, and name it as harmless",
            Self::ReplicaIdentity => "replicate by the primary key",
            Self::UniqueIndex => {
                "make it one of plain columns in which nulls differ, or name it as harmless"
            }
            Self::ForeignKey => "drop it, or let it allow the new values and name it as harmless",
            Self::Rule => "drop it, or name it as harmless",
            Self::RowSecurity => "migrate as a role that sees every row",
            Self::Type => "make it a text, or lengthen it",
            Self::Methods => "write stripe, paypal, bank_transfer or null, or name another column",
            Self::Identifiers => {
                "move what Stripe does not run to another column, or name this column as harmless"
            }
        }
    }
}

impl fmt::Display for ObstacleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun())
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}", self.kind, self.name)?;
        write!(f, " of the table {}", self.table)?;
        if !self.text.is_empty() && self.text != self.name {
            write!(f, " ({})", self.text)?;
        }
        write!(f, ": {}", self.kind.remedy())
    }
}
