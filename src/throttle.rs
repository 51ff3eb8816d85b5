//! The throttle: how fast an account may go. A pure decision ([`gcra`](crate::gcra)) over a small state, injective keys
//! for shared stores with the texts that decide there, and a bounded map in process.

pub(crate) mod gcra;
mod headers;
mod key;
mod room;
mod shared;
pub(crate) mod states;

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::gate::Access;
use crate::id::AccountId;
use crate::policy::ThrottleBypass;
use crate::problem::{Code, Explained, Problem};
use crate::quota::{QuotaSet, ThrottleScope};
use gcra::Verdict;
use headers::Report;
use key::Address;
use room::Room;
use states::Answers;

pub use headers::HeaderDialect;
pub use key::{ThrottleKey, ThrottleKeyError, ThrottleSubject};
pub use shared::{SharedCheck, SharedError};

/// How many keys a [`Throttle`] holds at most: its bound on memory, some 256 bytes a key. A key takes room from its
/// first request until it has drained and its place is needed.
///
/// Keys are spread over shards of 512 and more by a seeded hash, so a room may turn a new key away from some nine
/// tenths of its size on. Allow for twice the accounts and addresses that are busy within the longest of their quotas'
/// windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleCapacity {
    /// Accounts, counted once for each throttle scope that they use.
    pub accounts: u32,
    /// Addresses, counted likewise. An attacker can choose these, so they have a room of their own.
    pub addresses: u32,
}

/// The throttle of one process: [`gcra::decide_all`](crate::gcra::decide_all) over a bounded concurrent map.
///
/// An application has one, and shares it between threads. It reads no clock. Memory is bounded: where there is no room
/// for a new key, keys that have drained give way and no others do, and if none has, the new key is refused.
///
/// Clocks of callers may differ by a second. Several processes share a quota only through a shared store, under the
/// text of a [`ThrottleKey`]: see [`SharedCheck`].
///
/// ```
/// # use std::collections::BTreeMap;
/// # use std::sync::Arc;
/// # use bailiwick::{Account, AccountStatus, Credits, Currency, Interval, Money, PaymentMethod, Plan};
/// # use bailiwick::{Principal, Privileges, Problem, Tenant, validate_account_and_plan};
/// use bailiwick::{throttle_scope, Quota, Throttle, ThrottleCapacity, ThrottleScope};
///
/// const AI: ThrottleScope = throttle_scope!("ai");
/// let throttle = Throttle::new(ThrottleCapacity { accounts: 100_000, addresses: 100_000 });
/// # let now = "2026-01-01T00:00:00Z".parse()?;
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: Money::new("49".parse()?, Currency::EUR)?,
/// #     interval: Interval::MONTHLY, credits_per_month: Credits::ZERO,
/// #     needs_subscription: false, quotas: BTreeMap::from([(AI, Quota::new(2, 60)?.into())]),
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
    accounts: Room<AccountId>,
    addresses: Room<Address>,
    dialect: HeaderDialect,
}

impl Throttle {
    /// A throttle with room for so many keys, that speaks the draft's headers.
    pub fn new(capacity: ThrottleCapacity) -> Self {
        Self {
            accounts: Room::new(capacity.accounts),
            addresses: Room::new(capacity.addresses),
            dialect: HeaderDialect::default(),
        }
    }

    /// The same throttle with other headers.
    pub fn with_dialect(self, dialect: HeaderDialect) -> Self {
        Self { dialect, ..self }
    }

    /// Charges one cell to the account's quotas for a scope, all or none.
    ///
    /// The plan and the account decide, nothing else: no kind of credential, role or privilege.
    ///
    /// # Errors
    /// In this order: [`Throttled::AccessExpired`], [`Throttled::QuotaMissing`], [`Throttled::CostExceedsBurst`],
    /// [`Throttled::QuotaExceeded`], [`Throttled::Full`].
    pub fn check(&self, access: &Access, scope: ThrottleScope, now: DateTime<Utc>) -> Result<Passage, Throttled> {
        self.check_cost(access, scope, 1, now)
    }

    /// Charges so many cells. No request is free: a cost of zero counts as one. Errors as for [`check`](Self::check).
    pub fn check_cost(
        &self,
        access: &Access,
        scope: ThrottleScope,
        cost: u32,
        now: DateTime<Utc>,
    ) -> Result<Passage, Throttled> {
        if !access.is_valid_at(now) {
            return Err(Throttled::AccessExpired);
        }
        let quotas = access.plan().quotas.get(&scope).ok_or(Throttled::QuotaMissing(scope))?;
        let (now, cost) = (gcra::nanos(now), cost.max(1));
        let answers = self.accounts.charge(scope, access.account().clone(), quotas.as_slice(), now, cost);
        self.explain(scope, quotas, cost, answers)
    }

