//! The throttle in shared stores, on real servers: the same decisions as the pure function's, and
//! its invariants.
#![allow(clippy::disallowed_methods, reason = "the servers go by the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::servers::{Postgres, Redis};
use bailiwick::account::AccountStatus;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::quota::{QuotaSet, ThrottleScope};
use bailiwick::right::Privileges;
use bailiwick::throttle::gcra::{self, Decisions, GcraState, GcraStates, Limits, Verdict};
use bailiwick::throttle::{
    HeaderDialect, Passage, SharedCheck, SharedError, ThrottleCapacity, ThrottleKey,
    ThrottleSubject, Throttled,
};
use bailiwick::{
    Access, Account, AccountId, Code, Credits, Money, Plan, Principal, Problem, Quota, Tenant,
    Throttle, throttle_scope, validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, Row};
use tokio::runtime::{self, Runtime};

const AI: ThrottleScope = throttle_scope!("ai");
const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600 * SECOND;
/// What the pure function takes times within.
const LATEST: i64 = i64::MAX - 1_600 * DAY;
const EARLIEST: i64 = i64::MIN + 1_600 * DAY;

fn at(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

fn quota(cells: u32, seconds: u32) -> Quota {
    Quota::new(cells, seconds).unwrap()
}

fn set(quotas: &[Quota]) -> QuotaSet {
    quotas.to_vec().try_into().unwrap()
}

fn key(account: i64) -> ThrottleKey {
    ThrottleKey::derive(AI, ThrottleSubject::Account(&AccountId::from(account)))
}

fn access(account: i64, quotas: &QuotaSet, now: DateTime<Utc>) -> Access {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new("49".parse().unwrap(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::ZERO,
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: false,
        quotas: [(AI, quotas.clone())].into(),
        concurrency: Default::default(),
    };
    let account = Account {
        id: account.into(),
        status: AccountStatus::Active,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: Privileges::NONE,
        registered_at: None,
    };
    let principal = Principal::session(1.into()).of_account(account.id.clone());
    let tenant = Tenant {
        account,
        plan: Some(Arc::new(plan)),
        next_plan: None,
        subscription: None,
        sites: [].into(),
    };
    validate_account_and_plan(&principal, Some(&tenant), now).unwrap()
}

// The servers, as a host's clients reach them.

enum Server {
    Redis(Redis),
    Postgres(Postgres),
}

fn servers() -> Vec<Server> {
    [
        Redis::start().map(Server::Redis),
        Postgres::start().map(Server::Postgres),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a check was answered, as it came.
struct Answered(Vec<i64>);

trait Store {
    fn ask(&mut self, check: &SharedCheck) -> Answered;
    fn read(&self, check: &SharedCheck, answered: &Answered) -> Result<Passage, SharedError>;
    /// The server's time in an answer.
    fn time(&self, answered: &Answered) -> i64;

    fn check(&mut self, check: &SharedCheck) -> Result<Passage, SharedError> {
        let answered = self.ask(check);
        self.read(check, &answered)
    }
}

struct OnRedis {
    connection: redis::Connection,
    script: String,
}

struct OnPostgres {
    runtime: Runtime,
    connection: PgConnection,
}

impl OnRedis {
    fn connect(server: &Redis) -> Self {
        let mut connection = redis::Client::open(server.url())
            .unwrap()
            .get_connection()
            .unwrap();
        let mut load = redis::cmd("SCRIPT");
        let script = load
            .arg("LOAD")
            .arg(SharedCheck::REDIS_SCRIPT)
            .query(&mut connection)
            .unwrap();
        Self { connection, script }
    }

    fn evalsha(&self, check: &SharedCheck, arguments: &[String]) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&self.script)
            .arg(1)
            .arg(check.key().to_string())
            .arg(arguments);
        command
    }
}

impl OnPostgres {
    fn connect(server: &Postgres) -> Self {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut connection = runtime
            .block_on(PgConnection::connect(&server.url()))
            .unwrap();
        runtime
            .block_on(sqlx::raw_sql(SharedCheck::POSTGRES_SCHEMA).execute(&mut connection))
            .unwrap();
        Self {
            runtime,
            connection,
        }
    }

    fn execute(&mut self, statement: &'static str) -> u64 {
        self.runtime
            .block_on(sqlx::query(statement).execute(&mut self.connection))
            .unwrap()
            .rows_affected()
    }
}

impl Store for OnRedis {
    fn ask(&mut self, check: &SharedCheck) -> Answered {
        let command = self.evalsha(check, &check.redis_arguments());
        Answered(command.query(&mut self.connection).unwrap())
    }

    fn read(&self, check: &SharedCheck, answered: &Answered) -> Result<Passage, SharedError> {
        check.read_redis(&answered.0)
    }

    fn time(&self, answered: &Answered) -> i64 {
        answered.0[0] * SECOND + answered.0[1]
    }
}

impl Store for OnPostgres {
    fn ask(&mut self, check: &SharedCheck) -> Answered {
        let (key, asked) = check.postgres_arguments();
        let query = sqlx::query_scalar(SharedCheck::POSTGRES_STATEMENT)
            .bind(key)
            .bind(asked);
        Answered(
            self.runtime
                .block_on(query.fetch_one(&mut self.connection))
                .unwrap(),
        )
    }

    fn read(&self, check: &SharedCheck, answered: &Answered) -> Result<Passage, SharedError> {
        check.read_postgres(&answered.0)
    }

    fn time(&self, answered: &Answered) -> i64 {
        answered.0[0]
    }
}

impl Server {
    fn connect(&self) -> Box<dyn Store> {
        match self {
            Self::Redis(server) => Box::new(OnRedis::connect(server)),
            Self::Postgres(server) => Box::new(OnPostgres::connect(server)),
        }
    }
}

fn is_exceeded(answer: &Result<Passage, SharedError>) -> bool {
    matches!(
        answer,
        Err(SharedError::Throttled(Throttled::QuotaExceeded(_)))
    )
}

// Random steps, decided by the pure function too.

/// Numbers without pattern, the same ones in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From zero to below the end.
    fn below(&mut self, end: i64) -> i64 {
        (self.next() % u64::try_from(end).unwrap())
            .try_into()
            .unwrap()
    }

    fn is(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(items.len().try_into().unwrap())).unwrap()]
    }

    /// Of any magnitude: as many small ones as large ones.
    fn span(&mut self) -> i64 {
        let bits = self.below(63);
        self.next().cast_signed() & ((1 << bits) - 1) | (1 << bits)
    }
}

