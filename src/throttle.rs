//! The throttle: how fast an account may go, and how much of it at once. Pure decisions
//! ([`gcra`](crate::throttle::gcra), [`concurrency`](crate::throttle::leases)) over small states,
//! injective keys for shared stores with the texts that decide there, and a bounded map in process.

mod client;
pub mod gcra;
mod headers;
mod held;
mod key;
mod lease;
mod passage;
mod room;
mod scopes;
mod shared;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::gate::Access;
use crate::id::AccountId;
use crate::policy::{FailureMode, Policy, ThrottleBypass};
use crate::quota::{QuotaSet, ThrottleScope};
use gcra::Answers;
use headers::Report;
use key::{Address, Place, Subject};
use lease::{LeaseRoom, Refused};
use passage::Passed;
use room::{Room, Ticket};
use scopes::{ScopeNumber, Scopes};

pub use client::{ForwardedError, TrustedHops};
pub use headers::HeaderDialect;
pub use key::{ThrottleKey, ThrottleKeyError, ThrottleSubject};
pub use lease::Lease;
pub use passage::{Exceeded, Passage, QuotaReport, Throttled};
pub use shared::{SharedCheck, SharedError};

/// Concurrency limits as pure functions, for hosts that keep leases in a store of their own: read
/// them, [`acquire`](leases::acquire) or release, write them back under the store's guard.
pub mod leases {
    pub use super::lease::{Acquisition, Leases, acquire};
}

/// How many keys a [`Throttle`] holds at most: its bound on memory. A key with one quota takes some
/// 100 bytes, with several some 250; it takes room from its first request until it has drained and
/// its place is needed.
///
/// Keys are spread over shards of 512 and more by a seeded hash, so a room may turn a new key away
/// from some nine tenths of its size on. Allow for twice the accounts and addresses that are busy
/// within the longest of their quotas' windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleCapacity {
    /// Accounts, counted once for each throttle scope that they use. As many keys of users, API
    /// keys and sites again have a room of their own, and so have leases. That room is shared by
    /// all accounts, so one account that uses very many of its own leaves less for new ones of the
    /// others.
    pub accounts: u32,
    /// Addresses, counted likewise. An attacker can choose these, so they have a room of their own;
    /// what comes from an address to an account has another, as large.
    pub addresses: u32,
}

