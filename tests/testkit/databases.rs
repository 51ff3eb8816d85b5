//! The conformance suite on real stores: SQLite in a file and PostgreSQL on a private server. Then
//! the worst of a real server's life: connections that are cut in mid-transaction, and processes
//! that are killed.
#![allow(clippy::disallowed_methods, reason = "a server goes by the clock")]

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::servers::Postgres;
use crate::stores::{
    Blocking, POSTGRES, SQLITE, SQLITE_SCHEMA, Statements, Store, id, parse, postgres, with_schema,
};
use crate::support::{at, credits, operator_of, tenant};
use bailiwick::change::Answer;
use bailiwick::credit::{
    Cause, Change, DeductRequest, Event, GrantTerms, HoldError, HoldRequest, IdempotencyKey,
    LedgerEntry, Outcome, PriceList, Receipt, Replayed,
};
use bailiwick::right::Privilege;
use bailiwick::testkit::{
    Check, CreditStore, Loaded, Report, Written, audit, check_pair, check_store, transact,
};
use bailiwick::{Access, AccountId, Credits, Hold, Principal, Wallet, validate_account_and_plan};
use chrono::TimeDelta;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, SqlitePool};
use tokio::runtime::Runtime;

fn runtime() -> Arc<Runtime> {
    Arc::new(
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    )
}

fn tell(name: &str, report: &Report, start: Instant) {
    println!(
        "{name}, in {:.1} s\n{report}\n",
        start.elapsed().as_secs_f64()
    );
}

// SQLite.

/// A file that goes with its test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("bailiwick-{name}-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sqlite(runtime: &Arc<Runtime>, file: &File) -> Blocking<sqlx::Sqlite> {
    let options = SqliteConnectOptions::new()
        .filename(file.0.join("store.sqlite"))
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_secs(60));
    let pool: SqlitePool = runtime
        .block_on(
            SqlitePoolOptions::new()
                .max_connections(4)
                .connect_with(options),
        )
        .unwrap();
    Blocking {
        runtime: runtime.clone(),
        store: Store {
            pool,
            statements: SQLITE,
        },
    }
}

#[test]
fn sqlite_conforms_through_several_connections() {
    let (runtime, file, start) = (runtime(), File::new("sqlite"), Instant::now());
    let first = sqlite(&runtime, &file);
    runtime
        .block_on(sqlx::raw_sql(SQLITE_SCHEMA).execute(&first.store.pool))
        .unwrap();
    let report = check_pair(&first, &sqlite(&runtime, &file)).unwrap();
    tell("SQLite", &report, start);
}

// PostgreSQL.

#[test]
fn postgres_conforms_and_wrong_statements_do_not() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let (runtime, start) = (runtime(), Instant::now());
    let first = with_schema(&runtime, &server.url());
    let report = check_pair(&first, &postgres(&runtime, &server.url(), POSTGRES)).unwrap();
    tell("PostgreSQL", &report, start);

    let found = |statements: Statements| {
        let fault = check_store(&postgres(&runtime, &server.url(), statements)).unwrap_err();
        println!("{fault}\n");
        fault.name()
    };
    let update_wallet = "UPDATE wallets SET version = $2, facts = $3::jsonb WHERE account_id = $1 AND version >= least($4, 1)";
    assert_eq!(
        found(Statements {
            update_wallet,
            ..POSTGRES
        }),
        "the version is not guarded: a change was written over a wallet that it was not made from"
    );
    let insert_outcome = "INSERT INTO outcomes (account_id, key, outcome) VALUES ($1, $2, $3::jsonb) \
                          ON CONFLICT (account_id, key) DO UPDATE SET outcome = excluded.outcome";
    assert_eq!(
        found(Statements {
            insert_outcome,
            ..POSTGRES
        }),
        "a key was accepted twice in one account"
    );
    let ledger = "SELECT entry::text FROM ledger WHERE account_id = $1 ORDER BY sequence::text";
    assert_eq!(
        found(Statements { ledger, ..POSTGRES }),
        "the ledger is out of order"
    );
    let ledger = "SELECT entry::text FROM ledger WHERE account_id = $1 ORDER BY sequence LIMIT 100";
    assert_eq!(
        found(Statements { ledger, ..POSTGRES }),
        "an entry of the ledger is lost"
    );
}

