//! The throttle of many processes: texts that decide in a shared store, by the store's clock, and
//! what they are asked and answer.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::gcra::Answers;
use super::gcra::{Asked, Limits, SECOND, Verdict};
use super::headers::Report;
use super::key::{ThrottleKey, ThrottleSubject};
use super::{HeaderDialect, Passage, Throttled, passage, quotas};
use crate::gate::Access;
use crate::problem::{Code, Explained, Problem};
use crate::quota::{Quota, QuotaSet, ThrottleScope};

/// The server's time in nanoseconds since the epoch. It is read where the statement runs, so after
/// a wait for a lock; `now()` would be the time at which the transaction began.
macro_rules! server_time {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000"
    };
}

/// One check of the throttle against a store that several processes share: Redis, or PostgreSQL.
///
/// This crate does no I/O. It brings the text that decides there, what to pass to it, and the
/// reader of its answer; the host's own client sends them. The decision is that of
/// [`gcra::decide_all`](crate::throttle::gcra::decide_all), and the answer is the same [`Passage`]
/// or [`Throttled`] that a [`Throttle`](crate::throttle::Throttle) gives. It is made and written in
/// one step, by the clock of the server: the clocks of the processes do not matter.
///
/// - **Redis** from version 5, and what speaks its protocol and runs its scripts: `EVALSHA` or
///   `EVAL` of [`REDIS_SCRIPT`](Self::REDIS_SCRIPT). A check touches one key; on Redis Cluster all
///   keys of one account share a hash tag. A key expires once it has drained. Whatever else Redis
///   loses, by eviction, restart or failover, is refilled.
/// - **PostgreSQL** from version 14: [`POSTGRES_SCHEMA`](Self::POSTGRES_SCHEMA) once, then
///   [`POSTGRES_STATEMENT`](Self::POSTGRES_STATEMENT). It locks the key's row, so run it in a
///   transaction of its own, as a client does that opens none. Delete drained rows from time to
///   time: [`POSTGRES_SWEEP`](Self::POSTGRES_SWEEP).
///
/// ```
/// # use std::collections::BTreeMap;
/// # use std::sync::Arc;
/// # use bailiwick::{Account, Credits, Money, Plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::{Principal, Quota, Tenant, throttle_scope, validate_account_and_plan};
/// # use bailiwick::right::Privileges;
/// use bailiwick::{Access, Problem};
/// use bailiwick::quota::ThrottleScope;
/// use bailiwick::throttle::{Passage, SharedCheck};
/// use bailiwick::throttle::gcra::Limits;
/// # use chrono::{DateTime, Utc};
///
/// const AI: ThrottleScope = throttle_scope!("ai");
///
/// /// The host's plans, all of them: a state that none of them could have written is corrupt.
/// fn limits() -> Limits { Limits::default().with_largest_burst(2) }
///
/// /// What a host's clients of Redis and PostgreSQL can do.
/// trait Store {
///     fn eval(&self, script: &str, key: String, arguments: Vec<String>) -> Vec<i64>;
///     fn query(&self, statement: &str, key: String, asked: Vec<i64>) -> Vec<i64>;
/// }
///
/// fn on_redis(store: &impl Store, access: &Access, now: DateTime<Utc>) -> Result<Passage, Problem> {
///     let check = SharedCheck::new(access, AI, 1, limits(), now)?;
///     let reply = store.eval(SharedCheck::REDIS_SCRIPT, check.key().to_string(), check.redis_arguments());
///     Ok(check.read_redis(&reply)?)
/// }
///
/// fn on_postgres(store: &impl Store, access: &Access, now: DateTime<Utc>) -> Result<Passage, Problem> {
///     let check = SharedCheck::new(access, AI, 1, limits(), now)?;
///     let (key, asked) = check.postgres_arguments();
///     let answer = store.query(SharedCheck::POSTGRES_STATEMENT, key, asked);
///     Ok(check.read_postgres(&answer)?)
/// }
/// # struct Servers;
/// # impl Store for Servers {
/// #     fn eval(&self, _: &str, key: String, _: Vec<String>) -> Vec<i64> {
/// #         assert_eq!(key, "throttle:{7}:ai");
/// #         vec![1_767_225_600, 0, 0, 30, 0]
/// #     }
/// #     fn query(&self, _: &str, _: String, _: Vec<i64>) -> Vec<i64> {
/// #         vec![1_767_225_600_000_000_000, 1, 60_000_000_000]
/// #     }
/// # }
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
/// # let access = validate_account_and_plan(&principal, Some(&tenant), now)?; // the plan allows two a minute
/// # let (redis, postgres) = (Servers, Servers);
///
/// let passage = on_redis(&redis, &access, now)?; // the first of two a minute
/// assert!(passage.headers().contains(&("RateLimit", "\"ai\";r=1;t=30".to_owned())));
///
/// let problem = on_postgres(&postgres, &access, now).unwrap_err(); // the third
/// assert_eq!(problem.status(), 429);
/// assert!(problem.headers().contains(&("Retry-After", "30".to_owned())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SharedCheck {
    key: ThrottleKey,
    quotas: QuotaSet,
    cost: u32,
    limits: Limits,
    dialect: HeaderDialect,
}