/// Plans that share periods or not, with intervals from a nanosecond to a month, divisible and not.
fn plans() -> Vec<QuotaSet> {
    let of = |cells, seconds, burst| quota(cells, seconds).with_burst(burst).unwrap();
    vec![
        set(&[of(2, 1, 2)]),
        set(&[of(3, 1, 7)]),
        set(&[of(7, 60, 5)]),
        set(&[of(60, 60, 1)]),
        set(&[of(11, 60, 4000)]),
        set(&[of(1, 30 * 86_400, 13)]),
        set(&[of(1_000_000_000, 1, 5)]),
        set(&[of(999_999_999, 1, u32::MAX)]),
        set(&[of(1, 1, 34_560_000)]),
        set(&[of(2, 1, 2), of(3, 86_400, 3)]),
        set(&[of(5, 7, 3), of(60, 60, 20), of(1000, 86_400, 1000)]),
        set(&[
            of(10, 1, 10),
            of(100, 60, 50),
            of(7, 3600, 9),
            of(3, 86_400, 30),
        ]),
        set(&[
            of(13, 2, 10),
            of(17, 61, 50),
            of(7, 3600, 200),
            of(1, 30 * 86_400, 3),
        ]),
    ]
}

fn limits() -> Vec<Limits> {
    let none = Limits::default();
    let skewed = |skew| none.with_max_skew(TimeDelta::nanoseconds(skew));
    vec![
        none,
        skewed(0),
        skewed(0).with_largest_burst(1),
        none.with_largest_burst(30),
        skewed(17 * SECOND + 3).with_largest_burst(4000),
        skewed(400 * DAY).with_largest_burst(u32::MAX),
    ]
}

/// What a test puts into the store before a step.
#[derive(Clone, Debug)]
enum Injected {
    States(GcraStates),
    /// Of what no decision writes, one or another.
    Unreadable(usize),
}

#[derive(Clone, Debug)]
struct Step {
    account: i64,
    check: SharedCheck,
    quotas: QuotaSet,
    limits: Limits,
    cost: u32,
    injected: Option<Injected>,
}

/// Any states, most of them corrupt: of periods and intervals that a plan has or not.
fn any_states(random: &mut Random, now: i64, plans: &[QuotaSet]) -> GcraStates {
    let mut parts: Vec<(u32, GcraState)> = Vec::new();
    for _ in 0..=random.below(4) {
        let plan = random.pick(plans).as_slice();
        let (period, own) = (random.pick(plan).seconds(), *random.pick(plan));
        let interval = match random.below(8) {
            0 => *random.pick(&[0, -1, 1, i64::MIN, i64::MAX, 400 * DAY, 400 * DAY + 1]),
            1 | 2 => random.span(),
            _ => own.interval_nanos(),
        };
        let window = own.window_nanos();
        let arrival = match random.below(6) {
            0 => *random.pick(&[
                0,
                i64::MIN,
                i64::MAX,
                i64::MAX - 400 * DAY,
                now,
                now + 1,
                now - 1,
            ]),
            1 => now.saturating_add(random.span()),
            // On either side of what a burst explains.
            2 => now
                .saturating_add(window)
                .saturating_add(random.below(5) - 2),
            3 => now.saturating_add(own.interval_nanos().saturating_mul(1 + random.below(5000))),
            _ => now.saturating_add(random.below(window + 1)),
        };
        if parts.iter().all(|(other, _)| *other != period) {
            parts.push((period, GcraState::from_parts(arrival, interval)));
        }
    }
    GcraStates::from_parts(parts).unwrap()
}

