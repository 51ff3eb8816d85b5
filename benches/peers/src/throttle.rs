//! The throttle's question, put to governor: may one more request of this account or address pass
//! now?

use std::net::Ipv4Addr;
use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::right::Privileges;
use bailiwick::throttle::{ThrottleCapacity, ThrottleKey, ThrottleSubject};
use bailiwick::{
    Access, Account, Credits, Money, Plan, Principal, Quota, Tenant, Throttle, throttle_scope,
    validate_account_and_plan,
};
use chrono::{DateTime, Utc};
use governor::RateLimiter;
use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;

/// What is throttled.
pub const AI: ThrottleScope = throttle_scope!("ai");

/// A request a nanosecond, and a thousand million at once: nothing is ever refused.
pub fn generous() -> Quota {
    Quota::new(1_000_000_000, 1).unwrap()
}

/// The same with a second quota beside it, by the day.
pub fn generous_twice() -> QuotaSet {
    QuotaSet::try_from(vec![generous(), Quota::new(4_000_000_000, 86_400).unwrap()]).unwrap()
}

/// The instant at which everything with a ready `now` happens.
pub const START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

/// The time by the machine's clock: what a host takes once for each request.
#[inline]
#[expect(
    clippy::disallowed_methods,
    reason = "the library takes the time as a parameter; this is the host"
)]
pub fn clock() -> DateTime<Utc> {
    Utc::now()
}

/// Walks over all keys in an order that is neither that of their insertion nor one that a cache
/// foresees.
pub struct Walk {
    state: u32,
    keys: u32,
}

impl Walk {
    pub fn over(keys: u32) -> Self {
        Self { state: 0, keys }
    }

    pub fn step(&mut self) -> u32 {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.state >> 8) % self.keys
    }
}

/// A request as a handler has it when it asks the throttle: whose it is, and what the gate made of
/// it.
pub struct Asking {
    pub id: u32,
    pub access: Access,
}

/// Makes requests of accounts that are all on one plan.
pub struct Gate(Arc<Plan>);

impl Gate {
    pub fn new(quotas: &QuotaSet) -> Self {
        Self(Arc::new(Plan {
            id: 1.into(),
            active: true,
            price: Money::new(49.into(), Currency::EUR).unwrap(),
            interval: Interval::MONTHLY,
            credits: Credits::ZERO,
            credits_every: Interval::MONTHLY,
            trial_credits: None,
            needs_subscription: false,
            // Three scopes, since a plan seldom has one.
            quotas: [throttle_scope!("api"), AI, throttle_scope!("export")]
                .map(|scope| (scope, quotas.clone()))
                .into(),
            concurrency: Default::default(),
        }))
    }

    /// An account's request, through the gate.
    pub fn asking(&self, id: u32) -> Asking {
        let account = Account {
            id: i64::from(id).into(),
            status: AccountStatus::Active,
            payment_method: PaymentMethod::BankTransfer,
            version: 1,
            privileges: Privileges::NONE,
            registered_at: None,
        };
        let tenant = Tenant {
            account,
            plan: Some(self.0.clone()),
            next_plan: None,
            subscription: None,
            sites: [].into(),
        };
        let principal = Principal::session(1.into()).of_account(tenant.account.id.clone());
        Asking {
            id,
            access: validate_account_and_plan(&principal, Some(&tenant), START).unwrap(),
        }
    }
}

/// bailiwick's throttle, with room for twice the keys it is to hold, as its documentation advises.
pub struct Ours {
    throttle: Throttle,
    quotas: QuotaSet,
}

impl Ours {
    pub fn new(keys: u32, quotas: impl Into<QuotaSet>) -> Self {
        let most = keys.checked_mul(2).unwrap();
        Self {
            throttle: Throttle::new(ThrottleCapacity {
                accounts: most,
                addresses: most,
            }),
            quotas: quotas.into(),
        }
    }

    /// By address.
    #[inline]
    pub fn address(&self, id: u32, now: DateTime<Utc>) -> bool {
        self.throttle
            .check_address(Ipv4Addr::from_bits(id).into(), AI, &self.quotas, now)
            .is_ok()
    }

    /// By account, as the access says, under its plan.
    #[inline]
    pub fn account(&self, asking: &Asking, now: DateTime<Utc>) -> bool {
        self.throttle.check(&asking.access, AI, now).is_ok()
    }

    /// By account, whose key is made from its number.
    #[inline]
    pub fn key(&self, id: u32, now: DateTime<Utc>) -> bool {
        let key = ThrottleKey::derive(AI, ThrottleSubject::Account(&i64::from(id).into()));
        self.throttle.check_key(&key, &self.quotas, 1, now).is_ok()
    }

    pub fn held(&self) -> usize {
        self.throttle.tracked_accounts() + self.throttle.tracked_addresses()
    }
}

/// governor's limiter in a concurrent map.
pub type Theirs<K, C> =
    RateLimiter<K, DashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// governor's limiter under the same quota, with a clock that stands until it is moved.
pub fn theirs<K: Clone + Eq + std::hash::Hash>(
    quota: &Quota,
    clock: FakeRelativeClock,
) -> Theirs<K, FakeRelativeClock> {
    RateLimiter::dashmap_with_clock(quota.into(), clock)
}

/// The key as text, as a host writes it that has one limiter for several uses.
#[inline]
pub fn text(id: u32) -> String {
    format!("throttle:{{{id}}}:ai")
}
