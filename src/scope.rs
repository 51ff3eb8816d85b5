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
mod cursor;
mod ddl;
#[cfg(feature = "decimal")]
mod decimal;
mod declaration;
mod filter;
mod frame;
mod insert;
mod level;
mod marker;
mod prepared;
mod reference;
mod render;
mod security;
mod select;
mod statement;
mod table;
mod tuple;
mod update;
mod value;

use std::fmt;
use std::marker::PhantomData;

use thiserror::Error;

use crate::account::Account;
use crate::gate::{Access, Denial, Reach, WriteAccess};
use crate::id::{AccountId, SectorId, SiteId};
use crate::problem::{Code, Explained};
use crate::tenant::{Sector, Site};
use bounds::Bounds;

pub use aggregate::Aggregate;
pub use column::Column;
pub use cursor::{Cursor, CursorError};
pub use ddl::create_table;
#[cfg(feature = "decimal")]
pub use decimal::{Fixed, FixedError};
pub use filter::{Filter, OrderBy};
pub use insert::{Insert, InsertMany, Upsert};
use level::{Covers, ScopeLevel, SeveralSites, Stamps, TenantLevel};
use marker::{Mode, NoFilter, NoKey, NoOutput, Of, Read, Ready, Write};
use prepared::Bound;
pub use prepared::{BoundValues, Prepared};
pub use reference::Subquery;
#[doc(hidden)]
pub use reference::{ReferenceTarget, Steps};
pub use security::row_level_security;
pub use select::{Count, Exists, Select};
pub use statement::{BuildError, Dialect, Statement};
pub use table::Table;
#[doc(hidden)]
pub use table::{DataColumn, IdColumn, KeyColumn, Reference, Schema, assert_reference};
use table::{Keyed, KeyedIn, TenantKeyed};
pub use tuple::Unique;
use tuple::{Columns, Operands};
pub use update::{Delete, Update};
pub use value::{Operand, Parameter, ValueKind, ValueRef};

/// The types that only mark a state: what a scope may do, whose rows a table holds, what a
/// statement still lacks, what a column is for.
pub mod state {
    pub use super::column::{Data, Key};
    pub use super::level::{Global, SeveralSites};
    pub use super::marker::{NoFilter, NoKey, NoOutput, Read, Ready, Write};
    pub use super::prepared::{Bound, Unbound};
    pub use super::reference::{Joined, ReferenceTo};
}

/// The sealed bounds of statements.
pub mod traits {
    pub use super::level::{Covers, Level, ScopeLevel, Stamps, TenantLevel, Within};
    pub use super::marker::Mode;
    pub use super::prepared::{Parameters, Permits, Shape};
    pub use super::reference::{Reachable, Refers, SettableIn};
    pub use super::table::{Keyed, KeyedIn, TenantKeyed};
    pub use super::tuple::{Columns, Operands};
    pub use super::value::{ColumnValue, Comparable, KeyValue, ParameterValue, Rankable, Summable};
}