fn any_step(random: &mut Random, now: i64, plans: &[QuotaSet], limits: &[Limits]) -> Step {
    let (account, quotas, limits) = (
        random.below(6),
        random.pick(plans).clone(),
        *random.pick(limits),
    );
    let burst = random.pick(quotas.as_slice()).burst();
    let few = u32::try_from(random.below(4)).unwrap();
    let cost = match random.below(20) {
        0 => burst,
        1 => burst.saturating_add(1),
        2 => burst - few.min(burst),
        3 => u32::MAX,
        _ => few,
    };
    let injected = match random.below(100) {
        0..6 => Some(Injected::States(any_states(random, now, plans))),
        6 => Some(Injected::Unreadable(random.below(1000).try_into().unwrap())),
        _ => None,
    };
    let check = SharedCheck::of_key(key(account), &quotas, cost, limits);
    Step {
        account,
        check,
        quotas,
        limits,
        cost: cost.max(1),
        injected,
    }
}

/// A clock that goes on in steps of any size, is set back, and now and then stands at an end of
/// time.
fn tick(random: &mut Random, clock: &mut i64) -> i64 {
    *clock += match random.below(12) {
        0 => -random.below(3 * SECOND),
        1 if random.is(20) => -random.below(DAY),
        2 => random.below(90 * SECOND),
        3 if random.is(20) => random.below(3 * DAY),
        4 => random.below(1000),
        5..8 => random.below(SECOND),
        _ => 0,
    };
    match random.below(300) {
        0 => LATEST,
        1 => EARLIEST,
        2 => -random.below(10),
        _ => *clock,
    }
}

fn sorted(states: &GcraStates) -> Vec<(u32, i64, i64)> {
    let mut parts: Vec<_> = states
        .iter()
        .map(|(period, own)| (period, own.tat_nanos(), own.interval_nanos()))
        .collect();
    parts.sort();
    parts
}

/// What one key holds, according to the pure function.
#[derive(Clone, Default)]
struct Model(Option<GcraStates>);

impl Model {
    fn decide(&mut self, step: &Step, now: i64) -> Decisions {
        match &step.injected {
            Some(Injected::States(states)) => self.0 = Some(*states),
            // It counts as states that are corrupt.
            Some(Injected::Unreadable(_)) => {
                let corrupt = step
                    .quotas
                    .as_slice()
                    .iter()
                    .map(|own| (own.seconds(), GcraState::from_parts(i64::MAX, 0)));
                self.0 = Some(GcraStates::from_parts(corrupt).unwrap());
            }
            None => {}
        }
        let decided = gcra::decide_all(
            &step.limits,
            &step.quotas,
            self.0.as_ref(),
            at(now),
            step.cost,
        );
        if decided.must_store() {
            self.0 = Some(*decided.states());
        }
        decided
    }

    fn sorted(&self) -> Vec<(u32, i64, i64)> {
        self.0.as_ref().map(sorted).unwrap_or_default()
    }
}