impl SharedCheck {
    /// The script for Redis: `EVAL` it with one key, the text of [`key`](Self::key), and
    /// [`redis_arguments`](Self::redis_arguments). Its answer is an array of integers.
    pub const REDIS_SCRIPT: &str = include_str!("gcra.lua");

    /// The table and the function for PostgreSQL: several statements, to be run once and as often
    /// as one likes. They name no schema, so they go where the search path leads, and the other two
    /// texts look for them there.
    ///
    /// A crash loses no states, since the table is logged; where a refill by a crash does no harm,
    /// `ALTER TABLE bailiwick_throttle SET UNLOGGED` makes checks cheaper.
    pub const POSTGRES_SCHEMA: &str = include_str!("gcra.sql");

    /// The statement for PostgreSQL: `$1` and `$2` are
    /// [`postgres_arguments`](Self::postgres_arguments), and it returns one row of one column, an
    /// array of `bigint`.
    pub const POSTGRES_STATEMENT: &str = concat!(
        "INSERT INTO bailiwick_throttle AS held (key, states, answer, drained_at) ",
        "SELECT $1::text, fresh.states, fresh.answer, fresh.drained_at FROM bailiwick_gcra('{}', $2::bigint[], ",
        server_time!(),
        ") AS fresh ON CONFLICT (key) DO UPDATE SET (states, answer, drained_at) = ",
        "(SELECT next.states, next.answer, next.drained_at FROM bailiwick_gcra(held.states, $2::bigint[], ",
        server_time!(),
        ") AS next) RETURNING answer"
    );

    /// Deletes rows that have drained, for PostgreSQL: ten thousand at most, so run it until it
    /// deletes fewer. It waits for no check, and no check waits for long.
    ///
    /// A row goes only once it has drained on a clock too that is behind by the skew of its
    /// [`Limits`].
    pub const POSTGRES_SWEEP: &str = concat!(
        "DELETE FROM bailiwick_throttle WHERE drained_at < statement_timestamp() AND key = ANY (ARRAY(",
        "SELECT key FROM bailiwick_throttle WHERE drained_at < statement_timestamp() ",
        "ORDER BY drained_at LIMIT 10000 FOR UPDATE SKIP LOCKED))"
    );