/// Two statements in one transaction, each with a snapshot of its own: what READ COMMITTED gives.
struct TwoStatements(Blocking<sqlx::Postgres>, &'static str);

impl CreditStore for TwoStatements {
    type Error = sqlx::Error;

    fn new_account(&self) -> Result<AccountId, sqlx::Error> {
        self.0.new_account()
    }

    fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, sqlx::Error> {
        let Self(Blocking { runtime, store }, begin) = self;
        runtime.block_on(async {
            let mut transaction = store.pool.begin_with(*begin).await?;
            let wallet: Option<(String,)> =
                sqlx::query_as("SELECT facts::text FROM wallets WHERE account_id = $1")
                    .bind(id(account))
                    .fetch_optional(&mut *transaction)
                    .await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            let outcome: Option<(String,)> = sqlx::query_as(
                "SELECT outcome::text FROM outcomes WHERE account_id = $1 AND key = $2",
            )
            .bind(id(account))
            .bind(key)
            .fetch_optional(&mut *transaction)
            .await?;
            let wallet = wallet.map(|(text,)| parse(&text)).transpose()?;
            Ok(Loaded {
                wallet,
                outcome: outcome.map(|(text,)| parse(&text)).transpose()?,
            })
        })
    }

    fn commit<T>(&self, change: &Change<T>) -> Result<Written, sqlx::Error> {
        self.0.commit(change)
    }

    fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, sqlx::Error> {
        self.0.ledger(account)
    }
}

/// A guard catches what is written, and what is answered does not look at the wallet.
#[test]
fn c10_two_statements_of_two_moments_do_no_harm() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let runtime = runtime();
    drop(with_schema(&runtime, &server.url()));
    let store = TwoStatements(
        postgres(&runtime, &server.url(), POSTGRES),
        "BEGIN ISOLATION LEVEL READ COMMITTED",
    );
    for check in [Check::Interleaves, Check::ReplaysOnce, Check::SpendsOnce] {
        check.run(&store).unwrap();
    }
}

// A service that spends.

fn access(account: &AccountId) -> Access {
    let mut facts = tenant(0);
    facts.account.id = account.clone();
    let principal = Principal::session(1.into()).of_account(account.clone());
    validate_account_and_plan(&principal, Some(&facts), at(0)).unwrap()
}