/// Whether the store and the reader of its answer say what the pure function says.
fn compare(
    step: &Step,
    now: i64,
    decided: &Decisions,
    verdict: i64,
    backlogs: &[i64],
    read: Result<Passage, SharedError>,
) {
    let verdicts = [
        Verdict::Allowed,
        Verdict::Exceeded,
        Verdict::CostExceedsBurst,
    ];
    assert_eq!(
        verdicts[usize::try_from(verdict).unwrap()],
        decided.verdict(),
        "{step:?} at {now}"
    );
    let expected: Vec<i128> = decided
        .iter()
        .map(|own| i128::from(own.state().tat_nanos()) - i128::from(now))
        .collect();
    let backlogs: Vec<i128> = backlogs.iter().copied().map(i128::from).collect();
    assert_eq!(backlogs, expected, "{step:?} at {now}");
    let remaining: Vec<u32> = decided.iter().map(|own| own.remaining()).collect();
    let told = |headers: Vec<(&str, String)>| -> Vec<u32> {
        let (_, limits) = headers
            .into_iter()
            .find(|(name, _)| *name == "RateLimit")
            .unwrap();
        let of = |item: &str| {
            item.split(";r=")
                .nth(1)
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        limits.split(',').map(of).collect()
    };
    match read {
        Ok(passage) => {
            assert!(decided.is_allowed(), "{step:?} at {now}");
            assert_eq!(told(passage.headers()), remaining, "{step:?} at {now}");
        }
        Err(SharedError::Throttled(Throttled::QuotaExceeded(exceeded))) => {
            assert_eq!(
                Some(exceeded.retry_at()),
                decided.retry_at(),
                "{step:?} at {now}"
            );
            assert_eq!(
                Some(exceeded.retry_after_seconds()),
                decided.retry_after_seconds(),
                "{step:?} at {now}"
            );
            assert_eq!(told(exceeded.headers()), remaining, "{step:?} at {now}");
            let refusing = decided
                .iter()
                .filter(|own| own.verdict() == Verdict::Exceeded)
                .count();
            assert_eq!(
                exceeded.violated_policies().count(),
                refusing,
                "{step:?} at {now}"
            );
        }
        Err(SharedError::Throttled(Throttled::CostExceedsBurst { cost, burst })) => {
            assert_eq!(
                decided.verdict(),
                Verdict::CostExceedsBurst,
                "{step:?} at {now}"
            );
            assert_eq!(cost, step.cost);
            assert_eq!(
                burst,
                step.quotas
                    .as_slice()
                    .iter()
                    .map(Quota::burst)
                    .min()
                    .unwrap()
            );
        }
        Err(error) => panic!("{error}: {step:?} at {now}"),
    }
}

/// How often each verdict was compared, and how often something was written after a refusal: that
/// no case was missed.
#[derive(Default)]
struct Tally([u32; 3], u32);

impl Tally {
    fn add(&mut self, decided: &Decisions) {
        match decided.verdict() {
            Verdict::Allowed => self.0[0] += 1,
            Verdict::Exceeded => self.0[1] += 1,
            Verdict::CostExceedsBurst => self.0[2] += 1,
        }
        self.1 += u32::from(decided.must_store() && !decided.is_allowed());
    }

    fn tell(&self, what: &str, start: Instant) {
        let (Self([allowed, exceeded, never], mended), time) = (self, start.elapsed());
        let total = allowed + exceeded + never;
        println!(
            "{what}: {total} steps compared in {time:.1?}: {allowed} allowed, {exceeded} exceeded, {never} more than \
             the burst; {mended} states put right in refusals"
        );
        for count in [allowed, exceeded, never, mended] {
            assert!(count * 100 >= total, "{what}: a case is hardly met");
        }
    }
}

/// Seconds and nine decimals, as the script reads and writes times.
fn decimal(nanos: i64) -> String {
    format!(
        "{}.{:09}",
        nanos.div_euclid(SECOND),
        nanos.rem_euclid(SECOND)
    )
}

fn undecimal(text: &str) -> i64 {
    let (seconds, nanos) = text.split_once('.').unwrap();
    let nanos: i128 =
        seconds.parse::<i128>().unwrap() * i128::from(SECOND) + nanos.parse::<i128>().unwrap();
    nanos.try_into().unwrap()
}

fn redis_text(states: &GcraStates) -> String {
    let parts = states.iter().map(|(period, own)| {
        format!(
            "{period}:{}:{}",
            decimal(own.tat_nanos()),
            decimal(own.interval_nanos())
        )
    });
    parts.collect::<Vec<String>>().join(" ")
}

fn redis_states(text: &str) -> Vec<(u32, i64, i64)> {
    let mut states: Vec<_> = text
        .split(' ')
        .map(|part| {
            let [period, tat, interval] =
                part.split(':').collect::<Vec<&str>>().try_into().unwrap();
            (period.parse().unwrap(), undecimal(tat), undecimal(interval))
        })
        .collect();
    states.sort();
    states
}

/// What is no text of the script's.
const UNREADABLE: [&str; 12] = [
    "",
    " ",
    "garbage",
    "60",
    "60:1.000000000",
    "0:1.000000000:1.000000000",
    "60:1.0:1.000000000",
    "60:1.000000000:nan",
    "60:99999999999.000000000:1.000000000",
    "60:1.000000000:1.000000000 60:1.000000000:1.000000000",
    "4294967296:1.000000000:1.000000000",
    "1:1.000000000:1.000000000 2:1.000000000:1.000000000 3:1.000000000:1.000000000 4:1.000000000:1.000000000 \
     5:1.000000000:1.000000000",
];

#[test]
fn t4_redis_decides_as_the_pure_function() {
    let Some(server) = Redis::start() else { return };
    let start = Instant::now();
    let (mut store, mut random, mut clock, mut tally) = (
        OnRedis::connect(&server),
        Random(1),
        START,
        Tally::default(),
    );
    let (plans, limits, mut models) = (plans(), limits(), vec![Model::default(); 6]);
    for _ in 0..400 {
        // Atomic, so that its time stands still and no key expires before it is made to persist.
        let mut pipe = redis::pipe();
        pipe.atomic();
        let steps: Vec<(Step, i64)> = (0..250)
            .map(|_| {
                let now = tick(&mut random, &mut clock);
                (any_step(&mut random, now, &plans, &limits), now)
            })
            .collect();
        for (step, now) in &steps {
            let key = step.check.key().to_string();
            match &step.injected {
                Some(Injected::States(states)) => {
                    pipe.cmd("SET").arg(&key).arg(redis_text(states)).ignore();
                }
                Some(Injected::Unreadable(which)) => {
                    match UNREADABLE.get(which % (UNREADABLE.len() + 1)) {
                        Some(text) => drop(pipe.cmd("SET").arg(&key).arg(text).ignore()),
                        // Of another type, which GET refuses to read.
                        None => drop(
                            pipe.cmd("DEL")
                                .arg(&key)
                                .ignore()
                                .cmd("RPUSH")
                                .arg(&key)
                                .arg("one")
                                .ignore(),
                        ),
                    }
                }
                None => {}
            }
            let mut arguments = step.check.redis_arguments();
            arguments[0] = decimal(*now);
            pipe.add_command(store.evalsha(&step.check, &arguments));
            pipe.cmd("PTTL")
                .arg(&key)
                .cmd("PERSIST")
                .arg(&key)
                .ignore()
                .cmd("GET")
                .arg(&key);
        }
        let replies: Vec<redis::Value> = pipe.query(&mut store.connection).unwrap();
        assert_eq!(replies.len(), 3 * steps.len());
        for ((step, now), reply) in steps.iter().zip(replies.chunks(3)) {
            let model = &mut models[usize::try_from(step.account).unwrap()];
            let decided = model.decide(step, *now);
            let answer: Vec<i64> = redis::from_redis_value(reply[0].clone()).unwrap();
            assert_eq!(answer[0] * SECOND + answer[1], *now);
            let backlogs: Vec<i64> = answer[3..]
                .chunks(2)
                .map(|pair| {
                    (i128::from(pair[0]) * 1_000_000_000 + i128::from(pair[1]))
                        .try_into()
                        .unwrap()
                })
                .collect();
            compare(
                step,
                *now,
                &decided,
                answer[2],
                &backlogs,
                step.check.read_redis(&answer),
            );
            let stored: Option<String> = redis::from_redis_value(reply[2].clone()).unwrap();
            let stored = stored.map(|text| redis_states(&text)).unwrap_or_default();
            assert_eq!(stored, model.sorted(), "{step:?} at {now}");
            if decided.must_store() {
                let ttl: i64 = redis::from_redis_value(reply[1].clone()).unwrap();
                let last = stored
                    .iter()
                    .map(|(_, tat, _)| i128::from(*tat))
                    .max()
                    .unwrap();
                let skew = i128::from(skew_of(step.limits));
                let life = (last - i128::from(*now)).clamp(0, i64::MAX.into()) + skew;
                let millis = i64::try_from((life.min(i64::MAX.into()) + 999_999) / 1_000_000)
                    .unwrap()
                    .max(1);
                assert!(
                    (millis - 5000..=millis).contains(&ttl),
                    "{ttl} is not {millis}: {step:?} at {now}"
                );
            }
            tally.add(&decided);
        }
    }
    tally.tell("Redis", start);
}

/// The skew of limits, which do not tell it.
fn skew_of(limits: Limits) -> i64 {
    let skews = [0, SECOND, 17 * SECOND + 3, 400 * DAY];
    let has = |skew: &&i64| limits.with_max_skew(TimeDelta::nanoseconds(**skew)) == limits;
    *skews.iter().find(has).unwrap()
}

fn postgres_states(states: &GcraStates) -> Vec<i64> {
    states
        .iter()
        .flat_map(|(period, own)| [period.into(), own.tat_nanos(), own.interval_nanos()])
        .collect()
}

fn read_back(states: &[i64]) -> Vec<(u32, i64, i64)> {
    let mut parts: Vec<_> = states
        .chunks(3)
        .map(|part| (part[0].try_into().unwrap(), part[1], part[2]))
        .collect();
    parts.sort();
    parts
}

/// What is no array of the function's.
const UNREADABLE_ARRAYS: [&str; 9] = [
    "{1}",
    "{NULL}",
    "{60,1}",
    "{0,1,1}",
    "{60,NULL,1}",
    "{NULL,1,1}",
    "{60,1,1,60,1,1}",
    "{4294967296,1,1}",
    "{1,1,1,2,1,1,3,1,1,4,1,1,5,1,1}",
];

#[test]
fn t4_postgres_decides_as_the_pure_function() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let start = Instant::now();
    let (mut store, mut random, mut clock, mut tally) = (
        OnPostgres::connect(&server),
        Random(2),
        START,
        Tally::default(),
    );
    let (plans, limits, mut models) = (plans(), limits(), vec![Model::default(); 6]);
    for _ in 0..200 {
        let mut steps = Vec::new();
        let (mut stored, mut asked, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..250 {
            let now = tick(&mut random, &mut clock);
            let step = any_step(&mut random, now, &plans, &limits);
            let model = &mut models[usize::try_from(step.account).unwrap()];
            stored.push(match &step.injected {
                Some(Injected::States(states)) => array(&postgres_states(states)),
                Some(Injected::Unreadable(which)) => {
                    UNREADABLE_ARRAYS[which % UNREADABLE_ARRAYS.len()].to_owned()
                }
                None => array(&model.0.as_ref().map(postgres_states).unwrap_or_default()),
            });
            asked.push(array(&step.check.postgres_arguments().1));
            times.push(now);
            let decided = model.decide(&step, now);
            steps.push((step, now, decided, model.sorted()));
        }
        let query = sqlx::query(
            "SELECT d.answer, d.states, d.drained_at \
             FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS u (stored, asked, now, place), \
             bailiwick_gcra(u.stored::bigint[], u.asked::bigint[], u.now) AS d ORDER BY u.place",
        );
        let query = query.bind(stored).bind(asked).bind(times);
        let rows = store
            .runtime
            .block_on(query.fetch_all(&mut store.connection))
            .unwrap();
        assert_eq!(rows.len(), steps.len());
        for ((step, now, decided, expected), row) in steps.iter().zip(rows) {
            let (answer, states): (Vec<i64>, Vec<i64>) = (row.get(0), row.get(1));
            assert_eq!(answer[0], *now);
            compare(
                step,
                *now,
                decided,
                answer[1],
                &answer[2..],
                step.check.read_postgres(&answer),
            );
            assert_eq!(read_back(&states), *expected, "{step:?} at {now}");
            let last = expected
                .iter()
                .map(|(_, tat, _)| *tat)
                .max()
                .unwrap_or(i64::MIN)
                .max(*now);
            let drained = i128::from(last) + i128::from(skew_of(step.limits));
            let told = i128::from(row.get::<DateTime<Utc>, _>(2).timestamp()) * 1_000_000_000;
            assert!(
                (drained..drained + 60_000_000_000).contains(&told),
                "{step:?} at {now}"
            );
            tally.add(decided);
        }
    }
    tally.tell("PostgreSQL's function", start);
}

fn array(numbers: &[i64]) -> String {
    format!(
        "{{{}}}",
        numbers
            .iter()
            .map(i64::to_string)
            .collect::<Vec<String>>()
            .join(",")
    )
}

/// The statement itself, by the server's time: what it answers names that time, so the pure
/// function can be asked.
#[test]
fn t4_the_statement_decides_as_the_pure_function() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let start = Instant::now();
    let (mut store, mut random, mut tally) =
        (OnPostgres::connect(&server), Random(3), Tally::default());
    let (plans, limits, mut models) = (plans(), limits(), vec![Model::default(); 6]);
    let mut before = 0;
    for _ in 0..5000 {
        let step = any_step(
            &mut random,
            Utc::now().timestamp_nanos_opt().unwrap(),
            &plans,
            &limits,
        );
        let key = step.check.key().to_string();
        let array = match &step.injected {
            Some(Injected::States(states)) => Some(array(&postgres_states(states))),
            Some(Injected::Unreadable(which)) => {
                Some(UNREADABLE_ARRAYS[which % UNREADABLE_ARRAYS.len()].to_owned())
            }
            None => None,
        };
        if let Some(array) = array {
            let query = sqlx::query(
                "INSERT INTO bailiwick_throttle VALUES ($1, $2::text::bigint[], '{}', now()) \
                 ON CONFLICT (key) DO UPDATE SET states = EXCLUDED.states",
            );
            store
                .runtime
                .block_on(query.bind(&key).bind(array).execute(&mut store.connection))
                .unwrap();
        }
        let answered = store.ask(&step.check);
        let now = store.time(&answered);
        assert!(
            now >= before && (now - Utc::now().timestamp_nanos_opt().unwrap()).abs() < 60 * SECOND
        );
        before = now;
        let model = &mut models[usize::try_from(step.account).unwrap()];
        let decided = model.decide(&step, now);
        let [_, verdict, backlogs @ ..] = answered.0.as_slice() else {
            panic!()
        };
        compare(
            &step,
            now,
            &decided,
            *verdict,
            backlogs,
            store.read(&step.check, &answered),
        );
        let query =
            sqlx::query_scalar("SELECT states FROM bailiwick_throttle WHERE key = $1").bind(&key);
        let states: Vec<i64> = store
            .runtime
            .block_on(query.fetch_one(&mut store.connection))
            .unwrap();
        assert_eq!(read_back(&states), model.sorted(), "{step:?} at {now}");
        tally.add(&decided);
    }
    tally.tell("PostgreSQL's statement", start);
}