/// The way into a tenant's rows. It has no statements: open the account or a site first.
///
/// It comes from [`Access::read`], [`WriteAccess::write`] and, audited, from
/// [`CrossTenant::read`](crate::danger::CrossTenant::read) alone, and is owned and `'static`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Entry<M> {
    account: AccountId,
    reach: Reach,
    mode: Of<M>,
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
        Self {
            account: account.clone(),
            reach: reach.clone(),
            mode: PhantomData,
        }
    }

    /// The whole account: its account-level tables, and the tables of all its sites and their
    /// sectors.
    ///
    /// Fails with [`Denial::AccountWideForbidden`] for a principal that is bound to sites,
    /// whichever they are.
    pub fn account(&self) -> Result<Scope<Account, M>, Denial> {
        if self.reach.is_bound() {
            return Err(Denial::AccountWideForbidden);
        }
        Ok(Scope::within(Bounds::one([self.account.identifier()])))
    }

    /// One site of the account.
    ///
    /// Fails with [`Denial::SiteNotInAccount`] if the account has no such site, or the principal is
    /// bound to others. An empty list of sites means none.
    pub fn site(&self, site: SiteId) -> Result<Scope<Site, M>, Denial> {
        if !self.reach.contains(&site) {
            return Err(Denial::SiteNotInAccount);
        }
        Ok(Scope::within(Bounds::one([
            self.account.identifier(),
            site.identifier(),
        ])))
    }

    /// Several sites of the account at once: rows of all of them are read, updated and deleted, and
    /// none are inserted, since a row belongs to one. No sites at all means no rows.
    ///
    /// Fails with [`Denial::SiteNotInAccount`] if one of them is not the account's, or not the
    /// principal's.
    pub fn sites(
        &self,
        sites: impl IntoIterator<Item = SiteId>,
    ) -> Result<Scope<SeveralSites, M>, Denial> {
        let sites: Vec<_> = sites.into_iter().collect();
        if !sites.iter().all(|site| self.reach.contains(site)) {
            return Err(Denial::SiteNotInAccount);
        }
        Ok(Scope::within(Bounds::sites(
            self.account.identifier(),
            sites.iter().map(SiteId::identifier),
        )))
    }

    /// Every site that the principal reaches: those that it is bound to, or all of the account's.
    pub fn every_site(&self) -> Scope<SeveralSites, M> {
        Scope::within(Bounds::sites(
            self.account.identifier(),
            self.reach.sites().map(SiteId::identifier),
        ))
    }
}

/// The rows that a request may act on: all of one account, of one site, of several sites, or of one
/// sector of a site.
///
/// A scope covers the tables of its own level and of the levels below it. Rows can be inserted at
/// its own level only, since only there every tenant column is known. It comes from an [`Entry`]
/// alone, and is owned and `'static`.
///
/// ```
/// use bailiwick::Scope;
/// use bailiwick::scope::Dialect;
/// use bailiwick::scope::state::Write;
/// use bailiwick::tenant::Site;
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
/// fn rename(site: &Scope<Site, Write>, id: i64, title: &str) -> Result<(), bailiwick::scope::BuildError> {
///     let update = site.update::<Article>().set(Article::TITLE, title).filter(Article::ID.equals(id));
///     assert_eq!(
///         update.build(Dialect::Sqlite)?.sql(),
///         r#"UPDATE "articles" SET "title" = ? WHERE "articles"."account_id" = ? AND "articles"."site_id" = ? AND "articles"."id" = ?"#,
///     );
///     Ok(())
/// }
/// # use bailiwick::{Account, Plan, Principal, Tenant, validate_account_and_plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::right::Privileges;
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: bailiwick::Money::new(0.into(), bailiwick::money::Currency::EUR)?, interval: bailiwick::period::Interval::MONTHLY,
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
#[must_use]
pub struct Scope<L, M, B = Bound> {
    bounds: Bounds,
    kind: Of<(L, M, B)>,
}

impl<L, M, B> Clone for Scope<L, M, B> {
    fn clone(&self) -> Self {
        Self {
            bounds: self.bounds.clone(),
            kind: PhantomData,
        }
    }
}

impl<L, M, B> fmt::Debug for Scope<L, M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.bounds)
    }
}

impl<M: Mode> Scope<Site, M> {
    /// One sector of the site.
    ///
    /// The gate is not told which sectors there are: one that the site does not have has no rows,
    /// and none can be inserted into it.
    pub fn sector(&self, sector: SectorId) -> Scope<Sector, M> {
        Scope::within(self.bounds.below(sector.identifier()))
    }
}

impl<L: ScopeLevel, M: Mode, B> Scope<L, M, B> {
    fn within(bounds: Bounds) -> Self {
        Self {
            bounds,
            kind: PhantomData,
        }
    }

