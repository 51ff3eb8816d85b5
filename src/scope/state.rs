//! Markers: types without values that stand in the signatures of scopes, statements and columns.
//!
//! A host writes four of them, in the signatures of its own functions:
//!
//! | marker | where a host writes it | what it says |
//! |---|---|---|
//! | [`Read`] | `&Scope<Site, Read>` | the function only reads |
//! | [`Write`] | `&Scope<Site, Write>` | the function reads and writes |
//! | [`SeveralSites`] | `&Scope<SeveralSites, Read>` | the function reads rows of several sites at once |
//! | [`Ready`] | `Update<Article, Site, Ready>`, in short `Update<Article, Site>` | the statement can be built |
//!
//! The levels of scopes and tables are the facts themselves: [`Account`](crate::Account),
//! [`Site`](crate::tenant::Site) and [`Sector`](crate::tenant::Sector); [`Global`] is the level of
//! tables that belong to no tenant. The others appear only in error messages:
//!
//! | marker | read it as |
//! |---|---|
//! | [`NoFilter`] | an update or a delete that needs `.filter(…)` or `.all_in_scope()` |
//! | [`NoKey`] | an insert that needs `.key(…)` |
//! | [`NoOutput`] | an aggregate that needs an output such as `.count()`, or a group |
//! | [`Bound`], [`Unbound`] | a scope of a known tenant, and the template of a prepared statement |
//! | [`Data`], [`Key`], [`ReferenceTo`], [`Joined`] | the role of a column: data, a key, a reference, or a column of another table |
//!
//! # The compile errors
//! A statement that still lacks something has no `build`. The error is `no method named build found
//! for struct Delete<Article, Account, NoFilter>`:
//!
//! ```compile_fail,E0599
//! use bailiwick::scope::state::Write;
//! use bailiwick::scope::{BuildError, Dialect, Statement};
//! use bailiwick::{Account, Scope, table};
//!
//! table! {
//!     pub struct Article: Account in "articles" {
//!         tenant "account_id" Int;
//!         key ID = "id" i64 generated;
//!     }
//! }
//!
//! fn delete(account: &Scope<Account, Write>) -> Result<Statement, BuildError> {
//!     account.delete::<Article>().build(Dialect::Sqlite)
//! }
//! ```
//!
//! A scope that reads has no methods that write: `no method named delete found for reference
//! &Scope<Account, Read>`. Take the scope from
//! [`into_write`](crate::gate::Access::into_write)`()?.write()`.

pub use super::level::{Global, SeveralSites};
pub use super::marker::{Bound, NoFilter, NoKey, NoOutput, Read, Ready, Unbound, Write};
pub use super::role::{Data, Joined, Key, ReferenceTo};
