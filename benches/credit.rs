//! Hold and settle, against the same written by hand on integers with the same entries; and a
//! ledger of a million entries replayed.
//!
//! `cargo bench --bench credit`
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::change::Answer;
use bailiwick::credit::{Cause, Change, Grant, GrantTerms, HoldRequest, LedgerEntry, PriceList};
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::right::{Privilege, Privileges};
use bailiwick::{
    Account, Credits, Evidence, Money, Plan, Principal, Route, Tenant, Wallet, admit, chrono,
    validate_account_and_plan,
};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const LIFE: TimeDelta = TimeDelta::new(120, 0).unwrap();

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn tenant(id: i64) -> Tenant {
    let plan = Plan {
        id: 1.into(),
        active: true,
        price: Money::new(0.into(), Currency::EUR).unwrap(),
        interval: Interval::MONTHLY,
        credits: Credits::ZERO,
        credits_every: Interval::MONTHLY,
        trial_credits: None,
        needs_subscription: false,
        quotas: BTreeMap::new(),
        concurrency: Default::default(),
    };
    let status = AccountStatus::Active;
    let account = Account {
        id: id.into(),
        status,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: Privileges::from_iter([Privilege::GrantCredits]),
        registered_at: None,
    };
    Tenant {
        account,
        plan: Some(plan.into()),
        next_plan: None,
        subscription: None,
        sites: [].into(),
    }
}

fn wallet(grants: u32) -> Wallet {
    fund(grants, |_| {})
}

/// The entries of so many grants.
fn granted(grants: u32) -> Vec<LedgerEntry> {
    let mut entries = vec![];
    fund(grants, |change| entries.extend_from_slice(change.entries()));
    entries
}

fn fund(grants: u32, mut written: impl FnMut(&Change<Grant>)) -> Wallet {
    let privilege = Privilege::GrantCredits;
    let operator = Principal::session(2.into())
        .of_account(1.into())
        .with_privileges(Privileges::from_iter([privilege]));
    let evidence = Evidence::Verified(operator);
    let operator = admit(
        Route::Operator(privilege),
        &evidence,
        Some(&tenant(1)),
        at(0),
    );
    let operator = operator.into_result().unwrap().into_operator().unwrap();
    (0..grants).fold(Wallet::open(7.into(), at(0)), |wallet, number| {
        let cause = Cause::promotion(
            &operator,
            &7.into(),
            &format!("grant-{number}").parse().unwrap(),
        )
        .unwrap();
        match wallet
            .grant(
                &cause,
                GrantTerms::forever(Credits::whole(1000)),
                None,
                at(0),
            )
            .unwrap()
        {
            Answer::Fresh(change) => {
                written(&change);
                change.wallet().clone()
            }
            Answer::Replayed(_) => unreachable!(),
        }
    })
}

/// What a service would write by hand: one number for each part, entries with the balance after
/// them, a stored outcome.
#[allow(dead_code, reason = "what is written is for the store to read")]
mod by_hand {
    use std::sync::Arc;

    use chrono::{DateTime, Utc};

    use super::LIFE;

    #[derive(Clone, Copy)]
    pub struct Balance {
        pub granted: i64,
        pub scheduled: i64,
        pub free: i64,
        pub held: i64,
        pub spent: i64,
        pub expired: i64,
        pub revoked: i64,
        pub debt: i64,
    }

    #[derive(Clone)]
    pub struct Hold {
        pub key: Arc<str>,
        pub operation: Arc<str>,
        pub amount: i64,
        pub slices: Vec<(Arc<str>, i64)>,
        pub expires_at: DateTime<Utc>,
    }

    pub enum Event {
        Held(Hold),
        Settled { hold: Arc<str>, cost: i64 },
    }

    pub struct Entry {
        pub account: i64,
        pub sequence: u64,
        pub at: DateTime<Utc>,
        pub recorded_at: DateTime<Utc>,
        pub event: Event,
        pub balance: Balance,
    }

    #[derive(Clone)]
    pub struct Wallet {
        pub account: i64,
        pub version: u64,
        pub sequence: u64,
        pub balance: Balance,
        pub grants: Vec<(Arc<str>, i64)>,
        pub holds: Vec<Hold>,
    }