    /// A check of so many cells against the account's quotas for a scope. No request is free: a
    /// cost of zero counts as one. The plan and the account decide, nothing else. `now` only tells
    /// whether the access still holds.
    ///
    /// # Errors
    /// What needs no store to be known, in this order: [`Throttled::AccessExpired`],
    /// [`Throttled::QuotaMissing`], [`Throttled::CostExceedsBurst`].
    ///
    /// `limits` are those of the scope: [`Limits::of_plans`].
    pub fn new(
        access: &Access,
        scope: ThrottleScope,
        cost: u32,
        limits: Limits,
        now: DateTime<Utc>,
    ) -> Result<Self, Throttled> {
        let quotas = quotas(access, scope, now)?;
        let key = ThrottleKey::derive(scope, ThrottleSubject::Account(access.account_id()));
        let check = Self::of_key(key, quotas, cost, limits);
        match check.least_burst() {
            burst if check.cost > burst => Err(Throttled::CostExceedsBurst {
                cost: check.cost,
                burst,
            }),
            _ => Ok(check),
        }
    }

    /// A check of any key: of an address before a credential is known, of one user, of one API key.
    /// Where the cost is more than the burst, the store answers so.
    pub fn of_key(key: ThrottleKey, quotas: &QuotaSet, cost: u32, limits: Limits) -> Self {
        Self {
            key,
            quotas: quotas.clone(),
            cost: cost.max(1),
            limits,
            dialect: HeaderDialect::default(),
        }
    }

    /// The same check with other headers.
    pub fn with_dialect(self, dialect: HeaderDialect) -> Self {
        Self { dialect, ..self }
    }

    /// The key that is charged. Its text is the key in the store.
    pub fn key(&self) -> &ThrottleKey {
        &self.key
    }

    /// What [`REDIS_SCRIPT`](Self::REDIS_SCRIPT) is called with, after the key.
    pub fn redis_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            String::new(),
            self.cost.to_string(),
            decimal(self.limits.max_skew()),
        ];
        for asked in self.asked() {
            arguments.extend([
                asked.period.to_string(),
                asked.burst.to_string(),
                decimal(asked.interval),
                decimal(asked.window),
                decimal(asked.charge),
                asked.greatest_burst.to_string(),
                decimal(asked.longest),
            ]);
        }
        arguments
    }

    /// What [`POSTGRES_STATEMENT`](Self::POSTGRES_STATEMENT) is called with: `$1`, a `text`, and
    /// `$2`, a `bigint[]`.
    pub fn postgres_arguments(&self) -> (String, Vec<i64>) {
        let mut asked = vec![i64::from(self.cost), self.limits.max_skew()];
        for own in self.asked() {
            let (period, burst, greatest) = (
                own.period.into(),
                own.burst.into(),
                own.greatest_burst.into(),
            );
            asked.extend([
                period,
                burst,
                own.interval,
                own.window,
                own.charge,
                greatest,
                own.longest,
            ]);
        }
        (self.key.to_string(), asked)
    }

    /// Reads what [`REDIS_SCRIPT`](Self::REDIS_SCRIPT) answered.
    ///
    /// # Errors
    /// [`SharedError::Throttled`] with [`Throttled::QuotaExceeded`] or
    /// [`Throttled::CostExceedsBurst`], and [`SharedError::Malformed`].
    pub fn read_redis(&self, reply: &[i64]) -> Result<Passage, SharedError> {
        let [seconds, nanos, verdict, backlogs @ ..] = reply else {
            return Err(SharedError::Malformed);
        };
        let (pairs, rest) = backlogs.as_chunks::<2>();
        let backlogs = pairs
            .iter()
            .map(|[seconds, nanos]| joined(*seconds, *nanos))
            .collect::<Option<Vec<i64>>>();
        match (joined(*seconds, *nanos), backlogs) {
            (Some(now), Some(backlogs)) if rest.is_empty() => self.read(now, *verdict, &backlogs),
            _ => Err(SharedError::Malformed),
        }
    }

    /// Reads what [`POSTGRES_STATEMENT`](Self::POSTGRES_STATEMENT) returned. Errors as for
    /// [`read_redis`](Self::read_redis).
    pub fn read_postgres(&self, answer: &[i64]) -> Result<Passage, SharedError> {
        let [now, verdict, backlogs @ ..] = answer else {
            return Err(SharedError::Malformed);
        };
        self.read(*now, *verdict, backlogs)
    }

    fn read(&self, now: i64, verdict: i64, backlogs: &[i64]) -> Result<Passage, SharedError> {
        let verdict = match verdict {
            0 => Verdict::Allowed,
            1 => Verdict::Exceeded,
            2 => Verdict::CostExceedsBurst,
            _ => return Err(SharedError::Malformed),
        };
        let quotas = self.quotas.as_slice();
        // What was charged is in the backlogs already, and then there is nothing that could refuse.
        let cost = if verdict == Verdict::Allowed {
            0
        } else {
            self.cost
        };
        let mut told = quotas
            .iter()
            .zip(backlogs)
            .map(|(quota, backlog)| Asked::again(quota, *backlog, now, cost).verdict());
        let is_refused = told.any(|own| own != Verdict::Allowed);
        let is_sound = backlogs.len() == quotas.len()
            && backlogs.iter().all(|backlog| *backlog >= 0)
            && (self.cost > self.least_burst()) == (verdict == Verdict::CostExceedsBurst)
            && is_refused == (verdict != Verdict::Allowed);
        if !is_sound {
            return Err(SharedError::Malformed);
        }
        let answers = Answers::of_store(now, self.cost, verdict, quotas, backlogs);
        let report = Report {
            scope: self.key.scope(),
            dialect: self.dialect,
            answers,
        };
        Ok(passage::explain(report, None, &self.quotas, self.cost)?)
    }

    fn least_burst(&self) -> u32 {
        self.quotas
            .as_slice()
            .iter()
            .map(Quota::burst)
            .min()
            .unwrap_or_default()
    }

    fn asked(&self) -> impl Iterator<Item = AskedOfStore> {
        self.quotas.as_slice().iter().map(|quota| AskedOfStore {
            period: quota.seconds(),
            burst: quota.burst(),
            interval: quota.interval_nanos(),
            window: quota.window_nanos(),
            charge: quota.interval_nanos().saturating_mul(self.cost.into()),
            greatest_burst: self
                .limits
                .greatest_burst(quota.burst())
                .unwrap_or_default(),
            longest: self
                .limits
                .longest_backlog(quota.burst(), quota.interval_nanos()),
        })
    }
}

