//! The scope: on which rows a request may act. An [`Access`] opens an [`Entry`], which knows the
//! tenant and has no statements; an entry opens a [`Scope`] of one level, and only a scope makes
//! statements.
//!
//! Every statement carries the tenant predicate of each table that it names. It is added when the
//! statement is built, so nothing that was set earlier can undo it, and there is no door for SQL
//! text or for a statement from elsewhere.

mod aggregate;
mod assignment;
mod bounds;
mod column;
mod condition;
mod conversion;
mod cursor;
mod ddl;
#[cfg(feature = "decimal")]
mod decimal;
mod declaration;
mod dialect;
mod entry;
mod error;
mod filter;
mod frame;
mod insert;
mod insert_many;
mod level;
mod marker;
mod operand;
mod parameters;
mod path;
mod prepared;
mod reference;
mod render;
mod role;
mod rows;
mod security;
mod select;
mod shape;
mod statement;
mod statements;
mod table;
mod tuple;
mod update;
mod upsert;
mod value;

use thiserror::Error;

use crate::problem::{Code, Explained};

pub use aggregate::Aggregate;
pub use column::Column;
pub use cursor::{Cursor, CursorError};
pub use ddl::create_table;
#[cfg(feature = "decimal")]
pub use decimal::{Fixed, FixedError};
pub use dialect::Dialect;
pub use entry::{Entry, Scope};
pub use error::BuildError;
pub use filter::{Filter, OrderBy};
pub use insert::Insert;
pub use insert_many::InsertMany;
pub use operand::{Operand, Parameter};
pub use prepared::{BoundValues, Prepared};
pub use reference::Subquery;
#[doc(hidden)]
pub use role::{ReferenceTarget, Steps};
pub use security::row_level_security;
pub use select::{Count, Exists, Select};
pub use statement::Statement;
pub use table::Table;
#[doc(hidden)]
pub use table::{DataColumn, IdColumn, KeyColumn, Reference, Schema, assert_reference};
pub use tuple::Unique;
pub use update::{Delete, Update};
pub use upsert::Upsert;
pub use value::{ValueKind, ValueRef};

/// The types that only mark a state: what a scope may do, whose rows a table holds, what a
/// statement still lacks, what a column is for.
pub mod state {
    pub use super::level::{Global, SeveralSites};
    pub use super::marker::{Bound, NoFilter, NoKey, NoOutput, Read, Ready, Unbound, Write};
    pub use super::role::{Data, Joined, Key, ReferenceTo};
}

/// The sealed bounds of statements.
pub mod traits {
    pub use super::level::{Covers, Level, ScopeLevel, Stamps, TenantLevel, Within};
    pub use super::marker::{Mode, Permits};
    pub use super::parameters::Parameters;
    pub use super::role::{Reachable, Refers, SettableIn};
    pub use super::shape::Shape;
    pub use super::table::{Keyed, KeyedIn, TenantKeyed};
    pub use super::tuple::{Columns, Operands};
    pub use super::value::{ColumnValue, Comparable, KeyValue, ParameterValue, Rankable, Summable};
}

/// What a host answers when a statement touched no row. A row that does not exist and a row of
/// another tenant are the same, so that nobody learns what others have.
///
/// ```
/// use bailiwick::Problem;
/// use bailiwick::scope::NotFound;
/// fn updated(rows_affected: u64) -> Result<(), Problem> {
///     Ok(NotFound::unless(rows_affected > 0)?)
/// }
/// assert_eq!(updated(0).unwrap_err().status(), 404);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no such thing here")]
pub struct NotFound;

impl NotFound {
    /// Fails if nothing was found.
    pub fn unless(found: bool) -> Result<(), Self> {
        if found { Ok(()) } else { Err(Self) }
    }
}

impl Explained for NotFound {
    fn code(&self) -> Code {
        Code::NotFound
    }
}