/// The throttle of one process: [`gcra::decide_all`](crate::throttle::gcra::decide_all) over a
/// bounded concurrent map.
///
/// An application has one, and shares it between threads. It reads no clock. Memory is bounded:
/// where there is no room for a new key, keys that have drained give way and no others do, and if
/// none has, the new key is refused.
///
/// Clocks of callers may differ by a second. Several processes share a quota only through a shared
/// store, under the text of a [`ThrottleKey`]: see [`SharedCheck`].
///
/// ```
/// # use std::collections::BTreeMap;
/// # use std::sync::Arc;
/// # use bailiwick::{Account, Credits, Money, Plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::{Principal, Problem, Tenant, validate_account_and_plan};
/// # use bailiwick::right::Privileges;
/// use bailiwick::{Quota, Throttle, throttle_scope};
/// use bailiwick::quota::ThrottleScope;
/// use bailiwick::throttle::ThrottleCapacity;
///
/// const AI: ThrottleScope = throttle_scope!("ai");
/// let throttle = Throttle::new(ThrottleCapacity { accounts: 100_000, addresses: 100_000 });
/// # let now = "2026-01-01T00:00:00Z".parse()?;
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: Money::new("49".parse()?, Currency::EUR)?,
/// #     interval: Interval::MONTHLY, credits_per_month: Credits::ZERO,
/// #     needs_subscription: false, quotas: BTreeMap::from([(AI, Quota::new(2, 60)?.into())]),
/// #     concurrency: Default::default(),
/// # };
/// # let account = Account {
/// #     id: 7.into(), status: AccountStatus::Active, payment_method: PaymentMethod::BankTransfer, version: 1,
/// #     privileges: Privileges::NONE,
/// # };
/// # let tenant = Tenant { account, plan: Some(Arc::new(plan)), subscription: None, sites: [].into() };
/// # let principal = Principal::session(1.into()).of_account(7.into());
/// let access = validate_account_and_plan(&principal, Some(&tenant), now)?; // the plan allows two a minute
///
/// let passage = throttle.check(&access, AI, now)?;
/// assert_eq!(passage.remaining(), Some(1));
/// assert!(passage.headers().contains(&("RateLimit", "\"ai\";r=1;t=30".to_owned())));
///
/// throttle.check(&access, AI, now)?;
/// let problem = Problem::from(throttle.check(&access, AI, now).unwrap_err());
/// assert_eq!(problem.status(), 429);
/// assert!(problem.headers().contains(&("Retry-After", "30".to_owned())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    /// A throttle with room for so many keys, that speaks the draft's headers, and refuses new keys
    /// when it is full.
    pub fn new(capacity: ThrottleCapacity) -> Self {
        Self {
            scopes: Scopes::default(),
            accounts: Room::new(capacity.accounts),
            members: Room::new(capacity.accounts),
            addresses: Room::new(capacity.addresses),
            attempts: Room::new(capacity.addresses),
            leases: Arc::new(LeaseRoom::new(capacity.accounts)),
            dialect: HeaderDialect::default(),
            when_full: BTreeMap::new(),
        }
    }

    /// The same throttle with other headers.
    pub fn with_dialect(self, dialect: HeaderDialect) -> Self {
        Self { dialect, ..self }
    }

    /// The same throttle, where new keys pass uncounted when it is full in the scopes whose
    /// [`failure_mode`](Policy::failure_mode) is open. What attackers can fill had better stay
    /// closed.
    pub fn with_failure_modes(self, policy: &Policy) -> Self {
        Self {
            when_full: policy.failure_modes().clone(),
            ..self
        }
    }

    /// Charges one cell to the account's quotas for a scope, all or none.
    ///
    /// The plan and the account decide, nothing else: no kind of credential, role or privilege.
    /// Read the clock here: a `now` that was taken more than a second ago looks like a clock that
    /// was set back, and is told of less usage.
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

    /// Charges so many cells. No request is free: a cost of zero counts as one. Errors as for
    /// [`check`](Self::check).
    pub fn check_cost(
        &self,
        access: &Access,
        scope: ThrottleScope,
        cost: u32,
        now: DateTime<Utc>,
    ) -> Result<Passage, Throttled> {
        let quotas = quotas(access, scope, now)?;
        let number = self.number(scope)?;
        let cost = cost.max(1);
        let answers = self.accounts.charge(
            number,
            access.account_id().clone(),
            quotas.as_slice(),
            gcra::nanos(now),
            cost,
        );
        self.explain(scope, quotas, cost, answers)
    }

    /// Charges one cell to an address: for log-in, registration and whatever else comes before a
    /// credential. IPv6 is cut to its /64. Take the address from the connection, or through
    /// [`TrustedHops`].
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
        let answers = self.addresses.charge(
            number,
            address.into(),
            quotas.as_slice(),
            gcra::nanos(now),
            1,
        );
        self.explain(scope, quotas, 1, answers)
    }

    /// Charges any key: a user, an API key or a site within an account, or what comes from one
    /// address to an account, under quotas that the host chooses. It stands beside the plan's
    /// quotas and replaces none of them. The key of an account as a whole is the bucket of
    /// [`check`](Self::check), that of an address the one of
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
        let (number, at, own) = (
            self.number(key.scope())?,
            gcra::nanos(now),
            quotas.as_slice(),
        );
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

    /// What is left of the account's quotas for a scope. Nothing is charged.
    ///
    /// # Errors
    /// [`Throttled::AccessExpired`], [`Throttled::QuotaMissing`].
    pub fn peek(
        &self,
        access: &Access,
        scope: ThrottleScope,
        now: DateTime<Utc>,
    ) -> Result<QuotaReport, Throttled> {
        let quotas = quotas(access, scope, now)?;
        let key = ThrottleKey::derive(scope, ThrottleSubject::Account(access.account_id()));
        self.peek_key(&key, quotas, now)
    }

    /// What is left of a key's quotas. Nothing is charged.
    ///
    /// # Errors
    /// [`Throttled::Full`] for the 65,537th throttle scope.
    pub fn peek_key(
        &self,
        key: &ThrottleKey,
        quotas: &QuotaSet,
        now: DateTime<Utc>,
    ) -> Result<QuotaReport, Throttled> {
        let (number, at, own) = (
            self.number(key.scope())?,
            gcra::nanos(now),
            quotas.as_slice(),
        );
        let answers = match key.subject() {
            Subject::Address(address) => self.addresses.peek(number, address, own, at),
            Subject::Account {
                account,
                member: None,
                place: None,
            } => self.accounts.peek(number, account, own, at),
            subject => self.room(subject).peek(number, subject, own, at),
        };
        Ok(QuotaReport(
            self.report(key.scope(), answers.ok_or(Throttled::Full)?),
        ))
    }

    /// Gives back what a passage of this account was charged, for work that was not done: a call
    /// that failed, say. What has drained since is not given back again. A passage is given back
    /// once, since it is taken; what passes in a window, less what is given back in it, keeps the
    /// quota's bound. `None` if nothing can be given back: it was not charged here, to this
    /// account, or all of it has drained.
    pub fn refund(
        &self,
        access: &Access,
        passage: Passage,
        now: DateTime<Utc>,
    ) -> Option<QuotaReport> {
        let scope = passage.scope()?;
        let key = ThrottleKey::derive(scope, ThrottleSubject::Account(access.account_id()));
        self.refund_key(&key, access.plan().quotas.get(&scope)?, passage, now)
    }

    /// Gives back what a passage of this key was charged: see [`refund`](Self::refund).
    pub fn refund_key(
        &self,
        key: &ThrottleKey,
        quotas: &QuotaSet,
        passage: Passage,
        now: DateTime<Utc>,
    ) -> Option<QuotaReport> {
        let (charged, at, own) = (passage.charged()?, gcra::nanos(now), quotas.as_slice());
        let number = self.scopes.number(key.scope())?;
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

    /// Takes one of the places that the plan has for work at once in a scope. It is returned when
    /// the lease is dropped, and ends by itself after the time that the plan states.
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
        if !access.is_valid_at(now) {
            return Err(Throttled::AccessExpired);
        }
        let limit = access
            .plan()
            .concurrency
            .get(&scope)
            .ok_or(Throttled::QuotaMissing(scope))?;
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

    /// How many accounts' keys are held, those of their users, API keys and sites among them.
    pub fn tracked_accounts(&self) -> usize {
        self.accounts.len().saturating_add(self.members.len())
    }

    /// How many addresses' keys are held, those of addresses at an account among them.
    pub fn tracked_addresses(&self) -> usize {
        self.addresses.len().saturating_add(self.attempts.len())
    }

    /// How many accounts hold leases, counted once for each throttle scope.
    pub fn tracked_leases(&self) -> usize {
        self.leases.len()
    }

    #[inline]
    fn number(&self, scope: ThrottleScope) -> Result<ScopeNumber, Throttled> {
        self.scopes.number(scope).ok_or(Throttled::Full)
    }

    /// The room of a subject that is neither an account as a whole nor an address alone.
    fn room(&self, subject: &Subject) -> &Room<Subject> {
        match subject {
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

    // Inlined, as what it calls is, so that the passage is made in its place.
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

/// The plan's quotas for a scope, if the access holds.
#[inline]
fn quotas(
    access: &Access,
    scope: ThrottleScope,
    now: DateTime<Utc>,
) -> Result<&QuotaSet, Throttled> {
    if !access.is_valid_at(now) {
        return Err(Throttled::AccessExpired);
    }
    access
        .plan()
        .quotas
        .get(&scope)
        .ok_or(Throttled::QuotaMissing(scope))
}

impl Policy {
    /// What a request meets in a throttle scope while the store that the host shares rate state in
    /// cannot be asked: it passes uncounted where the policy says [`Open`](FailureMode::Open). A
    /// quota that is spent is refused in either mode: this is about not knowing.
    ///
    /// # Errors
    /// [`Throttled::StoreUnavailable`] where the policy says [`Closed`](FailureMode::Closed), and
    /// where it says nothing.
    pub fn pass_uncounted(&self, scope: ThrottleScope) -> Result<Passage, Throttled> {
        passage::uncounted(Some(self.failure_mode(scope)), Throttled::StoreUnavailable)
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