// The invariants, by the servers' time.

/// Sixteen threads at once on one key: no window of any length lets more than a burst and its rate
/// through.
#[test]
fn t3_no_window_lets_more_through_under_concurrency() {
    let quotas = set(&[quota(200, 1).with_burst(40).unwrap()]);
    for server in servers() {
        let start = Instant::now();
        let hammer = || {
            let (mut store, check) = (
                server.connect(),
                SharedCheck::of_key(key(7), &quotas, 1, Limits::default()),
            );
            let (mut passed, mut asked) = (Vec::new(), 0_usize);
            while start.elapsed() < Duration::from_secs(2) {
                let answered = store.ask(&check);
                asked += 1;
                match store.read(&check, &answered) {
                    Ok(_) => passed.push(store.time(&answered)),
                    refused => assert!(is_exceeded(&refused)),
                }
            }
            (passed, asked)
        };
        let (mut passed, mut asked) = (Vec::new(), 0);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(hammer)).collect();
            for thread in threads {
                let (own, count) = thread.join().unwrap();
                passed.extend(own);
                asked += count;
            }
        });
        passed.sort();
        println!(
            "{}: {} of {asked} passed in {:.1?}",
            name(&server),
            passed.len(),
            start.elapsed()
        );
        for (place, first) in passed.iter().enumerate() {
            for (count, last) in (1..).zip(&passed[place..]) {
                let most = 40 + (last - first) / 5_000_000;
                assert!(
                    count <= most,
                    "{}: {count} of {most} in {} ns",
                    name(&server),
                    last - first
                );
            }
        }
        assert!(
            asked > 2 * passed.len(),
            "{}: the quota was never spent",
            name(&server)
        );
        let earned = (passed[passed.len() - 1] - passed[0]) / 5_000_000;
        // What was bought passes: two hundred a second, but for what the threads were too slow to
        // ask for.
        assert!(
            i64::try_from(passed.len()).unwrap() * 10 > (40 + earned) * 8,
            "{}: too few",
            name(&server)
        );
    }
}

