//! The way into a tenant's rows: entries, and the scopes that they open.

use std::fmt;
use std::marker::PhantomData;

use super::bounds::Bounds;
use super::level::{ScopeLevel, SeveralSites};
use super::marker::{Bound, Mode, Of, Read, Write};
use crate::account::Account;
use crate::gate::{Access, Denial, Reach, WriteAccess};
use crate::id::{AccountId, SectorId, SiteId};
use crate::tenant::{Sector, Site};

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
    pub(super) bounds: Bounds,
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
    pub(super) fn within(bounds: Bounds) -> Self {
        Self {
            bounds,
            kind: PhantomData,
        }
    }
}
