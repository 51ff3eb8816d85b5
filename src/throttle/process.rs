//! The throttle of one process.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::answers::Answers;
use super::capacity::ThrottleCapacity;
use super::gcra::nanos;
use super::headers::{HeaderDialect, Report};
use super::included;
use super::key::{Address, Place, Subject, ThrottleKey, ThrottleSubject};
use super::lease::{Lease, LeaseRoom, Refused};
use super::passage::{self, Passage, Passed, QuotaReport};
use super::refusal::Throttled;
use super::room::{Room, Ticket};
use super::scopes::{ScopeNumber, Scopes};
use crate::gate::Access;
use crate::id::AccountId;
use crate::policy::{FailureMode, Policy, ThrottleBypass};
use crate::quota::{QuotaSet, ThrottleScope};

/// The throttle of one process: [`gcra::decide_all`](crate::throttle::gcra::decide_all) over a
/// bounded concurrent map.
///
/// An application has one, and shares it between threads. It reads no clock. Memory is bounded:
/// where a new key finds no memory left, keys that have drained give way and no others do. If none
/// has drained, the new key is refused.
///
/// Clocks of callers may differ by a second. Several processes share a quota only through a shared
/// store: see [`SharedCheck`](crate::throttle::SharedCheck).
///
/// ```
/// use bailiwick::quota::{QuotaSet, ThrottleScope};
/// use bailiwick::throttle::ThrottleCapacity;
/// use bailiwick::{Quota, Throttle, throttle_scope};
///
/// const LOG_IN: ThrottleScope = throttle_scope!("log_in");
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let throttle = Throttle::new(ThrottleCapacity { accounts: 100_000, addresses: 100_000 });
///     let quotas = QuotaSet::from(Quota::new(5, 60)?); // five attempts a minute
///     let now = "2026-01-01T00:00:00Z".parse()?;
///
///     let passage = throttle.check_address("192.0.2.7".parse()?, LOG_IN, &quotas, now)?;
///     assert_eq!(passage.remaining(), Some(4));
///     Ok(())
/// }
/// ```
pub struct Throttle {
    scopes: Scopes,
    accounts: Room<AccountId>,
    members: Room<Subject>,
    addresses: Room<Address>,
    attempts: Room<Subject>,
    leases: Arc<LeaseRoom>,
    dialect: HeaderDialect,
    when_full: BTreeMap<ThrottleScope, FailureMode>,
}

impl Throttle {
    /// Creates a throttle that holds so many keys, writes the headers of
    /// [`HeaderDialect::Draft10`], and refuses new keys when it is full.
    pub fn new(capacity: ThrottleCapacity) -> Self {
        Self {
            scopes: Scopes::default(),
            // Four rooms, so that none can be crowded out by keys that others choose.
            accounts: Room::new(capacity.accounts),
            members: Room::new(capacity.accounts),
            addresses: Room::new(capacity.addresses),
            attempts: Room::new(capacity.addresses),
            leases: Arc::new(LeaseRoom::new(capacity.accounts)),
            dialect: HeaderDialect::default(),
            when_full: BTreeMap::new(),
        }
    }

    /// Sets the headers.
    pub fn with_dialect(self, dialect: HeaderDialect) -> Self {
        Self { dialect, ..self }
    }

    /// Lets new keys pass uncounted when the throttle is full, in the scopes whose
    /// [`failure_mode`](Policy::failure_mode) is open. Keep a scope closed if attackers can fill
    /// it.
    pub fn with_failure_modes(self, policy: &Policy) -> Self {
        Self {
            when_full: policy.failure_modes().clone(),
            ..self
        }
    }

    /// Charges one cell to all of the account's quotas for a scope, or to none.
    ///
    /// Only the plan and the account decide: no kind of credential, role or privilege changes the
    /// answer. Read the clock here. A `now` that was taken more than a second ago looks like a
    /// clock that was set back, and the answer then tells of less usage.
    ///
    /// # Errors
    /// In this order: [`Throttled::AccessExpired`], [`Throttled::QuotaMissing`],
    /// [`Throttled::CostExceedsBurst`], [`Throttled::QuotaExceeded`], [`Throttled::Full`].
    pub fn check(
        &self,
        access: &Access,
        scope: ThrottleScope,
        now: DateTime<Utc>,
    ) -> Result<Passage, Throttled> {
        self.check_cost(access, scope, 1, now)
    }