fn request(key: &str, units: u64) -> HoldRequest {
    let prices: PriceList =
        serde_json::from_str(r#"{ "unit": { "per_unit": "0.000001" } }"#).unwrap();
    let quote = prices.quote("unit", units).unwrap();
    HoldRequest {
        key: key.parse().unwrap(),
        quote,
        time_to_live: TimeDelta::try_seconds(60).unwrap(),
        fingerprint: None,
    }
}

fn open(store: &Blocking<sqlx::Postgres>, amount: Credits) -> AccountId {
    let account = store.new_account().unwrap();
    let cause = Cause::promotion(
        &operator_of(-1, Privilege::GrantCredits),
        &account,
        &"first".parse().unwrap(),
    )
    .unwrap();
    let granted = transact(store, &account, cause.key(), |loaded| {
        let wallet = loaded
            .wallet
            .unwrap_or_else(|| Wallet::open(account.clone(), at(0)));
        wallet.grant(
            &cause,
            GrantTerms::forever(amount),
            loaded.outcome.as_ref(),
            at(0),
        )
    });
    assert!(matches!(granted, Ok(Answer::Fresh(_))));
    account
}

impl Store<sqlx::Postgres> {
    /// The service's own loop around a command, as `transact` shows it. A failure leaves it open
    /// whether the change was committed; the same command with the same key finds out.
    async fn transact<T, R, E>(
        &self,
        account: &AccountId,
        key: &str,
        decide: impl Fn(Wallet, Option<&Outcome>) -> Result<Answer<Change<T>, R>, E>,
    ) -> Result<Result<Answer<T, R>, E>, sqlx::Error> {
        loop {
            let Loaded { wallet, outcome } = self.load(account, key).await?;
            match decide(wallet.unwrap(), outcome.as_ref()) {
                Err(refused) => return Ok(Err(refused)),
                Ok(Answer::Replayed(earlier)) => return Ok(Ok(Answer::Replayed(earlier))),
                Ok(Answer::Fresh(change)) => {
                    if self.commit(&change).await? == Written::Committed {
                        return Ok(Ok(Answer::Fresh(change.into_result())));
                    }
                }
            }
        }
    }

    async fn hold(
        &self,
        access: &Access,
        request: &HoldRequest,
        second: i64,
    ) -> Result<Result<Answer<Hold, Replayed>, HoldError>, sqlx::Error> {
        let key = Outcome::spend_key(&request.key);
        self.transact(access.account_id(), &key, |wallet, prior| {
            wallet.hold(access, request, prior, at(second))
        })
        .await
    }

    async fn settle(
        &self,
        hold: &Hold,
        cost: Credits,
        second: i64,
    ) -> Result<Receipt, sqlx::Error> {
        let key = Outcome::spend_key(hold.key());
        let settle =
            |wallet: Wallet, prior: Option<&Outcome>| wallet.settle(hold, cost, prior, at(second));
        Ok(self
            .transact(hold.account(), &key, settle)
            .await?
            .unwrap()
            .into_inner())
    }

    /// Charges, and sends the request again where the connection is cut.
    async fn deduct(
        &self,
        access: &Access,
        request: &HoldRequest,
        failures: &AtomicU32,
    ) -> Option<Receipt> {
        let key = Outcome::spend_key(&request.key);
        let once = DeductRequest {
            key: request.key.clone(),
            quote: request.quote.clone(),
            fingerprint: None,
        };
        loop {
            let deduct = |wallet: Wallet, prior: Option<&Outcome>| {
                wallet.deduct(access, &once, prior, at(1))
            };
            match self.transact(access.account_id(), &key, deduct).await {
                Ok(Ok(answer)) => return Some(answer.into_inner()),
                Ok(Err(HoldError::Insufficient { .. })) => return None,
                Ok(Err(refused)) => panic!("{refused}"),
                Err(_) => failures.fetch_add(1, Ordering::Relaxed),
            };
        }
    }
}

fn all<T: Send + 'static>(
    runtime: &Runtime,
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
    runtime.block_on(async {
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    })
}

/// How often each key was charged, and how much, by the ledger.
fn charges(entries: &[LedgerEntry]) -> BTreeMap<IdempotencyKey, Vec<Credits>> {
    let mut charges = BTreeMap::<_, Vec<Credits>>::new();
    for entry in entries {
        if let Event::Settled { hold, captured, .. } = &entry.event {
            charges.entry(hold.clone()).or_default().push(*captured);
        }
    }
    charges
}

#[test]
fn c10_sixty_four_tasks_spend_one_wallet() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let runtime = runtime();
    let store = Arc::new(with_schema(&runtime, &server.url()));
    // 64 tasks with 2 requests each want 3 micro-credits at a time; there is enough for 100 of the
    // 128.
    let account = open(&store, Credits::from_micros(301).unwrap());
    let failures = Arc::new(AtomicU32::new(0));
    let tasks = (0..64).map(|task| {
        let (store, access, failures) = (store.clone(), access(&account), failures.clone());
        async move {
            let mut receipts = Vec::new();
            for number in 0..2 {
                receipts.push(
                    store
                        .store
                        .deduct(&access, &request(&format!("{task}-{number}"), 3), &failures)
                        .await,
                );
            }
            receipts
        }
    });
    let receipts: Vec<Receipt> = all(&runtime, tasks)
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let (wallet, entries) = audit(&*store, &account).unwrap();
    assert_eq!((receipts.len(), failures.load(Ordering::Relaxed)), (100, 0));
    assert_eq!(
        (
            wallet.balance().spent.micros(),
            wallet.balance().free.micros()
        ),
        (300, 1)
    );
    let charges = charges(&entries);
    assert_eq!(charges.len(), 100);
    assert!(
        receipts
            .iter()
            .all(|receipt| charges[&receipt.key] == [receipt.charged])
    );
}

