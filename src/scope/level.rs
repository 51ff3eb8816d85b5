//! Levels: to whom a row belongs. The markers are the facts themselves, [`Account`] and [`Site`].

use super::sealed;
use crate::tenant::{Account, Site};

/// To whom the rows of a table belong: [`Account`], [`Site`], or nobody ([`Global`]). Sealed: there are no others.
pub trait Level: sealed::Level + 'static {
    /// How many tenant columns a table of this level has.
    #[doc(hidden)]
    const DEPTH: usize;
}

/// The level of tables that belong to no tenant, such as plans. They are read only.
#[derive(Clone, Copy, Debug)]
pub enum Global {}

impl sealed::Level for Global {}
impl sealed::Level for Account {}
impl sealed::Level for Site {}
impl Level for Global {
    const DEPTH: usize = 0;
}
impl Level for Account {
    const DEPTH: usize = 1;
}
impl Level for Site {
    const DEPTH: usize = 2;
}

/// A level whose rows belong to a tenant, and so can be written within a scope.
#[diagnostic::on_unimplemented(
    message = "tables of level `{Self}` belong to no tenant and are read only",
    label = "no scope may write a table of level `{Self}`"
)]
pub trait TenantLevel: Level {}

impl TenantLevel for Account {}
impl TenantLevel for Site {}

/// A scope of this level reaches the rows of tables of level `T`: its own, those below, and the global ones.
#[diagnostic::on_unimplemented(
    message = "a scope of level `{Self}` does not reach tables of level `{T}`",
    label = "out of reach of a scope of level `{Self}`",
    note = "an account-wide table needs the account's scope: `.account()?`"
)]
pub trait Covers<T>: Level {}

impl Covers<Global> for Account {}
impl Covers<Account> for Account {}
impl Covers<Site> for Account {}
impl Covers<Global> for Site {}
impl Covers<Site> for Site {}

/// A scope of this level knows every tenant column of tables of level `T`, and so can insert into them.
#[diagnostic::on_unimplemented(
    message = "a scope of level `{Self}` cannot insert into tables of level `{T}`",
    label = "a row is inserted through a scope of the table's own level",
    note = "only the table's own level knows every tenant column: `.account()?` or `.site(id)?`"
)]
pub trait Stamps<T>: Level {}

impl Stamps<Account> for Account {}
impl Stamps<Site> for Site {}