    pub struct Change {
        pub wallet: Wallet,
        pub entries: Vec<Entry>,
        pub outcome: (String, Arc<str>, i64),
    }

    impl Wallet {
        fn entry(&mut self, event: Event, now: DateTime<Utc>) -> Entry {
            self.sequence += 1;
            self.version += 1;
            let (account, sequence, balance) = (self.account, self.sequence, self.balance);
            Entry {
                account,
                sequence,
                at: now,
                recorded_at: now,
                event,
                balance,
            }
        }

        pub fn hold(
            mut self,
            key: &Arc<str>,
            operation: &Arc<str>,
            amount: i64,
            now: DateTime<Utc>,
        ) -> Option<Change> {
            if self.balance.free < amount {
                return None;
            }
            self.balance.free -= amount;
            self.balance.held += amount;
            let (mut slices, mut missing) = (Vec::new(), amount);
            for (id, free) in &mut self.grants {
                if missing == 0 {
                    break;
                }
                let part = missing.min(*free);
                *free -= part;
                missing -= part;
                slices.push((id.clone(), part));
            }
            let hold = Hold {
                key: key.clone(),
                operation: operation.clone(),
                amount,
                slices,
                expires_at: now + LIFE,
            };
            self.holds.push(hold.clone());
            let entry = self.entry(Event::Held(hold), now);
            Some(Change {
                wallet: self,
                entries: vec![entry],
                outcome: (format!("spend/{key}"), operation.clone(), amount),
            })
        }

        pub fn settle(mut self, key: &Arc<str>, cost: i64, now: DateTime<Utc>) -> Option<Change> {
            let place = self.holds.iter().position(|hold| hold.key == *key)?;
            let hold = self.holds.swap_remove(place);
            if hold.expires_at <= now || cost > hold.amount {
                return None;
            }
            let mut captured = cost;
            for (id, amount) in &hold.slices {
                let spent = captured.min(*amount);
                captured -= spent;
                self.grants.iter_mut().find(|(grant, _)| grant == id)?.1 += amount - spent;
            }
            self.balance.held -= hold.amount;
            self.balance.free += hold.amount - cost;
            self.balance.spent += cost;
            let entry = self.entry(
                Event::Settled {
                    hold: key.clone(),
                    cost,
                },
                now,
            );
            Some(Change {
                wallet: self,
                entries: vec![entry],
                outcome: (format!("spend/{key}"), hold.operation, cost),
            })
        }
    }
}

const GRANTS: [u32; 4] = [1, 4, 16, 100];

fn by_hand(grants: u32) -> by_hand::Wallet {
    let total = i64::from(grants) * 1_000_000_000;
    let balance = by_hand::Balance {
        granted: total,
        scheduled: 0,
        free: total,
        held: 0,
        spent: 0,
        expired: 0,
        revoked: 0,
        debt: 0,
    };
    // The names are as long as ours, so that they take as long to compare.
    let grants = (0..grants)
        .map(|number| {
            (
                format!("grant/promotion/grant-{number}").into(),
                1_000_000_000,
            )
        })
        .collect();
    by_hand::Wallet {
        account: 7,
        version: 1,
        sequence: 1,
        balance,
        grants,
        holds: vec![],
    }
}

