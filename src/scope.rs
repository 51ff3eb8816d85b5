//! Scopes: the rows that a request may act on, and the statements that keep to them.
//!
//! An [`Access`](crate::gate::Access) from the gate opens an [`Entry`]. The entry knows the tenant,
//! but makes no statements. It opens a [`Scope`]: a whole account, one site, several sites, or a
//! sector of a site. Only a scope makes statements, and the host's driver runs them.
//!
//! Every statement carries the tenant predicate of each table that it names: each tenant column
//! equals the scope's identifier. It is added when the statement is built, so nothing that was set
//! earlier can undo it. No function takes SQL text, or a statement from elsewhere.
//!
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::scope::Dialect;
//! use bailiwick::{Account, Money, Plan, Principal, Tenant, table, validate_account_and_plan};
//!
//! table! {
//!     /// The sites of an account.
//!     pub struct Sites: Account in "sites" {
//!         tenant "account_id" Int;
//!         key ID = "id" i64 generated;
//!     }
//! }
//! table! {
//!     /// The articles of a site.
//!     pub struct Article: Site in "articles" {
//!         tenant "account_id" Int, "site_id" Int of Sites;
//!         key ID = "id" i64 generated;
//!         column TITLE = "title" String;
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // The facts, as the host has loaded them.
//!     let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
//!     let plan = Plan::new(1.into(), Money::new(0.into(), Currency::EUR)?, Interval::MONTHLY);
//!     let tenant = Tenant {
//!         plan: Some(plan.into()),
//!         sites: [12.into()].into(),
//!         ..Tenant::new(account)
//!     };
//!     let person = Principal::session(1.into()).of_account(7.into());
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!
//!     // The gate's access opens an entry, the entry a scope, and the scope makes statements.
//!     let access = validate_account_and_plan(&person, Some(&tenant), now)?.into_write()?;
//!     let site = access.write().site(12.into())?;
//!     let rename = site
//!         .update::<Article>()
//!         .set(Article::TITLE, "A new title")
//!         .filter(Article::ID.equals(3))
//!         .build(Dialect::Sqlite)?;
//!
//!     assert_eq!(rename.sql(), concat!(
//!         r#"UPDATE "articles" SET "title" = ? WHERE "articles"."account_id" = ? "#,
//!         r#"AND "articles"."site_id" = ? AND "articles"."id" = ?"#,
//!     ));
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//!
//! | | |
//! |---|---|
//! | [`table!`](crate::table), [`Table`] | declares a table: whose rows they are, its key, its columns |
//! | [`create_table`], [`row_level_security`] | the DDL that belongs to a declaration |
//! | [`Entry`] | the way into a tenant's rows, from the gate |
//! | [`Scope`] | the rows that a request may act on; it makes the statements |
//! | [`Select`], [`Count`], [`Exists`], [`Aggregate`] | statements that read |
//! | [`Insert`], [`InsertMany`], [`Upsert`], [`Update`], [`Delete`] | statements that write |
//! | [`Column`], [`Filter`], [`OrderBy`], [`Subquery`], [`Unique`] | the conditions, orders and keys of a statement |
//! | [`Cursor`] | the position in a list where its next page begins |
//! | [`Operand`], [`Parameter`], `Fixed` | the values of a statement; decimals need the feature `decimal` |
//! | [`Dialect`], [`BuildError`], [`Statement`] | building a statement for a database: its text and values, or why not |
//! | [`Prepared`], [`BoundValues`], [`ValueRef`], [`ValueKind`] | a statement whose text is made only once |
//! | [`NotFound`] | the answer for a row that is not there, or is another tenant's |
//!
//! [`state`] has the marker types in these signatures, and [`traits`] the bounds.
//!
//! # What a host must keep
//! - Load the facts, ask the gate, and run the statements in the same request. A scope is as old as
//!   the facts that it was made of.
//! - Run the statements as they are. A statement that the host writes itself is outside all this;
//!   on PostgreSQL [`row_level_security`] is a second line behind such statements.
//! - Answer [`NotFound`] if a statement touched no row, and nothing more precise: a row of another
//!   tenant and a row that does not exist must look the same.
//! - Put the unique keys and the foreign keys that the declarations speak of into the database, as
//!   [`create_table`] writes them.

mod aggregate;
mod assignment;
mod bounds;
mod column;
mod condition;
mod conversion;
mod cursor;
mod cursor_text;
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
mod name;
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
pub mod state;
mod statement;
mod statements;
mod table;
pub mod traits;
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

/// The answer of a host when a statement touched no row.
///
/// A row that does not exist and a row of another tenant give the same answer, so that nobody
/// learns what others have.
///
/// ```
/// use bailiwick::Problem;
/// use bailiwick::scope::NotFound;
///
/// fn updated(rows_affected: u64) -> Result<(), Problem> {
///     Ok(NotFound::unless(rows_affected > 0)?)
/// }
/// assert_eq!(updated(0).unwrap_err().status(), 404);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no such thing here")]
#[allow(
    clippy::exhaustive_structs,
    reason = "a host answers with it, and it says nothing more"
)]
pub struct NotFound;

impl NotFound {
    /// Fails unless something was found.
    pub fn unless(found: bool) -> Result<(), Self> {
        if found { Ok(()) } else { Err(Self) }
    }
}

impl Explained for NotFound {
    fn code(&self) -> Code {
        Code::NotFound
    }
}
