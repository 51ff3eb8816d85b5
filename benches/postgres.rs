//! Spends a second on a real PostgreSQL: one hot tenant, with and without an allowance, and a
//! thousand tenants. It starts a private server, which does not wait for the disk (`fsync=off`);
//! what is compared is the way of spending.
//!
//! `cargo bench --bench postgres --features testkit`
#![allow(clippy::disallowed_methods, reason = "a bench goes by the clock")]

#[path = "../tests/servers/mod.rs"]
mod servers;
#[path = "../tests/stores/mod.rs"]
mod stores;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bailiwick::change::Answer;
use bailiwick::credit::{
    Allowance, Cause, DeductRequest, GrantTerms, HoldRequest, Outcome, PriceList, Quote,
};
use bailiwick::right::Privilege;
use bailiwick::testkit::{CreditStore, Loaded, transact};
use bailiwick::{Access, AccountId, Credits, Principal, Wallet, validate_account_and_plan};
use chrono::TimeDelta;
use stores::{Blocking, with_schema};
use support::{at, credits, operator_of, tenant};

const THREADS: usize = 16;
const TENANTS: usize = 1_000;
const TIME: Duration = Duration::from_secs(3);
/// Draws between two checkpoints of an allowance.
const CHECKPOINT: u64 = 1_000;

type Store = Blocking<sqlx::Postgres>;

fn access(account: &AccountId) -> Access {
    let mut facts = tenant(0);
    facts.account.id = account.clone();
    let principal = Principal::session(1.into()).of_account(account.clone());
    validate_account_and_plan(&principal, Some(&facts), at(0)).unwrap()
}

fn wallet(loaded: Loaded, account: &AccountId) -> (Wallet, Option<Outcome>) {
    (
        loaded
            .wallet
            .unwrap_or_else(|| Wallet::open(account.clone(), at(0))),
        loaded.outcome,
    )
}

fn open(store: &Store) -> Access {
    let account = store.new_account().unwrap();
    let operator = operator_of(-1, Privilege::GrantCredits);
    let cause = Cause::promotion(&operator, &account, &"first".parse().unwrap()).unwrap();
    let granted = transact(store, &account, cause.key(), |loaded| {
        let (wallet, prior) = wallet(loaded, &account);
        wallet.grant(
            &cause,
            GrantTerms::forever(credits(1_000_000)),
            prior.as_ref(),
            at(0),
        )
    });
    assert!(matches!(granted, Ok(Answer::Fresh(_))));
    access(&account)
}

fn quote(units: u64) -> Quote {
    let prices: PriceList = serde_json::from_str(r#"{ "unit": { "per_unit": "0.001" } }"#).unwrap();
    prices.quote("unit", units).unwrap()
}

/// One charge, in one transaction of its own.
fn deduct(store: &Store, access: &Access, number: u64) {
    let request = DeductRequest {
        key: format!("request-{number}").parse().unwrap(),
        quote: quote(1),
        fingerprint: None,
    };
    let charged = transact(
        store,
        access.account_id(),
        &Outcome::spend_key(&request.key),
        |loaded| {
            let (wallet, prior) = wallet(loaded, access.account_id());
            wallet.deduct(access, &request, prior.as_ref(), at(1))
        },
    );
    assert!(matches!(charged, Ok(Answer::Fresh(_))));
}

/// How many a second, by all threads together.
fn measure(name: &str, spend: impl Fn(u64) + Sync) -> f64 {
    let (count, start) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                while start.elapsed() < TIME {
                    spend(count.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
    let rate = count.into_inner() as f64 / start.elapsed().as_secs_f64();
    println!("| {name} | {rate:.0} |");
    rate
}

fn main() {
    let Some(server) = servers::Postgres::start() else {
        return;
    };
    let runtime = Arc::new(
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    );
    let store = with_schema(&runtime, &server.url());
    println!("| {THREADS} threads, 16 connections | spends a second |\n|---|---|");

    let hot = open(&store);
    let plain = measure("one hot tenant, a transaction each", |number| {
        deduct(&store, &hot, number)
    });

    let many: Vec<Access> = (0..TENANTS).map(|_| open(&store)).collect();
    measure("1,000 tenants, a transaction each", |number| {
        deduct(&store, &many[number as usize % TENANTS], number)
    });

    let hot = open(&store);
    let request = HoldRequest {
        key: "allowance".parse().unwrap(),
        quote: quote(500_000_000),
        time_to_live: TimeDelta::try_hours(1).unwrap(),
        fingerprint: None,
    };
    let key = Outcome::spend_key(&request.key);
    let held = transact(&store, hot.account_id(), &key, |loaded| {
        let (wallet, prior) = wallet(loaded, hot.account_id());
        wallet.hold(&hot, &request, prior.as_ref(), at(1))
    });
    let Ok(Answer::Fresh(hold)) = held else {
        panic!("not held")
    };
    let allowance = Allowance::of(hold, Credits::ZERO, TimeDelta::try_seconds(2).unwrap());
    let one = quote(1).price();
    let drawn = measure(
        "one hot tenant, an allowance with a checkpoint every 1,000",
        |number| {
            allowance.spend(one, at(2)).unwrap();
            if number % CHECKPOINT == 0 {
                let total = allowance.drawn();
                let _ = transact(&store, hot.account_id(), &key, |loaded| {
                    let (wallet, prior) = wallet(loaded, hot.account_id());
                    wallet.draw(allowance.hold(), total, prior.as_ref(), at(2))
                });
            }
        },
    );
    println!("\nthe allowance: {:.0} times", drawn / plain);

    // At shutdown all of it is accounted for.
    let (hold, total) = allowance.end();
    let settled = transact(&store, hot.account_id(), &key, |loaded| {
        let (wallet, prior) = wallet(loaded, hot.account_id());
        wallet.settle(&hold, total, prior.as_ref(), at(3))
    });
    let Ok(Answer::Fresh(receipt)) = settled else {
        panic!("not settled")
    };
    assert_eq!(receipt.charged, total);
}
