//! The throttle of many processes: texts that decide in a shared store, by the store's clock, with
//! their arguments and their answers.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::answers::Answers;
use super::gcra::{Asked, Limits, Outcome, SECOND, Verdict};
use super::headers::{HeaderDialect, Report};
use super::included;
use super::key::{ThrottleKey, ThrottleSubject};
use super::passage::{self, Passage};
use super::refusal::Throttled;
use crate::gate::Access;
use crate::problem::{Code, Explained, Problem};
use crate::quota::{QuotaSet, ThrottleScope};

/// The server's time in nanoseconds since the epoch. It is read where the statement runs, so after
/// a wait for a lock; `now()` would be the time at which the transaction began.
macro_rules! server_time {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000"
    };
}

/// One check of the throttle in a store that several processes share: Redis, or PostgreSQL.
///
/// This crate does no I/O. It provides the text that decides in the store, its arguments, and the
/// reader of its answer; the host's own client sends them. The decision is that of
/// [`gcra::decide_all`](crate::throttle::gcra::decide_all), and the answer is the same [`Passage`]
/// or [`Throttled`] that a [`Throttle`](crate::throttle::Throttle) gives. The store decides and
/// writes in one step, by its server's clock: the clocks of the processes do not matter.
///
/// - **Redis** from version 5, and other servers that speak its protocol and run its scripts:
///   `EVALSHA` or `EVAL` of [`REDIS_SCRIPT`](Self::REDIS_SCRIPT). A check touches one key; on Redis
///   Cluster all keys of one account share a hash tag. A key expires once it has drained. A key
///   that Redis loses otherwise, by eviction, restart or failover, starts again with a full burst.
/// - **PostgreSQL** from version 14: [`POSTGRES_SCHEMA`](Self::POSTGRES_SCHEMA) once, then
///   [`POSTGRES_STATEMENT`](Self::POSTGRES_STATEMENT) for each check. It locks the key's row, so
///   run it in a transaction of its own, as a client does that opens none. Delete drained rows from
///   time to time: [`POSTGRES_SWEEP`](Self::POSTGRES_SWEEP).
///
/// ```
/// use bailiwick::chrono::{DateTime, Utc};
/// use bailiwick::quota::ThrottleScope;
/// use bailiwick::throttle::gcra::Limits;
/// use bailiwick::throttle::{Passage, SharedCheck};
/// use bailiwick::{Access, Plan, Problem, throttle_scope};
///
/// const AI: ThrottleScope = throttle_scope!("ai");
///
/// /// The host's clients of Redis and PostgreSQL, and its plans.
/// trait Host {
///     fn eval(&self, script: &str, key: String, arguments: Vec<String>) -> Vec<i64>;
///     fn query(&self, statement: &str, key: String, asked: Vec<i64>) -> Vec<i64>;
///     fn plans(&self) -> &[Plan];
/// }
///
/// fn on_redis(host: &impl Host, access: &Access, now: DateTime<Utc>) -> Result<Passage, Problem> {
///     let limits = Limits::of_plans(host.plans(), AI);
///     let check = SharedCheck::new(access, AI, 1, limits, now)?;
///
///     let key = check.key().to_string();
///     let reply = host.eval(SharedCheck::REDIS_SCRIPT, key, check.redis_arguments());
///     Ok(check.read_redis(&reply)?)
/// }
///
/// fn on_sql(host: &impl Host, access: &Access, now: DateTime<Utc>) -> Result<Passage, Problem> {
///     let limits = Limits::of_plans(host.plans(), AI);
///     let check = SharedCheck::new(access, AI, 1, limits, now)?;
///
///     let (key, asked) = check.postgres_arguments();
///     let answer = host.query(SharedCheck::POSTGRES_STATEMENT, key, asked);
///     Ok(check.read_postgres(&answer)?)
/// }
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
    /// The script for Redis. `EVAL` it with one key, the text of [`key`](Self::key), and
    /// [`redis_arguments`](Self::redis_arguments). Its answer is an array of integers.
    pub const REDIS_SCRIPT: &str = include_str!("gcra.lua");

    /// The table and the function for PostgreSQL: several statements, to be run at least once; to
    /// run them again does no harm. They name no schema, so the search path decides where they go,
    /// and where the other two texts look for them.
    ///
    /// A crash loses no states, because the table is logged. If it does no harm that a crash
    /// refills every burst, `ALTER TABLE bailiwick_throttle SET UNLOGGED` makes checks cheaper.
    pub const POSTGRES_SCHEMA: &str = include_str!("gcra.sql");

    /// The statement for PostgreSQL. `$1` and `$2` are
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

    /// The statement that deletes drained rows, for PostgreSQL. It deletes ten thousand at most, so
    /// run it until it deletes fewer. It waits for no check, and no check waits for it for long.
    ///
    /// A row is deleted only once it has drained even on a clock that is behind by the skew of its
    /// [`Limits`].
    pub const POSTGRES_SWEEP: &str = concat!(
        "DELETE FROM bailiwick_throttle WHERE drained_at < statement_timestamp() AND key = ANY (ARRAY(",
        "SELECT key FROM bailiwick_throttle WHERE drained_at < statement_timestamp() ",
        "ORDER BY drained_at LIMIT 10000 FOR UPDATE SKIP LOCKED))"
    );

    /// Creates a check of so many cells against the account's quotas for a scope.
    ///
    /// No request is free: a cost of zero counts as one. Only the plan and the account decide.
    /// `limits` are those of the scope: [`Limits::of_plans`]. `now` only tells whether the access
    /// still holds.
    ///
    /// # Errors
    /// Refusals that are known without the store, in this order: [`Throttled::AccessExpired`],
    /// [`Throttled::QuotaMissing`], [`Throttled::CostExceedsBurst`].
    pub fn new(
        access: &Access,
        scope: ThrottleScope,
        cost: u32,
        limits: Limits,
        now: DateTime<Utc>,
    ) -> Result<Self, Throttled> {
        let quotas = included::quotas(access, scope, now)?;
        let key = ThrottleKey::derive(scope, ThrottleSubject::Account(access.account_id()));
        let check = Self::of_key(key, quotas, cost, limits);

        let burst = quotas.least_burst();
        if check.cost > burst {
            return Err(Throttled::CostExceedsBurst {
                cost: check.cost,
                burst,
            });
        }
        Ok(check)
    }

    /// Creates a check of any key: an address before a credential is known, one user, or one API
    /// key. If the cost is more than the burst, the store's answer says so.
    pub fn of_key(key: ThrottleKey, quotas: &QuotaSet, cost: u32, limits: Limits) -> Self {
        Self {
            key,
            quotas: quotas.clone(),
            cost: cost.max(1),
            limits,
            dialect: HeaderDialect::default(),
        }
    }

    /// Sets the headers.
    pub fn with_dialect(self, dialect: HeaderDialect) -> Self {
        Self { dialect, ..self }
    }

    /// Returns the key that is charged. Its text is the key in the store.
    pub fn key(&self) -> &ThrottleKey {
        &self.key
    }

    /// Returns the arguments of [`REDIS_SCRIPT`](Self::REDIS_SCRIPT), which come after the key.
    pub fn redis_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            // The time is the server's; only a test puts one here.
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

    /// Returns the arguments of [`POSTGRES_STATEMENT`](Self::POSTGRES_STATEMENT): `$1`, a `text`,
    /// and `$2`, a `bigint[]`.
    pub fn postgres_arguments(&self) -> (String, Vec<i64>) {
        let mut asked = vec![i64::from(self.cost), self.limits.max_skew()];

        for own in self.asked() {
            asked.extend([
                own.period.into(),
                own.burst.into(),
                own.interval,
                own.window,
                own.charge,
                own.greatest_burst.into(),
                own.longest,
            ]);
        }
        (self.key.to_string(), asked)
    }

    /// Reads the answer of [`REDIS_SCRIPT`](Self::REDIS_SCRIPT).
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

    /// Reads the answer of [`POSTGRES_STATEMENT`](Self::POSTGRES_STATEMENT).
    ///
    /// # Errors
    /// As for [`read_redis`](Self::read_redis).
    pub fn read_postgres(&self, answer: &[i64]) -> Result<Passage, SharedError> {
        let [now, verdict, backlogs @ ..] = answer else {
            return Err(SharedError::Malformed);
        };
        self.read(*now, *verdict, backlogs)
    }

    fn read(&self, now: i64, verdict: i64, backlogs: &[i64]) -> Result<Passage, SharedError> {
        // The numbers of the texts that decide there.
        let verdict = match verdict {
            0 => Verdict::Allowed,
            1 => Verdict::Exceeded,
            2 => Verdict::CostExceedsBurst,
            _ => return Err(SharedError::Malformed),
        };
        if !self.is_sound(now, verdict, backlogs) {
            return Err(SharedError::Malformed);
        }

        let outcome = Outcome {
            now,
            cost: self.cost,
            verdict,
            must_store: false,
        };
        let report = Report {
            scope: self.key.scope(),
            dialect: self.dialect,
            answers: Answers::of_store(outcome, self.quotas.as_slice(), backlogs),
        };
        Ok(passage::explain(report, None, &self.quotas, self.cost)?)
    }

    /// Returns whether an answer can be one to this check: a backlog for each quota, and a verdict
    /// that the backlogs explain.
    fn is_sound(&self, now: i64, verdict: Verdict, backlogs: &[i64]) -> bool {
        let quotas = self.quotas.as_slice();
        if backlogs.len() != quotas.len() || backlogs.iter().any(|backlog| *backlog < 0) {
            return false;
        }

        // Cells that were charged are in the backlogs already, so no quota may refuse any more.
        let cost = if verdict == Verdict::Allowed {
            0
        } else {
            self.cost
        };
        let is_refused = quotas
            .iter()
            .zip(backlogs)
            .map(|(quota, backlog)| Asked::again(quota, *backlog, now, cost).verdict())
            .any(|own| own != Verdict::Allowed);

        let exceeds_burst = self.cost > self.quotas.least_burst();
        exceeds_burst == (verdict == Verdict::CostExceedsBurst)
            && is_refused == (verdict != Verdict::Allowed)
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

/// The arguments that tell a store of one quota; spans in nanoseconds.
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

/// Writes nanoseconds as whole seconds and nine decimals.
fn decimal(nanos: i64) -> String {
    format!(
        "{}.{:09}",
        nanos.div_euclid(SECOND),
        nanos.rem_euclid(SECOND)
    )
}

/// Joins whole seconds and the nanoseconds after them. `None` if they are not of that form.
fn joined(seconds: i64, nanos: i64) -> Option<i64> {
    let is_below_a_second = (0..SECOND).contains(&nanos);
    seconds
        .checked_mul(SECOND)?
        .checked_add(nanos)
        .filter(|_| is_below_a_second)
}

/// A reason for which a check in a shared store did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The throttle refused; nothing was charged.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// 500: the answer cannot be one to this check. The host passed the arguments or the answer of
    /// another check, or its store runs another version of the text.
    #[error("the shared store's answer does not fit this check of the throttle")]
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
