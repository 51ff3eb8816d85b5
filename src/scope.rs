//! The scope: on which rows a request may act. An [`Access`] opens an [`Entry`], which knows the tenant and has no
//! statements; an entry opens a [`Scope`] of one level, and only a scope makes statements.
//!
//! Every statement carries the tenant predicate of each table that it names. It is added when the statement is built, so
//! nothing that was set earlier can undo it, and there is no door for SQL text or for a statement from elsewhere.

mod column;
mod filter;
mod level;
mod render;
mod security;
mod statement;
mod table;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use thiserror::Error;

use crate::gate::{Access, Denial, Reach, WriteAccess};
use crate::id::{AccountId, Identifier, SiteId};
use crate::problem::{Code, Explained};
use crate::tenant::{Account, Site};

pub use column::{Column, ColumnValue, Data, Key, KeyValue};
pub use filter::{Filter, OrderBy};
pub use level::{Covers, Global, Level, Stamps, TenantLevel};
pub use render::{BuildError, Dialect, Statement};
pub use security::row_level_security;
pub use statement::{Count, Delete, Insert, NoFilter, NoKey, Ready, Select, Update};
pub use table::Table;
#[doc(hidden)]
pub use table::{IdColumn, Schema};

mod sealed {
    pub trait Mode {}
    pub trait Level {}
    pub trait Value {}
}

/// What a scope may do with its rows: [`Read`] or [`Write`]. Sealed: there are no others.
pub trait Mode: sealed::Mode + 'static {}

/// The mode that reads.
#[derive(Clone, Copy, Debug)]
pub enum Read {}

/// The mode that reads and writes.
#[derive(Clone, Copy, Debug)]
pub enum Write {}

impl sealed::Mode for Read {}
impl sealed::Mode for Write {}
impl Mode for Read {}
impl Mode for Write {}

/// The way into a tenant's rows. It has no statements: open the account or a site first.
///
/// It comes from [`Access::read`], [`WriteAccess::write`] and, audited, from
/// [`CrossTenant::read`](crate::danger::CrossTenant::read) alone, and is owned and `'static`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Entry<M> {
    account: AccountId,
    reach: Reach,
    mode: PhantomData<fn() -> M>,
}

impl Access {
    /// The way into the tenant's rows, for reading.
    pub fn read(&self) -> Entry<Read> {
        Entry::of(&self.account, &self.reach)
    }
}

impl WriteAccess {
    /// The way into the tenant's rows, for reading and writing.
    pub fn write(&self) -> Entry<Write> {
        Entry::of(&self.account, &self.reach)
    }
}

impl<M: Mode> Entry<M> {
    pub(crate) fn of(account: &AccountId, reach: &Reach) -> Self {
        Self { account: account.clone(), reach: reach.clone(), mode: PhantomData }
    }

    /// The whole account: its account-level tables, and the site-level tables of all its sites.
    ///
    /// Fails with [`Denial::AccountWideForbidden`] for a principal that is bound to sites, whichever they are.
    pub fn account(&self) -> Result<Scope<Account, M>, Denial> {
        if self.reach.is_bound() {
            return Err(Denial::AccountWideForbidden);
        }
        Ok(Scope::of([self.account.identifier().clone()]))
    }

    /// One site of the account.
    ///
    /// Fails with [`Denial::SiteNotInAccount`] if the account has no such site, or the principal is bound to others. An
    /// empty list of sites means none.
    pub fn site(&self, site: SiteId) -> Result<Scope<Site, M>, Denial> {
        if !self.reach.contains(&site) {
            return Err(Denial::SiteNotInAccount);
        }
        Ok(Scope::of([self.account.identifier().clone(), site.identifier().clone()]))
    }
}