/// A check that waits for the row's lock is decided at the time when it has it, not when it came.
#[test]
fn t3_the_time_is_read_under_the_lock() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let (mut first, mut second) = (OnPostgres::connect(&server), OnPostgres::connect(&server));
    let check = SharedCheck::of_key(key(7), &set(&[quota(1, 3600)]), 1, Limits::default());
    first.execute("BEGIN");
    assert!(first.check(&check).is_ok());
    let answered = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.ask(&check));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished());
        first.execute("COMMIT");
        waiting.join().unwrap()
    });
    assert!(is_exceeded(&first.read(&check, &answered)));
    let query = sqlx::query_scalar("SELECT answer[1] FROM bailiwick_throttle");
    let told: i64 = first
        .runtime
        .block_on(query.fetch_one(&mut first.connection))
        .unwrap();
    assert_eq!(told, first.time(&answered));
    let exceeded = first.read(&check, &answered).unwrap_err();
    let SharedError::Throttled(Throttled::QuotaExceeded(exceeded)) = exceeded else {
        panic!()
    };
    // The first came half a second before the second was decided.
    assert!(
        exceeded.retry_at() < at(told) + TimeDelta::seconds(3600) - TimeDelta::milliseconds(400)
    );
}

fn name(server: &Server) -> &'static str {
    match server {
        Server::Redis(_) => "Redis",
        Server::Postgres(_) => "PostgreSQL",
    }
}