    /// Charges several cells at once. No request is free: a cost of zero counts as one.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_cost(
        &self,
        access: &Access,
        scope: ThrottleScope,
        cost: u32,
        now: DateTime<Utc>,
    ) -> Result<Passage, Throttled> {
        let quotas = included::quotas(access, scope, now)?;
        let number = self.number(scope)?;
        let cost = cost.max(1);

        let answers = self.accounts.charge(
            number,
            access.account_id().clone(),
            quotas.as_slice(),
            nanos(now),
            cost,
        );
        self.explain(scope, quotas, cost, answers)
    }

    /// Charges one cell to an address, for log-in, registration and other requests that come before
    /// a credential is known.
    ///
    /// IPv6 is cut to its /64. Take the address from the connection, or through
    /// [`TrustedHops`](crate::throttle::TrustedHops).
    ///
    /// # Errors
    /// [`Throttled::QuotaExceeded`], [`Throttled::Full`].
    pub fn check_address(
        &self,
        address: IpAddr,
        scope: ThrottleScope,
        quotas: &QuotaSet,
        now: DateTime<Utc>,
    ) -> Result<Passage, Throttled> {
        let number = self.number(scope)?;

        let answers =
            self.addresses
                .charge(number, address.into(), quotas.as_slice(), nanos(now), 1);
        self.explain(scope, quotas, 1, answers)
    }

    /// Charges any key: a user, an API key or a site within an account, or requests from one
    /// address to an account, under quotas that the host chooses.
    ///
    /// It stands beside the plan's quotas and replaces none of them. The key of an account as a
    /// whole counts together with [`check`](Self::check), and that of an address with
    /// [`check_address`](Self::check_address). A cost of zero counts as one.
    ///
    /// # Errors
    /// [`Throttled::CostExceedsBurst`], [`Throttled::QuotaExceeded`], [`Throttled::Full`].
    pub fn check_key(
        &self,
        key: &ThrottleKey,
        quotas: &QuotaSet,
        cost: u32,
        now: DateTime<Utc>,
    ) -> Result<Passage, Throttled> {
        let cost = cost.max(1);
        let number = self.number(key.scope())?;
        let at = nanos(now);
        let own = quotas.as_slice();

        // An account as a whole and an address alone have rooms of smaller keys, and count together
        // with the checks that need no key.
        let answers = match key.subject() {
            Subject::Address(address) => self.addresses.charge(number, *address, own, at, cost),
            Subject::Account {
                account,
                member: None,
                place: None,
            } => self.accounts.charge(number, account.clone(), own, at, cost),
            subject => self
                .room(subject)
                .charge(number, subject.clone(), own, at, cost),
        };
        self.explain(key.scope(), quotas, cost, answers)
    }

    /// Reports the rest of the account's quotas for a scope, and charges nothing.
    ///
    /// # Errors
    /// [`Throttled::AccessExpired`], [`Throttled::QuotaMissing`], [`Throttled::Full`] for the
    /// 65,537th throttle scope.
    pub fn peek(
        &self,
        access: &Access,
        scope: ThrottleScope,
        now: DateTime<Utc>,
    ) -> Result<QuotaReport, Throttled> {
        let quotas = included::quotas(access, scope, now)?;
        let key = ThrottleKey::derive(scope, ThrottleSubject::Account(access.account_id()));
        self.peek_key(&key, quotas, now)
    }

    /// Reports the rest of a key's quotas, and charges nothing.
    ///
    /// # Errors
    /// [`Throttled::Full`] for the 65,537th throttle scope.
    pub fn peek_key(
        &self,
        key: &ThrottleKey,
        quotas: &QuotaSet,
        now: DateTime<Utc>,
    ) -> Result<QuotaReport, Throttled> {
        let number = self.number(key.scope())?;
        let at = nanos(now);
        let own = quotas.as_slice();

        let answers = match key.subject() {
            Subject::Address(address) => self.addresses.peek(number, address, own, at),
            Subject::Account {
                account,
                member: None,
                place: None,
            } => self.accounts.peek(number, account, own, at),
            subject => self.room(subject).peek(number, subject, own, at),
        };

        let answers = answers.ok_or(Throttled::Full)?;
        Ok(QuotaReport(self.report(key.scope(), answers)))
    }

    /// Gives back the cells that a passage of this account was charged, for work that was not done:
    /// a call that failed, for example.
    ///
    /// Cells that have drained since are not given back again. A passage is given back at most
    /// once, because this takes it. All that passes in a window, less all that is given back in
    /// it, keeps the quota's bound.
    ///
    /// Returns `None` if nothing can be given back: the passage was not charged here or not to this
    /// account, or all of it has drained.
    pub fn refund(
        &self,
        access: &Access,
        passage: Passage,
        now: DateTime<Utc>,
    ) -> Option<QuotaReport> {
        // A passage that was not charged has no scope, and gives nothing back.
        let scope = passage.scope()?;
        let quotas = access.plan().quotas.get(&scope)?;
        let key = ThrottleKey::derive(scope, ThrottleSubject::Account(access.account_id()));
        self.refund_key(&key, quotas, passage, now)
    }

    /// Gives back the cells that a passage of this key was charged: see [`refund`](Self::refund).
    pub fn refund_key(
        &self,
        key: &ThrottleKey,
        quotas: &QuotaSet,
        passage: Passage,
        now: DateTime<Utc>,
    ) -> Option<QuotaReport> {
        let charged = passage.charged()?;
        let number = self.scopes.number(key.scope())?;
        let at = nanos(now);
        let own = quotas.as_slice();

        let answers = match key.subject() {
            Subject::Address(address) => self.addresses.refund(number, address, own, charged, at),
            Subject::Account {
                account,
                member: None,
                place: None,
            } => self.accounts.refund(number, account, own, charged, at),
            subject => self.room(subject).refund(number, subject, own, charged, at),
        };
        Some(QuotaReport(self.report(key.scope(), answers?)))
    }

    /// Takes one of the leases that the plan allows at once in a scope.
    ///
    /// It is returned when it is dropped, and ends by itself after the time that the plan states.
    ///
    /// # Errors
    /// In this order: [`Throttled::AccessExpired`], [`Throttled::QuotaMissing`],
    /// [`Throttled::Full`], [`Throttled::TooManyAtOnce`].
    pub fn acquire(
        &self,
        access: &Access,
        scope: ThrottleScope,
        now: DateTime<Utc>,
    ) -> Result<Lease, Throttled> {
        let limit = included::concurrency(access, scope, now)?;
        let number = self.number(scope)?;

        self.leases
            .acquire(access.account_id(), number, limit, now)
            .map_err(|refused| match refused {
                Refused::Full => Throttled::Full,
                Refused::Exceeded(acquisition) => {
                    Throttled::too_many_at_once(scope, limit, &acquisition, now)
                }
            })
    }

    /// Passes without charging, by leave that only a development policy gives. The passage carries
    /// the reason; log it.
    pub fn bypass(&self, bypass: &ThrottleBypass) -> Passage {
        Passage(Passed::Bypassed(bypass.clone()))
    }

    /// Returns the number of keys that are held for accounts, including those of their users, API
    /// keys and sites.
    pub fn tracked_accounts(&self) -> usize {
        self.accounts.len().saturating_add(self.members.len())
    }

    /// Returns the number of keys that are held for addresses, including those of addresses at an
    /// account.
    pub fn tracked_addresses(&self) -> usize {
        self.addresses.len().saturating_add(self.attempts.len())
    }

    /// Returns the number of accounts that hold leases, counted once for each throttle scope.
    pub fn tracked_leases(&self) -> usize {
        self.leases.len()
    }

    #[inline]
    fn number(&self, scope: ThrottleScope) -> Result<ScopeNumber, Throttled> {
        self.scopes.number(scope).ok_or(Throttled::Full)
    }

    /// Returns the room of a subject that is neither an account as a whole nor an address alone.
    fn room(&self, subject: &Subject) -> &Room<Subject> {
        match subject {
            // An attacker can choose addresses, so they never crowd out an account's own members.
            Subject::Account {
                place: Some(Place::Address(_)),
                ..
            } => &self.attempts,
            _ => &self.members,
        }
    }

    fn report(&self, scope: ThrottleScope, answers: Answers) -> Report {
        Report {
            scope,
            dialect: self.dialect,
            answers,
        }
    }

    // Inlined, as are its callees, so that the passage is made where the caller wants it.
    #[inline(always)]
    fn explain(
        &self,
        scope: ThrottleScope,
        quotas: &QuotaSet,
        cost: u32,
        answers: Option<(Answers, Ticket)>,
    ) -> Result<Passage, Throttled> {
        match answers {
            Some((answers, ticket)) => {
                passage::explain(self.report(scope, answers), Some(ticket), quotas, cost)
            }
            None => passage::uncounted(self.when_full.get(&scope).copied(), Throttled::Full),
        }
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("tracked_accounts", &self.tracked_accounts())
            .field("tracked_addresses", &self.tracked_addresses())
            .field("tracked_leases", &self.tracked_leases())
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
