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

/// The way into a tenant's rows. It makes no statements: open the account or a site first.
///
/// It comes only from [`Access::read`], from [`WriteAccess::write`] and, audited, from
/// [`CrossTenant::read`](crate::danger::CrossTenant::read). It is owned and `'static`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Entry<M> {
    account: AccountId,
    reach: Reach,
    mode: Of<M>,
}

impl Access {
    /// Opens the way into the tenant's rows, for reading.
    pub fn read(&self) -> Entry<Read> {
        Entry::of(&self.account, &self.reach)
    }
}

impl WriteAccess {
    /// Opens the way into the tenant's rows, for reading and writing.
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

    /// Opens the whole account: its account-level tables, and the tables of all its sites and of
    /// their sectors.
    ///
    /// # Errors
    /// [`Denial::AccountWideForbidden`] for a principal that is bound to sites, even if it is bound
    /// to all of them.
    pub fn account(&self) -> Result<Scope<Account, M>, Denial> {
        // Even one bound to every site of today: the account may get another tomorrow, and its
        // account-level rows belong to no site.
        if self.reach.is_bound() {
            return Err(Denial::AccountWideForbidden);
        }

        Ok(Scope::within(Bounds::one([self.account.identifier()])))
    }

    /// Opens one site of the account.
    ///
    /// # Errors
    /// [`Denial::SiteNotInAccount`] if the account has no such site, or the principal is bound to
    /// other sites. A principal that is bound to an empty list of sites reaches none.
    pub fn site(&self, site: SiteId) -> Result<Scope<Site, M>, Denial> {
        // A site of another account is refused in the same words as one that does not exist.
        if !self.reach.contains(&site) {
            return Err(Denial::SiteNotInAccount);
        }

        Ok(Scope::within(Bounds::one([
            self.account.identifier(),
            site.identifier(),
        ])))
    }

    /// Opens several sites of the account at once.
    ///
    /// Rows of all of them are read, updated and deleted. None are inserted, since a row belongs to
    /// one site. If the list is empty, there are no rows.
    ///
    /// # Errors
    /// [`Denial::SiteNotInAccount`] if one of the sites is not the account's, or the principal does
    /// not reach it.
    pub fn sites(
        &self,
        sites: impl IntoIterator<Item = SiteId>,
    ) -> Result<Scope<SeveralSites, M>, Denial> {
        let sites: Vec<_> = sites.into_iter().collect();
        // All or nothing: a list that is cut silently would look like sites without rows.
        if !sites.iter().all(|site| self.reach.contains(site)) {
            return Err(Denial::SiteNotInAccount);
        }

        Ok(Scope::within(Bounds::sites(
            self.account.identifier(),
            sites.iter().map(SiteId::identifier),
        )))
    }

    /// Opens every site that the principal reaches: the sites that it is bound to, or all sites of
    /// the account.
    pub fn every_site(&self) -> Scope<SeveralSites, M> {
        Scope::within(Bounds::sites(
            self.account.identifier(),
            self.reach.sites().map(SiteId::identifier),
        ))
    }
}

/// The rows that a request may act on: those of a whole account, of one site, of several sites, or
/// of one sector of a site.
///
/// A scope reaches the tables of its own level and of the levels below it, and reads the global
/// ones. It inserts only at its own level, because only there every tenant column is known. It
/// comes only from an [`Entry`], and is owned and `'static`.
///
/// Handlers take it as an argument, and the signature says what they may do:
///
/// ```
/// use bailiwick::scope::state::Write;
/// use bailiwick::scope::{BuildError, Dialect, Statement};
/// use bailiwick::{Account, Scope, table};
///
/// table! {
///     pub struct Author: Account in "authors" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
///
/// fn rename(
///     account: &Scope<Account, Write>,
///     id: i64,
///     name: &str,
/// ) -> Result<Statement, BuildError> {
///     account
///         .update::<Author>()
///         .set(Author::NAME, name)
///         .filter(Author::ID.equals(id))
///         .build(Dialect::Postgres)
/// }
/// ```
///
/// The [page of this module](crate::scope) has the way from the gate to here.
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
    /// Opens one sector of the site.
    ///
    /// The gate is not told which sectors there are. A sector that the site does not have has no
    /// rows, and none can be inserted into it.
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