#[test]
fn c10_connections_cut_in_mid_transaction_lose_nothing() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let runtime = runtime();
    let store = Arc::new(with_schema(&runtime, &server.url()));
    let account = open(&store, credits(1000));
    let (failures, is_over) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let url = server.url();
    let killer = {
        let is_over = is_over.clone();
        runtime.spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let mut cut = 0;
            let start = Instant::now();
            while cut < 40 && start.elapsed() < Duration::from_secs(30) {
                // One at a time, and only where a transaction has written already.
                let (killed,): (i64,) = sqlx::query_as(
                    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                     WHERE application_name = 'spender' AND backend_xid IS NOT NULL ORDER BY random() LIMIT 1) AS spender",
                )
                .fetch_one(&mut connection)
                .await
                .unwrap();
                cut += killed;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            is_over.store(true, Ordering::Relaxed);
            cut
        })
    };
    let tasks = (0..16).map(|task| {
        let (store, access, failures, is_over) = (
            store.clone(),
            access(&account),
            failures.clone(),
            is_over.clone(),
        );
        async move {
            let mut receipts = Vec::new();
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                receipts.extend(
                    store
                        .store
                        .deduct(&access, &request(&format!("{task}-{number}"), 3), &failures)
                        .await,
                );
            }
            receipts
        }
    });
    let receipts: Vec<Receipt> = all(&runtime, tasks).into_iter().flatten().collect();
    let cut = runtime.block_on(killer).unwrap();
    println!(
        "{cut} connections cut, {failures:?} commands failed, {} charged",
        receipts.len()
    );
    assert!(cut >= 40 && failures.load(Ordering::Relaxed) > 0);
    let (wallet, entries) = audit(&*store, &account).unwrap();
    let charges = charges(&entries);
    assert_eq!(
        charges.len(),
        receipts.len(),
        "each key is charged, and once"
    );
    assert!(
        receipts
            .iter()
            .all(|receipt| charges[&receipt.key] == [receipt.charged])
    );
    assert_eq!(
        wallet.balance().spent.micros(),
        3 * i64::try_from(receipts.len()).unwrap()
    );
    assert_eq!(
        wallet.balance().spent.checked_add(wallet.balance().free),
        Some(credits(1000))
    );
}

/// Where a spender finds what to spend: set, this binary is one, until it is killed.
const SPENDER: &str = "BAILIWICK_TEST_SPENDER";

/// Another process, which goes with its test.
struct Spender(Child);