    /// Reads rows.
    pub fn select<T: Table>(&self) -> Select<T, L, B>
    where
        L: Covers<T::Level>,
    {
        Select::new(&self.bounds)
    }

    /// Reads the row with this key. No row means [`NotFound`].
    pub fn get<T: KeyedIn<L>>(&self, key: impl Into<Operand<T::Key>>) -> Select<T, L, B>
    where
        L: Covers<T::Level>,
    {
        self.select().filter(Column::declared_key().equals(key))
    }

    /// Counts rows.
    pub fn count<T: Table>(&self) -> Count<T, L, B>
    where
        L: Covers<T::Level>,
    {
        Count::new(&self.bounds)
    }

    /// Whether there is a row.
    pub fn exists<T: Table>(&self) -> Exists<T, L, B>
    where
        L: Covers<T::Level>,
    {
        Exists::new(&self.bounds)
    }

    /// Sums, extremes and averages, whole or by groups; distinct values.
    pub fn aggregate<T: Table>(&self) -> Aggregate<T, L, NoOutput, B>
    where
        L: Covers<T::Level>,
    {
        Aggregate::new(&self.bounds)
    }
}

impl<L: ScopeLevel, B> Scope<L, Write, B> {
    /// Inserts one row, stamped with the tenant columns.
    ///
    /// A row of a site is inserted only if the account has that site at that very moment, and one
    /// that refers to others only if these are in scope, as checked in the same statement. Zero
    /// rows inserted means [`NotFound`].
    pub fn insert<T: Table>(&self) -> Insert<T, L, T::Insertion, B>
    where
        L: Stamps<T::Level>,
    {
        Insert::new(&self.bounds)
    }

    /// Inserts one row, or updates the one that has the same values of a unique key.
    pub fn upsert<T: Table, U: 'static>(
        &self,
        unique: Unique<T, U>,
        values: impl Operands<U>,
    ) -> Upsert<T, L, T::Insertion, B>
    where
        L: Stamps<T::Level>,
    {
        Upsert::on(&self.bounds, unique, values)
    }

    /// Inserts one row, or updates the one that has the same supplied key.
    pub fn upsert_key<T: Keyed<Insertion = NoKey>>(
        &self,
        key: impl Into<Operand<T::Key>>,
    ) -> Upsert<T, L, Ready, B>
    where
        L: Stamps<T::Level>,
    {
        Upsert::new(&self.bounds, Some(key.into().term))
    }

    /// Inserts the tenant's one row of a table whose key is the tenant, or updates it.
    pub fn upsert_own<T: TenantKeyed>(&self) -> Upsert<T, L, Ready, B>
    where
        L: Stamps<T::Level>,
    {
        Upsert::new(&self.bounds, None)
    }

    /// Updates rows. It builds once it has a filter, or says
    /// [`all_in_scope`](Update::all_in_scope).
    pub fn update<T: Table>(&self) -> Update<T, L, NoFilter, B>
    where
        L: Covers<T::Level>,
        T::Level: TenantLevel,
    {
        Update::new(&self.bounds)
    }

    /// Deletes rows. It builds once it has a filter, or says
    /// [`all_in_scope`](Delete::all_in_scope).
    pub fn delete<T: Table>(&self) -> Delete<T, L, NoFilter, B>
    where
        L: Covers<T::Level>,
        T::Level: TenantLevel,
    {
        Delete::new(&self.bounds)
    }
}

impl<L: ScopeLevel> Scope<L, Write> {
    /// Inserts many rows, each a tuple of values of these columns; all of them, or none.
    ///
    /// `site.insert_many((Article::TITLE, Article::NOTE)).row(("Bread",
    /// None::<String>)).row(("Cake", "nut"))`
    pub fn insert_many<T: Table, C: Columns<T, L>>(&self, columns: C) -> InsertMany<T, L, C>
    where
        L: Stamps<T::Level>,
    {
        InsertMany::new(&self.bounds, columns)
    }
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
