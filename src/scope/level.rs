//! Levels: to whom a row belongs, and how far a scope reaches. The markers are the facts
//! themselves, [`Account`], [`Site`] and [`Sector`].
#![allow(
    clippy::exhaustive_enums,
    reason = "markers have no values, and grow none"
)]

use crate::account::Account;
use crate::tenant::{Sector, Site};

mod sealed {
    pub trait Level {}
}

/// The owner of a table's rows: [`Account`], [`Site`], [`Sector`], or nobody ([`Global`]).
///
/// Sealed: there are no other levels.
pub trait Level: sealed::Level + 'static {
    /// The number of tenant columns that a table of this level has.
    #[doc(hidden)]
    const DEPTH: usize;
}

/// The level of tables that belong to no tenant, such as plans. They are read only.
#[derive(Clone, Copy, Debug)]
pub enum Global {}

/// The level of a scope over several sites of an account. No table has it: a row belongs to one
/// site, so such a scope reads, updates and deletes, but does not insert.
#[derive(Clone, Copy, Debug)]
pub enum SeveralSites {}

impl sealed::Level for Global {}
impl sealed::Level for Account {}
impl sealed::Level for Site {}
impl sealed::Level for Sector {}
impl sealed::Level for SeveralSites {}

impl Level for Global {
    const DEPTH: usize = 0;
}
impl Level for Account {
    const DEPTH: usize = 1;
}
impl Level for Site {
    const DEPTH: usize = 2;
}
impl Level for Sector {
    const DEPTH: usize = 3;
}

/// A level whose rows belong to a tenant, and so can be written within a scope.
#[diagnostic::on_unimplemented(
    message = "tables of level `{Self}` belong to no tenant and are read only",
    label = "no scope may write a table of level `{Self}`"
)]
pub trait TenantLevel: Level {}

impl TenantLevel for Account {}
impl TenantLevel for Site {}
impl TenantLevel for Sector {}

/// The reach of a scope: [`Account`], [`Site`], [`Sector`] or [`SeveralSites`].
///
/// Sealed: there are no others.
pub trait ScopeLevel: sealed::Level + 'static {}

impl ScopeLevel for Account {}
impl ScopeLevel for Site {}
impl ScopeLevel for Sector {}
impl ScopeLevel for SeveralSites {}

/// A scope level that reaches the rows of tables of level `T`: those of its own level, those of
/// the levels below, and the global ones.
///
/// This is the one bound that a host writes itself, where a function takes a scope of any level
/// that reaches a table:
///
/// ```
/// use bailiwick::Scope;
/// use bailiwick::scope::Count;
/// use bailiwick::scope::state::Read;
/// use bailiwick::scope::traits::{Covers, ScopeLevel};
/// use bailiwick::tenant::Site;
///
/// bailiwick::table! {
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///     }
/// }
/// bailiwick::table! {
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///     }
/// }
///
/// /// Counts the articles of a site, of several sites, or of a whole account.
/// fn articles<L: ScopeLevel + Covers<Site>>(scope: &Scope<L, Read>) -> Count<Article, L> {
///     scope.count()
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a scope of level `{Self}` does not reach tables of level `{T}`",
    label = "out of reach of a scope of level `{Self}`",
    note = "an account-wide table needs the account's scope, `.account()?`, and a site's table that of the site"
)]
pub trait Covers<T>: ScopeLevel {}

impl Covers<Global> for Account {}
impl Covers<Account> for Account {}
impl Covers<Site> for Account {}
impl Covers<Sector> for Account {}
impl Covers<Global> for Site {}
impl Covers<Site> for Site {}
impl Covers<Sector> for Site {}
impl Covers<Global> for Sector {}
impl Covers<Sector> for Sector {}
impl Covers<Global> for SeveralSites {}
impl Covers<Site> for SeveralSites {}
impl Covers<Sector> for SeveralSites {}

/// A scope level that knows every tenant column of tables of level `T`, and so can insert into
/// them.
#[diagnostic::on_unimplemented(
    message = "a scope of level `{Self}` cannot insert into tables of level `{T}`",
    label = "a row is inserted through a scope of the table's own level",
    note = "only the table's own level knows every tenant column: `.account()?`, `.site(id)?` or `.site(id)?.sector(id)`"
)]
pub trait Stamps<T>: Covers<T> + Level {}

impl Stamps<Account> for Account {}
impl Stamps<Site> for Site {}
impl Stamps<Sector> for Sector {}

/// A table level whose rows may refer to rows of a table of level `T`: they share all of its
/// tenant columns.
#[diagnostic::on_unimplemented(
    message = "a table of level `{Self}` cannot refer to a table of level `{T}`",
    label = "nothing says in which `{T}` the row would be",
    note = "a reference goes to a table of the same level or of one above, or to a global one"
)]
pub trait Within<T>: Level {}

impl Within<Global> for Account {}
impl Within<Account> for Account {}
impl Within<Global> for Site {}
impl Within<Account> for Site {}
impl Within<Site> for Site {}
impl Within<Global> for Sector {}
impl Within<Account> for Sector {}
impl Within<Site> for Sector {}
impl Within<Sector> for Sector {}