impl Drop for Spender {
    fn drop(&mut self) {
        // SIGKILL: it has no say in it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Holds and settles, and says what it has settled, for ever.
fn spend_until_killed(work: &str) -> ! {
    let [url, account, round] = work.split('|').collect::<Vec<_>>().try_into().unwrap();
    let (runtime, account, second): (_, AccountId, i64) =
        (runtime(), account.parse().unwrap(), round.parse().unwrap());
    let store = Arc::new(postgres(&runtime, url, POSTGRES));
    let tasks = (0..8).map(|task| {
        let (store, access) = (store.clone(), access(&account));
        async move {
            for number in 0.. {
                let request = request(&format!("{second}-{task}-{number}"), 5);
                // Without its server, it has nothing to do here.
                let held = store
                    .store
                    .hold(&access, &request, second)
                    .await
                    .unwrap_or_else(|_| std::process::exit(1));
                let Ok(Answer::Fresh(hold)) = held else {
                    continue;
                };
                // The expensive call.
                tokio::time::sleep(Duration::from_millis(1)).await;
                let receipt = store
                    .store
                    .settle(&hold, Credits::from_micros(4).unwrap(), second)
                    .await
                    .unwrap();
                println!("settled {}", receipt.key);
            }
        }
    });
    all(&runtime, tasks);
    unreachable!("a spender never ends by itself")
}

#[test]
fn c10_processes_killed_in_mid_hold_lose_nothing() {
    if let Ok(work) = std::env::var(SPENDER) {
        spend_until_killed(&work);
    }
    let Some(server) = Postgres::start() else {
        return;
    };
    let runtime = runtime();
    let store = with_schema(&runtime, &server.url());
    let account = open(&store, credits(1000));
    let mut told = Vec::new();
    let mut left_open = 0;
    for round in 0..5_i64 {
        // A hold lasts 60 seconds, so each round finds those of the one before run out.
        let (second, mut lines) = (round * 100, 0);
        let process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "databases::c10_processes_killed_in_mid_hold_lose_nothing",
                "--nocapture",
            ])
            .env(SPENDER, format!("{}|{account}|{second}", server.url()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut spender = Spender(process);
        let mut output = BufReader::new(spender.0.stdout.take().unwrap()).lines();
        while lines < 20 + 7 * round {
            let line = output.next().expect("the spender is alive").unwrap();
            // The test harness talks, too, and not always on lines of its own.
            if let Some((_, key)) = line.split_once("settled ") {
                told.push(key.parse::<IdempotencyKey>().unwrap());
                lines += 1;
            }
        }
        drop(spender);
        told.extend(output.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("settled ")
                .map(|key| key.parse::<IdempotencyKey>().unwrap())
        }));
        // What the server was told in the last moment is done or undone by now or soon.
        std::thread::sleep(Duration::from_millis(100));
        let (wallet, _) = audit(&store, &account).unwrap();
        left_open += wallet
            .balance_at(at(second))
            .map(|_| wallet.holds().len())
            .unwrap();
        assert_eq!(
            wallet.balance_at(at(second + 60)).unwrap().held,
            Credits::ZERO,
            "all of them run out"
        );
    }
    assert!(left_open > 0, "every process was killed between two holds");

    // Another process sends every request again that was answered: it is told the same, and nothing
    // is charged.
    for key in &told {
        let again = runtime
            .block_on(
                store
                    .store
                    .hold(&access(&account), &request(key.as_str(), 5), 500),
            )
            .unwrap();
        assert!(
            matches!(again, Ok(Answer::Replayed(Replayed::Settled(receipt))) if receipt.key == *key),
            "{key}"
        );
    }
    // And time gives back whatever was held.
    let wallet = store.load(&account, "").unwrap().wallet.unwrap();
    assert_eq!(
        store.commit(&wallet.advance(at(600)).unwrap()).unwrap(),
        Written::Committed
    );
    let (wallet, entries) = audit(&store, &account).unwrap();
    let (charges, balance) = (charges(&entries), wallet.balance());
    let expired = entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::HoldExpired { .. }))
        .count();
    println!(
        "{} settled, of which {} were told; {expired} holds ran out, {left_open} left open",
        charges.len(),
        told.len()
    );
    assert!(
        told.iter().all(|key| charges.contains_key(key)),
        "what a process said was settled, is"
    );
    assert!(
        charges
            .values()
            .all(|amounts| *amounts == [Credits::from_micros(4).unwrap()]),
        "and once"
    );
    assert_eq!(expired, left_open);
    assert_eq!(
        balance.spent.micros(),
        4 * i64::try_from(charges.len()).unwrap()
    );
    assert_eq!(
        (balance.held, balance.spent.checked_add(balance.free)),
        (Credits::ZERO, Some(credits(1000)))
    );
}