    /// Charges one cell to an address: for log-in, registration and whatever else comes before a credential. IPv6 is
    /// cut to its /64. Take the address from the connection, or from a proxy that is trusted.
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
        let answers = self.addresses.charge(scope, address.into(), quotas.as_slice(), gcra::nanos(now), 1);
        self.explain(scope, quotas, 1, answers)
    }

    /// Passes without charging, by leave that only a development policy gives. The passage carries the reason; log it.
    pub fn bypass(&self, bypass: &ThrottleBypass) -> Passage {
        Passage(Passed::Bypassed(bypass.clone()))
    }

    /// How many accounts' keys are held.
    pub fn tracked_accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many addresses' keys are held.
    pub fn tracked_addresses(&self) -> usize {
        self.addresses.len()
    }

    #[inline]
    fn explain(
        &self,
        scope: ThrottleScope,
        quotas: &QuotaSet,
        cost: u32,
        answers: Option<Answers>,
    ) -> Result<Passage, Throttled> {
        explained(scope, self.dialect, quotas, cost, answers.ok_or(Throttled::Full)?)
    }
}

/// What was decided, as a client is told it.
#[inline]
fn explained(
    scope: ThrottleScope,
    dialect: HeaderDialect,
    quotas: &QuotaSet,
    cost: u32,
    answers: Answers,
) -> Result<Passage, Throttled> {
    let report = Report { scope, dialect, answers };
    match answers.verdict() {
        Verdict::Allowed => Ok(Passage(Passed::Charged(report))),
        Verdict::Exceeded => Err(Throttled::QuotaExceeded(Box::new(Exceeded(report)))),
        Verdict::CostExceedsBurst => {
            let burst = quotas.as_slice().iter().map(|quota| quota.burst()).min().unwrap_or_default();
            Err(Throttled::CostExceedsBurst { cost, burst })
        }
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("tracked_accounts", &self.tracked_accounts())
            .field("tracked_addresses", &self.tracked_addresses())
            .field("dialect", &self.dialect)
            .finish()
    }
}

/// A request that passed the throttle.
#[derive(Clone, Debug)]
pub struct Passage(Passed);

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives for one request, on the stack; boxing would allocate")]
enum Passed {
    Charged(Report),
    Bypassed(ThrottleBypass),
}

impl Passage {
    /// The response headers that tell the client of its quotas. A bypass has none.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        match &self.0 {
            Passed::Charged(report) => report.headers(),
            Passed::Bypassed(_) => Vec::new(),
        }
    }

    /// Cells that would pass at once after this request; `None` for a bypass.
    pub fn remaining(&self) -> Option<u32> {
        match &self.0 {
            Passed::Charged(report) => report.answers.iter().map(|decision| decision.remaining()).min(),
            Passed::Bypassed(_) => None,
        }
    }

    /// Why the throttle was bypassed, if it was.
    pub fn bypass_reason(&self) -> Option<&str> {
        match &self.0 {
            Passed::Charged(_) => None,
            Passed::Bypassed(bypass) => Some(bypass.reason()),
        }
    }
}

/// Why a request did not pass the throttle. Nothing was charged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Throttled {
    /// 429: the quota is spent for now.
    #[error("{0}")]
    QuotaExceeded(Box<Exceeded>),
    /// 422: the cost is more than the quota's burst, so it can never pass at once.
    #[error("the request costs {cost} cells, and no more than {burst} can ever pass at once")]
    CostExceedsBurst {
        /// What was asked for.
        cost: u32,
        /// The least burst among the scope's quotas.
        burst: u32,
    },
    /// 403: the plan has no quota for the scope, so it does not include it.
    #[error("the plan does not include {0}")]
    QuotaMissing(ThrottleScope),
    /// 403: the access that the gate granted has run out.
    #[error("the access that was granted has run out")]
    AccessExpired,
    /// 503: no room for a new key, and none that is held has drained.
    #[error("too many callers are being tracked at once")]
    Full,
}

impl Explained for Throttled {
    fn code(&self) -> Code {
        match self {
            Self::QuotaExceeded(_) => Code::QuotaExceeded,
            Self::CostExceedsBurst { .. } => Code::CostExceedsBurst,
            Self::QuotaMissing(_) => Code::QuotaMissing,
            Self::AccessExpired => Code::AccessExpired,
            Self::Full => Code::ThrottleFull,
        }
    }

    fn decorate(&self, problem: Problem) -> Problem {
        match self {
            Self::QuotaExceeded(exceeded) => {
                let problem = exceeded.0.violated().fold(problem, Problem::with_violated_policy);
                exceeded.headers().into_iter().fold(problem, |problem, (name, value)| problem.with_header(name, value))
            }
            _ => problem,
        }
    }
}

/// A quota that is spent for now: until when, and what to tell the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded(Report);

impl Exceeded {
    /// The scope whose quota is spent.
    pub fn scope(&self) -> ThrottleScope {
        self.0.scope
    }

    /// The earliest instant at which the same request passes if no others come between.
    pub fn retry_at(&self) -> DateTime<Utc> {
        self.0.answers.retry_at().unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Seconds until then, rounded up.
    pub fn retry_after_seconds(&self) -> u64 {
        self.0.answers.retry_after_seconds().unwrap_or_default()
    }

    /// The names of the quota policies that refused, as the headers have them.
    pub fn violated_policies(&self) -> impl Iterator<Item = String> {
        self.0.violated()
    }

    /// The response headers: those that tell of the quotas, and `Retry-After`.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.0.headers()
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.retry_after_seconds();
        let plural = if seconds == 1 { "" } else { "s" };
        write!(f, "the quota for {} is spent; try again in {seconds} second{plural}", self.scope())
    }
}