fn hold_and_settle(criterion: &mut Criterion) {
    let prices: PriceList = serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap();
    let access = validate_account_and_plan(
        &Principal::session(1.into()).of_account(7.into()),
        Some(&tenant(7)),
        at(0),
    )
    .unwrap();
    let mut group = criterion.benchmark_group("hold and settle");

    let (key, operation): (Arc<str>, Arc<str>) = ("request-1".into(), "unit".into());
    for grants in GRANTS {
        let hand = by_hand(grants);
        group.bench_function(format!("by hand, {grants} grants"), |bencher| {
            bencher.iter_batched(
                || hand.clone(),
                |wallet| {
                    let held = wallet
                        .hold(black_box(&key), &operation, black_box(5_000_000), at(1))
                        .unwrap();
                    let settled = held
                        .wallet
                        .clone()
                        .settle(&key, black_box(3_000_000), at(2))
                        .unwrap();
                    (held.entries, held.outcome, settled)
                },
                BatchSize::SmallInput,
            );
        });
    }
    let request = HoldRequest {
        key: "request-1".parse().unwrap(),
        quote: prices.quote("unit", 5).unwrap(),
        time_to_live: LIFE,
        fingerprint: None,
    };
    for grants in GRANTS {
        let wallet = wallet(grants);
        group.bench_function(format!("bailiwick, {grants} grants"), |bencher| {
            bencher.iter_batched(
                || wallet.clone(),
                |wallet| {
                    let Ok(Answer::Fresh(held)) =
                        wallet.hold(&access, black_box(&request), None, at(1))
                    else {
                        unreachable!()
                    };
                    let (wallet, outcome) = (
                        held.wallet().clone(),
                        held.outcome().unwrap().outcome().clone(),
                    );
                    let hold = held.into_result();
                    let settled = wallet
                        .settle(&hold, black_box(Credits::whole(3)), Some(&outcome), at(2))
                        .unwrap();
                    (outcome, hold, settled)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A ledger that is made while it is read, as a host streams it from its database: a grant, then
/// holds and their settlements for ever. `entries` counts them all.
fn ledger(entries: u64) -> impl Iterator<Item = LedgerEntry> {
    let prices: PriceList = serde_json::from_str(r#"{ "unit": { "per_unit": "0.001" } }"#).unwrap();
    let access = validate_account_and_plan(
        &Principal::session(1.into()).of_account(7.into()),
        Some(&tenant(7)),
        at(0),
    )
    .unwrap();
    // The entries of one hold and one settlement, as the wallet itself makes them.
    let wallet = wallet(GRANTED);
    let request = HoldRequest {
        key: "request-1".parse().unwrap(),
        quote: prices.quote("unit", 1).unwrap(),
        time_to_live: LIFE,
        fingerprint: None,
    };
    let Ok(Answer::Fresh(held)) = wallet.clone().hold(&access, &request, None, at(1)) else {
        unreachable!()
    };
    let (outcome, next) = (
        held.outcome().unwrap().outcome().clone(),
        held.wallet().clone(),
    );
    let held_entry = held.entries()[0].clone();
    let hold = held.into_result();
    let Ok(Answer::Fresh(settled)) =
        next.settle(&hold, request.quote.price(), Some(&outcome), at(1))
    else {
        unreachable!()
    };
    let settled_entry = settled.entries()[0].clone();
    let mut balance = wallet.balance();
    let cost = request.quote.price();
    let move_between = move |from: &mut Credits, to: &mut Credits| {
        *from = from.checked_sub(cost).unwrap();
        *to = to.checked_add(cost).unwrap();
    };
    let spends = (u64::from(GRANTED) + 1..=entries).map(move |sequence| {
        let is_hold = (sequence - u64::from(GRANTED)) % 2 == 1;
        if is_hold {
            move_between(&mut balance.free, &mut balance.held);
        } else {
            move_between(&mut balance.held, &mut balance.spent);
        }
        let entry = if is_hold { &held_entry } else { &settled_entry };
        LedgerEntry {
            sequence,
            balance,
            ..entry.clone()
        }
    });
    granted(GRANTED).into_iter().chain(spends)
}

/// Enough for half a million charges of a thousandth.
const GRANTED: u32 = 1;

fn replay(criterion: &mut Criterion) {
    const ENTRIES: u64 = 1_000_000;
    let mut group = criterion.benchmark_group("replay");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(ENTRIES));
    group.bench_function("made on the fly, not replayed", |bencher| {
        bencher.iter(|| {
            ledger(black_box(ENTRIES))
                .map(|entry| black_box(entry).sequence)
                .sum::<u64>()
        });
    });
    group.bench_function("replayed", |bencher| {
        bencher.iter(|| Wallet::replay(&7.into(), ledger(black_box(ENTRIES))).unwrap());
    });
    group.finish();
}

criterion_group!(benches, hold_and_settle, replay);
criterion_main!(benches);