/// The rows that a request may act on: all of one account, or all of one site.
///
/// A scope covers the tables of its own level and of the levels below it. Rows can be inserted at its own level only,
/// since only there every tenant column is known. It comes from an [`Entry`] alone, and is owned and `'static`.
///
/// ```
/// use bailiwick::{Dialect, Scope, Site, Write};
///
/// bailiwick::table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///     }
/// }
/// bailiwick::table! {
///     /// The articles of a site.
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column TITLE = "title" String;
///     }
/// }
///
/// fn rename(site: &Scope<Site, Write>, id: i64, title: &str) -> Result<(), bailiwick::BuildError> {
///     let update = site.update::<Article>().set(Article::TITLE, title).filter(Article::ID.equals(id));
///     assert_eq!(
///         update.build(Dialect::Sqlite)?.sql(),
///         r#"UPDATE "articles" SET "title" = ? WHERE "articles"."account_id" = ? AND "articles"."site_id" = ? AND "articles"."id" = ?"#,
///     );
///     Ok(())
/// }
/// # use bailiwick::{Account, AccountStatus, PaymentMethod, Plan, Principal, Privileges, Tenant, validate_account_and_plan};
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: bailiwick::Money::new(0.into(), bailiwick::Currency::EUR)?, interval: bailiwick::Interval::MONTHLY,
/// #     credits_per_month: bailiwick::Credits::ZERO, needs_subscription: false, quotas: Default::default(),
/// #     concurrency: Default::default(),
/// # };
/// # let account = Account {
/// #     id: 7.into(), status: AccountStatus::Active, payment_method: PaymentMethod::BankTransfer, version: 1,
/// #     privileges: Privileges::NONE,
/// # };
/// # let tenant = Tenant { account, plan: Some(plan.into()), subscription: None, sites: [12.into()].into() };
/// # let person = Principal::session(1.into()).of_account(7.into());
/// # let access = validate_account_and_plan(&person, Some(&tenant), "2026-01-01T00:00:00Z".parse()?)?.into_write()?;
/// rename(&access.write().site(12.into())?, 7, "A new title")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Scope<L, M> {
    ids: Ids,
    kind: PhantomData<fn() -> (L, M)>,
}

/// The identifiers that bound a scope, outermost first: the account, then the site.
#[derive(Clone)]
struct Ids(Arc<[Identifier]>);

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Identifier::to_string)).finish()
    }
}

impl<L: Level, M: Mode> Scope<L, M> {
    fn of(ids: impl Into<Arc<[Identifier]>>) -> Self {
        Self { ids: Ids(ids.into()), kind: PhantomData }
    }

    /// Reads rows. All declared columns are selected, in the order of their declaration.
    pub fn select<T: Table>(&self) -> Select<T>
    where
        L: Covers<T::Level>,
    {
        Select::new(&self.ids)
    }

    /// Counts rows.
    pub fn count<T: Table>(&self) -> Count<T>
    where
        L: Covers<T::Level>,
    {
        Count::new(&self.ids)
    }
}

impl<L: Level> Scope<L, Write> {
    /// Inserts one row, stamped with the tenant columns.
    ///
    /// A row of a site is inserted only if the account has that site at that very moment, as checked in the same
    /// statement. Zero rows inserted means [`NotFound`].
    pub fn insert<T: Table>(&self) -> Insert<T, T::Insertion>
    where
        L: Stamps<T::Level>,
    {
        Insert::new(&self.ids)
    }

    /// Updates rows. It builds once it has a filter, or says [`all_in_scope`](Update::all_in_scope).
    pub fn update<T: Table>(&self) -> Update<T, NoFilter>
    where
        L: Covers<T::Level>,
        T::Level: TenantLevel,
    {
        Update::new(&self.ids)
    }

    /// Deletes rows. It builds once it has a filter, or says [`all_in_scope`](Delete::all_in_scope).
    pub fn delete<T: Table>(&self) -> Delete<T, NoFilter>
    where
        L: Covers<T::Level>,
        T::Level: TenantLevel,
    {
        Delete::new(&self.ids)
    }
}

/// What a host answers when a statement touched no row. A row that does not exist and a row of another tenant are the
/// same, so that nobody learns what others have.
///
/// ```
/// use bailiwick::{Explained, NotFound, Problem};
/// fn touched_one(rows_affected: u64) -> Result<(), NotFound> {
///     if rows_affected == 0 { Err(NotFound) } else { Ok(()) }
/// }
/// assert_eq!(touched_one(0).map_err(Problem::from).unwrap_err().status(), 404);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no such thing here")]
pub struct NotFound;

impl Explained for NotFound {
    fn code(&self) -> Code {
        Code::NotFound
    }
}
