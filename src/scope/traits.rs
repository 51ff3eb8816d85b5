//! Bounds: the traits in the signatures of scopes, statements and columns.
//!
//! All of them are implemented by this crate and by [`table!`](crate::table), never by a host. A
//! host writes them only in functions of its own that are generic:
//!
//! | bound | where a host writes it | read it as |
//! |---|---|---|
//! | [`Covers<Site>`](Covers) | `fn count<L: ScopeLevel + Covers<Site>>(scope: &Scope<L, Read>)` | a scope that reaches tables of sites |
//! | [`ScopeLevel`], [`Mode`] | `impl<L: ScopeLevel, M: Mode>` | any scope, any mode |
//! | [`Stamps<Site>`](Stamps) | `fn add<L: Stamps<Site>>(scope: &Scope<L, Write>)` | a scope that inserts into tables of sites |
//! | [`ColumnValue`], [`Comparable`], [`ParameterValue`] | `fn f<V: ColumnValue>(column: Column<Article, V>)` | a value that columns hold, that compares, that is bound |
//!
//! The others appear only in error messages:
//!
//! | bound | the error says |
//! |---|---|
//! | [`Covers`], [`Reachable`] | a scope of this level does not reach the table, or a column's table |
//! | [`Stamps`] | a scope of this level cannot insert into the table |
//! | [`TenantLevel`] | the table is global, and so read only |
//! | [`SettableIn`] | the column is a key, or a reference that this scope cannot set |
//! | [`Refers`], [`Within`] | the column is not a reference, or refers to a table further down |
//! | [`Keyed`], [`KeyedIn`], [`TenantKeyed`] | the table has no key of its own, or none that identifies a row in this scope |
//! | [`Columns`], [`Operands`] | a tuple of columns or of values does not fit |
//! | [`KeyValue`], [`Summable`], [`Rankable`] | a key, a sum or a least value of such a type does not exist |
//! | [`Permits`], [`Parameters`], [`Shape`] | a prepared statement does not fit the scope, or is not ready |
//! | [`Level`] | the type is not a level of tables |
//!
//! # The compile errors
//! They name the missing step. A site's scope and an account's table give `a scope of level Site
//! does not reach tables of level Account`, with the note `an account-wide table needs the
//! account's scope, .account()?, and a site's table that of the site`:
//!
//! ```compile_fail,E0277
//! use bailiwick::scope::Select;
//! use bailiwick::scope::state::Read;
//! use bailiwick::tenant::Site;
//! use bailiwick::{Scope, table};
//!
//! table! {
//!     pub struct Sites: Account in "sites" {
//!         tenant "account_id" Int;
//!         key ID = "id" i64 generated;
//!     }
//! }
//!
//! fn all(site: &Scope<Site, Read>) -> Select<Sites, Site> {
//!     site.select::<Sites>()
//! }
//! ```

pub use super::level::{Covers, Level, ScopeLevel, Stamps, TenantLevel, Within};
pub use super::marker::{Mode, Permits};
pub use super::parameters::Parameters;
pub use super::role::{Reachable, Refers, SettableIn};
pub use super::shape::Shape;
pub use super::table::{Keyed, KeyedIn, TenantKeyed};
pub use super::tuple::{Columns, Operands};
pub use super::value::{ColumnValue, Comparable, KeyValue, ParameterValue, Rankable, Summable};