#[test]
fn t7_quotas_are_charged_all_or_none() {
    let (both, hour) = (
        set(&[quota(2, 3600), quota(3, 86_400)]),
        set(&[quota(2, 3600)]),
    );
    let day = set(&[quota(3, 86_400)]);
    for server in servers() {
        let mut store = server.connect();
        let mut ask = |quotas: &QuotaSet, cost| {
            store.check(&SharedCheck::of_key(
                key(7),
                quotas,
                cost,
                Limits::default(),
            ))
        };
        assert_eq!(ask(&both, 2).unwrap().remaining(), Some(0));
        for _ in 0..5 {
            let Err(SharedError::Throttled(Throttled::QuotaExceeded(exceeded))) = ask(&both, 1)
            else {
                panic!()
            };
            assert_eq!(
                exceeded.violated_policies().collect::<Vec<String>>(),
                ["ai/3600s"]
            );
        }
        // The refusals charged nothing to the day, which has its third cell still.
        assert_eq!(ask(&day, 1).unwrap().remaining(), Some(0));
        assert!(is_exceeded(&ask(&day, 1)) && is_exceeded(&ask(&hour, 1)));
    }
}

#[test]
fn t6_a_plan_flipped_back_and_forth_refills_nothing() {
    let (small, large) = (
        set(&[quota(3, 86_400)]),
        set(&[quota(30, 86_400), quota(1000, 30 * 86_400)]),
    );
    for server in servers() {
        let mut store = server.connect();
        let mut ask = |quotas: &QuotaSet, cost| {
            store.check(&SharedCheck::of_key(
                key(7),
                quotas,
                cost,
                Limits::default(),
            ))
        };
        assert!(ask(&small, 3).is_ok());
        for round in 0..30 {
            // The larger plan allows 27 more than the three, and no more however often it comes
            // back.
            assert_eq!(
                ask(&large, 1).is_ok(),
                round < 27,
                "{}: round {round}",
                name(&server)
            );
            assert!(
                is_exceeded(&ask(&small, 1)),
                "{}: round {round}",
                name(&server)
            );
        }
    }
}

#[test]
fn t9_a_fresh_key_is_told_what_the_throttle_tells() {
    let plans = [
        set(&[quota(5, 60)]),
        set(&[quota(2, 1), quota(300, 86_400).with_burst(7).unwrap()]),
    ];
    for server in servers() {
        let mut store = server.connect();
        for (account, plan) in (0..).zip(&plans) {
            for dialect in [HeaderDialect::Draft10, HeaderDialect::Legacy] {
                let account = account * 10 + i64::from(dialect == HeaderDialect::Legacy);
                let throttle = Throttle::new(ThrottleCapacity {
                    accounts: 1000,
                    addresses: 1,
                })
                .with_dialect(dialect);
                let access = access(account, plan, Utc::now());
                for cost in [2, 0, 5] {
                    let check = SharedCheck::new(&access, AI, cost, Limits::default(), Utc::now());
                    let Ok(check) = check else {
                        let own = throttle.check_cost(&access, AI, cost, Utc::now());
                        assert_eq!(check.unwrap_err(), own.unwrap_err());
                        continue;
                    };
                    let answered = store.ask(&check.with_dialect(dialect));
                    let now = at(store.time(&answered));
                    let check = SharedCheck::new(&access, AI, cost, Limits::default(), now)
                        .unwrap()
                        .with_dialect(dialect);
                    match (
                        store.read(&check, &answered),
                        throttle.check_cost(&access, AI, cost, now),
                    ) {
                        (Ok(shared), Ok(own)) => {
                            assert_eq!(shared.headers(), own.headers());
                            assert_eq!(shared.remaining(), own.remaining());
                        }
                        (Err(SharedError::Throttled(shared)), Err(own)) => {
                            assert_eq!(shared, own);
                            let problems = [
                                Problem::from(SharedError::Throttled(shared)),
                                Problem::from(own),
                            ];
                            assert_eq!(problems[0].headers(), problems[1].headers());
                            assert_eq!(format!("{:?}", problems[0]), format!("{:?}", problems[1]));
                        }
                        (shared, own) => {
                            panic!("{}: {shared:?}, and in process {own:?}", name(&server))
                        }
                    }
                }
            }
        }
    }
}