/// What a store is told of one quota; spans in nanoseconds.
struct AskedOfStore {
    period: u32,
    burst: u32,
    interval: i64,
    window: i64,
    charge: i64,
    /// Zero if it is not known.
    greatest_burst: u32,
    longest: i64,
}

/// Nanoseconds as whole seconds and nine decimals.
fn decimal(nanos: i64) -> String {
    format!(
        "{}.{:09}",
        nanos.div_euclid(SECOND),
        nanos.rem_euclid(SECOND)
    )
}

/// Whole seconds, and the nanoseconds after them.
fn joined(seconds: i64, nanos: i64) -> Option<i64> {
    let is_below_a_second = (0..SECOND).contains(&nanos);
    seconds
        .checked_mul(SECOND)?
        .checked_add(nanos)
        .filter(|_| is_below_a_second)
}

/// Why a check against a shared store did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The throttle refused; nothing was charged.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// 500: this is not an answer to this check. The host passed another check's arguments or
    /// answer, or its store runs another version of the text.
    #[error("the shared store's answer is not one to this check of the throttle")]
    Malformed,
}

impl Explained for SharedError {
    fn code(&self) -> Code {
        match self {
            Self::Throttled(throttled) => throttled.code(),
            Self::Malformed => Code::Internal,
        }
    }

    fn decorate(&self, problem: Problem) -> Problem {
        match self {
            Self::Throttled(throttled) => throttled.decorate(problem),
            Self::Malformed => problem,
        }
    }
}