/// Rows go once they have drained, and the skew has passed; the others stay.
#[test]
fn t10_drained_rows_are_swept() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let mut store = OnPostgres::connect(&server);
    for account in 0..20 {
        let slow = account % 2 == 0;
        let quotas = set(&[if slow {
            quota(1, 86_400)
        } else {
            quota(1000, 1)
        }]);
        assert!(
            store
                .check(&SharedCheck::of_key(
                    key(account),
                    &quotas,
                    1,
                    Limits::default()
                ))
                .is_ok()
        );
    }
    assert_eq!(
        store.execute(SharedCheck::POSTGRES_SWEEP),
        0,
        "none has drained for the skew"
    );
    assert_eq!(
        store.execute(
            "UPDATE bailiwick_throttle SET drained_at = drained_at - interval '2 minutes'"
        ),
        20
    );
    assert_eq!(store.execute(SharedCheck::POSTGRES_SWEEP), 10);
    assert_eq!(
        store.execute("DELETE FROM bailiwick_throttle"),
        10,
        "the slow ones stayed"
    );
}

// What needs no server.

#[test]
fn what_needs_no_store_is_refused_before_it() {
    let plan = set(&[quota(5, 60), quota(3, 3600)]);
    let access = access(7, &plan, at(START));
    let other = throttle_scope!("other");
    let refused = |scope, cost, now| {
        SharedCheck::new(&access, scope, cost, Limits::default(), now).unwrap_err()
    };
    let late = access.valid_until().unwrap_or(DateTime::<Utc>::MAX_UTC);
    let throttle = Throttle::new(ThrottleCapacity {
        accounts: 1000,
        addresses: 1,
    });
    for (scope, cost, now) in [
        (AI, 4, at(START)),
        (other, 1, at(START)),
        (other, u32::MAX, late),
        (AI, u32::MAX, late),
    ] {
        assert_eq!(
            refused(scope, cost, now),
            throttle.check_cost(&access, scope, cost, now).unwrap_err()
        );
    }
    assert_eq!(
        refused(AI, 4, at(START)),
        Throttled::CostExceedsBurst { cost: 4, burst: 3 }
    );
    assert_eq!(refused(other, 4, at(START)), Throttled::QuotaMissing(other));
    let check = SharedCheck::new(&access, AI, 0, Limits::default(), at(START)).unwrap();
    assert_eq!(check.key(), &key(7));
    assert_eq!(check.postgres_arguments().1[0], 1, "no request is free");
}

#[test]
fn a_malformed_answer_is_an_error() {
    let one = SharedCheck::of_key(key(7), &set(&[quota(2, 60)]), 1, Limits::default());
    let two = SharedCheck::of_key(
        key(7),
        &set(&[quota(2, 60), quota(3, 3600)]),
        1,
        Limits::default(),
    );
    let (now, cell) = (START, 30 * SECOND);
    assert!(one.read_postgres(&[now, 0, cell]).is_ok());
    assert!(one.read_redis(&[START / SECOND, 0, 0, 30, 0]).is_ok());
    assert!(is_exceeded(&one.read_postgres(&[now, 1, 2 * cell])));
    let malformed = |read: Result<Passage, SharedError>| {
        let error = read.unwrap_err();
        assert_eq!(error, SharedError::Malformed);
        let problem = Problem::from(error);
        assert_eq!((problem.code(), problem.status()), (Code::Internal, 500));
    };
    let answers: [&[i64]; 13] = [
        &[],
        &[now],
        &[now, 0],
        &[now, 0, cell, cell],
        &[now, 3, cell],
        &[now, -1, cell],
        &[now, 0, -1],
        &[now, 0, 2 * cell + 1],
        &[now, 0, i64::MAX],
        &[now, 1, cell],
        &[now, 1, i64::MIN],
        &[now, 2, cell],
        &[i64::MIN, i64::MIN, i64::MIN],
    ];
    for answer in answers {
        malformed(one.read_postgres(answer));
    }
    malformed(two.read_postgres(&[now, 0, cell]));
    let replies: [&[i64]; 9] = [
        &[],
        &[1, 0],
        &[1, 0, 0],
        &[1, 0, 0, 30],
        &[1, 0, 0, 30, 0, 30, 0],
        &[1, -1, 0, 30, 0],
        &[1, 0, 0, 30, SECOND],
        &[i64::MAX, 0, 0, 30, 0],
        &[1, 0, 0, i64::MIN, i64::MIN],
    ];
    for reply in replies {
        malformed(one.read_redis(reply));
    }
}

/// Plans that differ by a thousandfold refill nothing where the greatest burst is known.
#[test]
fn t6_a_flip_between_distant_plans_refills_nothing_on_the_server() {
    for server in servers() {
        let (large, small) = (set(&[quota(10_000, 86_400)]), set(&[quota(10, 86_400)]));
        let limits = Limits::default().with_largest_burst(10_000);
        let mut store = server.connect();
        assert!(
            store
                .check(&SharedCheck::of_key(key(7), &large, 10_000, limits))
                .is_ok()
        );
        assert!(
            store
                .check(&SharedCheck::of_key(key(7), &small, 1, limits))
                .is_err()
        );
        assert!(
            store
                .check(&SharedCheck::of_key(key(7), &large, 100, limits))
                .is_err(),
            "all of it is spent still"
        );
    }
}
