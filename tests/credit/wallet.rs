//! The wallet: C1 to C5 as properties over sequences of commands, against a naive second wallet,
//! and the counter-examples that broke simpler rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Model, Totals};
use crate::support::host::{ACCOUNT, End, Host, cause, credit_policy, key, prices};
use crate::support::{at, credits, euros, operator, tenant};
use bailiwick::change::{Answer, RowError};
use bailiwick::credit::{
    Cause, CauseError, DeductRequest, Event, GrantError, GrantTerms, HoldError, HoldRequest,
    IdempotencyKey, Outcome, PriceError, PriceList, ReplayError, SettleError, WalletError,
};
use bailiwick::gate::Denial;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use bailiwick::problem::Explained;
use bailiwick::right::Privilege;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Code, Credits, Plan, Principal, Subscription, Wallet, validate_account_and_plan};
use chrono::TimeDelta;
use proptest::prelude::*;

/// Two things of a command do not belong together.
fn mismatch(left: &'static str, right: &'static str) -> WalletError {
    WalletError::Row(RowError::Mismatch { left, right })
}

fn totals(host: &Host, now: i64) -> Totals {
    crate::credit_facts::totals(&host.wallet.balance_at(at(now)).unwrap())
}

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Grant {
        amount: i64,
        priority: u8,
        effective: i64,
        life: Option<i64>,
    },
    Hold {
        key: u8,
        units: u64,
        life: i64,
    },
    Settle {
        key: u8,
        cost: i64,
    },
    Draw {
        key: u8,
        total: i64,
    },
    Release {
        key: u8,
    },
    Deduct {
        key: u8,
        units: u64,
    },
    /// The latest request of a key is sent again.
    Again {
        key: u8,
    },
    /// Whoever has the first hold of a key draws on it or ends it, after a later attempt.
    Stale {
        key: u8,
        end: End,
        total: i64,
    },
    Refund {
        key: u8,
        total: i64,
    },
    Revoke {
        grant: u32,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0i64..9).prop_map(Step::Wait),
        2 => (0i64..40, 0u8..3, -3i64..9, prop::option::of(1i64..20))
            .prop_map(|(amount, priority, effective, life)| Step::Grant { amount, priority, effective, life }),
        3 => (0u8..9, 0u64..25, 1i64..12).prop_map(|(key, units, life)| Step::Hold { key, units, life }),
        3 => (0u8..9, 0i64..40).prop_map(|(key, cost)| Step::Settle { key, cost }),
        2 => (0u8..9, 0i64..25).prop_map(|(key, total)| Step::Draw { key, total }),
        1 => (0u8..9).prop_map(|key| Step::Release { key }),
        1 => (0u8..9, 0i64..25).prop_map(|(key, total)| Step::Refund { key, total }),
        1 => (1u32..9).prop_map(|grant| Step::Revoke { grant }),
        1 => (0u8..9, 0u64..25).prop_map(|(key, units)| Step::Deduct { key, units }),
        4 => (0u8..5).prop_map(|key| Step::Again { key }),
        3 => (0u8..5, ends(), 0i64..25).prop_map(|(key, end, total)| Step::Stale { key, end, total }),
    ];
    prop::collection::vec(step, 1..60)
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Draw), Just(End::Settle), Just(End::Release)]
}

fn overages() -> impl Strategy<Value = Overage> {
    prop_oneof![
        Just(Overage::Reject),
        Just(Overage::Cap),
        Just(Overage::Available),
        (0i64..30).prop_map(|limit| Overage::Debt(credits(limit))),
    ]
}

fn policies() -> impl Strategy<Value = CreditPolicy> {
    let late = prop_oneof![
        Just(LateSettle::Refuse),
        Just(LateSettle::Available),
        (0i64..30).prop_map(|limit| LateSettle::Debt(credits(limit))),
    ];
    (overages(), late).prop_map(|(overage, late_settle)| CreditPolicy {
        late_settle,
        ..credit_policy(overage)
    })
}

fn of_model(credit: CreditPolicy) -> crate::model::Policy {
    let whole = |limit: Credits| limit.micros() / 1_000_000;
    let overage = match credit.overage {
        Overage::Reject => crate::model::Overage::Reject,
        Overage::Cap => crate::model::Overage::Cap,
        Overage::Available => crate::model::Overage::Available,
        Overage::Debt(limit) => crate::model::Overage::Debt(whole(limit)),
    };
    let late = match credit.late_settle {
        LateSettle::Refuse => crate::model::Late::Refuse,
        LateSettle::Available => crate::model::Late::Available,
        LateSettle::Debt(limit) => crate::model::Late::Debt(whole(limit)),
    };
    crate::model::Policy {
        overage,
        late,
        late_seconds: credit.late_settle_seconds.into(),
        refund_life: credit.refund_life_seconds.into(),
        most_holds: credit.max_open_holds.into(),
    }
}

/// Carries out one step on the host; the answer's name, or `None` where the step has nothing to act
/// on.
fn carry_out(host: &mut Host, step: &Step, now: i64) -> Option<&'static str> {
    Some(match *step {
        Step::Wait(_) => return None,
        Step::Grant {
            amount,
            priority,
            effective,
            life,
        } => {
            host.grants += 1;
            let terms = GrantTerms {
                amount: credits(amount),
                priority,
                effective_at: Some(at(now + effective)),
                expires_at: life.map(|life| at(now + life)),
                rollover: None,
            };
            host.grant(&format!("grant-{:03}", host.grants), terms, now)
        }
        Step::Hold { key, units, life } => host.hold(key, units, life, now),
        Step::Settle { key, cost } if host.holds.contains_key(&key) => host.settle(key, cost, now),
        Step::Release { key } if host.holds.contains_key(&key) => host.release(key, now),
        Step::Draw { key, total } if host.holds.contains_key(&key) => host.draw(key, total, now),
        Step::Settle { .. } | Step::Release { .. } | Step::Draw { .. } => return None,
        Step::Refund { key, total } => host.refund(key, total, now),
        Step::Revoke { grant } => host.revoke(&format!("grant/promotion/grant-{grant:03}"), now),
        Step::Deduct { key, units } => host.deduct(key, units, now),
        Step::Again { key } => return host.again(key, now),
        Step::Stale { key, end, total } => return host.end_stale(key, end, total, now),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn c1_the_parts_of_a_wallet_add_up_and_equal_the_model(steps in steps(), credit in policies()) {
        let mut host = Host::under(credit);
        let mut model = Model::new(of_model(credit));
        let mut now = 0;
        for step in &steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            model.wait_until(now);
            let held = match step {
                Step::Settle { key, .. } | Step::Release { key } | Step::Draw { key, .. } => host.holds.contains_key(key),
                _ => true,
            };
            let expected = match *step {
                Step::Grant { amount, priority, effective, life } => {
                    let id = format!("grant-{:03}", host.grants + 1);
                    Some(model.grant(&id, amount, priority, now + effective, life.map(|life| now + life)))
                }
                Step::Hold { key, units, life } => Some(model.hold(key, units.try_into().unwrap(), life)),
                Step::Settle { key, cost } if held => Some(model.settle(key, cost)),
                Step::Release { key } if held => Some(model.release(key)),
                Step::Draw { key, total } if held => Some(model.draw(key, total)),
                Step::Refund { key, total } => Some(model.refund(key, total)),
                Step::Revoke { grant } => Some(model.revoke(&format!("grant-{grant:03}"))),
                Step::Deduct { key, units } => Some(model.deduct(key, units.try_into().unwrap())),
                Step::Again { key } => host
                    .asked
                    .get(&key)
                    .map(|(units, life)| model.hold(key, (*units).try_into().unwrap(), *life)),
                Step::Stale { key, .. } => model.stale(key),
                _ => None,
            };
            prop_assert_eq!(carry_out(&mut host, step, now), expected, "{:?} at {}", step, now);
            let totals = totals(&host, now);
            prop_assert_eq!(totals, model.totals(), "after {:?} at {}", step, now);
            let Totals { granted, scheduled, free, held, spent, expired, revoked, debt } = totals;
            prop_assert_eq!(granted, scheduled + free + held + spent + expired + revoked - debt);
            if let Some(last) = host.ledger.last() {
                prop_assert_eq!(last.balance, host.wallet.balance(), "the ledger ends in the wallet's balance");
            }
        }
        // And after every moment to come.
        for later in now..now + 40 {
            model.wait_until(later);
            prop_assert_eq!(totals(&host, later), model.totals());
        }
    }

    #[test]
    fn c2_debt_needs_a_policy_and_keeps_its_limit(steps in steps(), credit in policies()) {
        let mut host = Host::under(credit);
        let overage = if let Overage::Debt(limit) = credit.overage { limit } else { Credits::ZERO };
        let limit = if let LateSettle::Debt(limit) = credit.late_settle { limit.max(overage) } else { overage };
        let mut now = 0;
        for step in &steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            carry_out(&mut host, step, now);
            for balance in host.ledger.iter().map(|entry| entry.balance) {
                prop_assert!(balance.debt <= limit);
            }
            let balance = host.wallet.balance();
            prop_assert!(balance.free.is_zero() || balance.debt.is_zero());
            prop_assert_eq!(balance.available(), balance.free);
        }
    }

    #[test]
    fn c3_a_hold_has_exactly_one_end(steps in steps(), credit in policies()) {
        let mut host = Host::under(credit);
        let overage = credit.overage;
        let mut now = 0;
        for step in &steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            carry_out(&mut host, step, now);
        }
        host.wallet = host.wallet.clone().advance(at(now + 100)).map(|change| host.write(change)).map(|()| host.wallet.clone()).unwrap();
        let (mut amounts, mut drawn, mut late) = (BTreeMap::new(), BTreeMap::<IdempotencyKey, i64>::new(), vec![]);
        let mut ends = BTreeMap::<(IdempotencyKey, u32), u32>::new();
        let (mut attempts, mut charged) = (BTreeMap::<IdempotencyKey, u32>::new(), BTreeSet::new());
        for entry in &host.ledger {
            match &entry.event {
                Event::Held { hold } => {
                    let attempt = attempts.entry(hold.key.clone()).or_insert(0);
                    *attempt += 1;
                    prop_assert_eq!(*attempt, hold.attempt, "attempts are counted from 1");
                    prop_assert!(*attempt == 1 || ends.contains_key(&(hold.key.clone(), *attempt - 1)), "one at a time");
                    prop_assert!(!charged.contains(&hold.key), "nothing was charged for it before");
                    amounts.insert(hold.key.clone(), hold.amount);
                    let sum: i64 = hold.slices.iter().map(|slice| slice.amount.micros()).sum();
                    prop_assert_eq!(sum, hold.amount.micros());
                }
                Event::Settled { hold, captured, beyond, debt, .. } => {
                    *ends.entry((hold.clone(), attempts[hold])).or_default() += 1;
                    charged.insert(hold.clone());
                    prop_assert!(*captured <= amounts[hold]);
                    prop_assert!(captured.micros() >= drawn.get(hold).copied().unwrap_or_default());
                    if matches!(overage, Overage::Reject | Overage::Cap) {
                        prop_assert!(beyond.is_empty() && debt.is_zero());
                    }
                }
                Event::Drawn { hold, amount } => {
                    prop_assert!(!ends.contains_key(&(hold.clone(), attempts[hold])), "drawn while it was open");
                    charged.insert(hold.clone());
                    let total = drawn.entry(hold.clone()).or_default();
                    *total += amount.micros();
                    prop_assert!(*total <= amounts[hold].micros());
                }
                Event::SettledLate { hold, slices, debt, .. } => {
                    let charges = !slices.is_empty() || !debt.is_zero();
                    prop_assert!(ends.contains_key(&(hold.clone(), attempts[hold])));
                    charged.insert(hold.clone());
                    prop_assert!(!charges || credit.late_settle != LateSettle::Refuse);
                    prop_assert!(!late.contains(hold), "settled late once");
                    late.push(hold.clone());
                }
                Event::Released { hold } | Event::HoldExpired { hold } => {
                    *ends.entry((hold.clone(), attempts[hold])).or_default() += 1;
                }
                _ => {}
            }
        }
        let every = |(key, most): (&IdempotencyKey, &u32)| (1..=*most).map(|attempt| ((key.clone(), attempt), 1)).collect::<Vec<_>>();
        let once: BTreeMap<_, _> = attempts.iter().flat_map(every).collect();
        prop_assert_eq!(ends, once, "every hold ended, and once");
    }

    #[test]
    fn c4_a_replay_answers_as_before_and_changes_nothing(steps in steps(), credit in policies()) {
        let mut host = Host::under(credit);
        let mut now = 0;
        for step in &steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            let first = carry_out(&mut host, step, now);
            let (wallet, entries) = (host.wallet.clone(), host.ledger.len());
            if first != Some("fresh") {
                continue;
            }
            // Again at once, and again later: the answer is the first one's.
            for later in [now, now + 1] {
                let (again, other) = match *step {
                    Step::Hold { key, units, life } => {
                        // Once it has run out, the request holds anew.
                        if later < now + life {
                            prop_assert_eq!(host.hold(key, units, life, later), "pending");
                        }
                        ("replayed", Some(host.hold(key, units + 1, life, later)))
                    }
                    Step::Deduct { key, units } => {
                        prop_assert_eq!(host.deduct(key, units, later), "settled");
                        ("replayed", Some(host.hold(key, units, 5, later)))
                    }
                    Step::Settle { key, cost } => {
                        prop_assert_eq!(host.settle(key, cost, later), "settled");
                        prop_assert_eq!(host.settle(key, cost + 1, later), "hold_settled");
                        prop_assert_eq!(host.release(key, later), "hold_settled");
                        ("replayed", None)
                    }
                    Step::Draw { key, total } => {
                        let again = host.draw(key, total, later);
                        prop_assert!(again == "drawn" || (again == "hold_expired" && later > now), "{}", again);
                        ("replayed", None)
                    }
                    Step::Refund { key, total } => {
                        prop_assert_eq!(host.refund(key, total, later), "refunded");
                        prop_assert_eq!(host.refund(key, total - 1, later), "refunded");
                        ("replayed", None)
                    }
                    Step::Revoke { grant } => {
                        prop_assert_eq!(host.revoke(&format!("grant/promotion/grant-{grant:03}"), later), "revoked");
                        ("replayed", None)
                    }
                    Step::Release { key } => {
                        prop_assert_eq!(host.release(key, later), "released");
                        prop_assert_eq!(host.settle(key, 1, later), "hold_released");
                        ("replayed", None)
                    }
                    Step::Grant { amount, priority, effective, life } => {
                        let id = format!("grant-{:03}", host.grants);
                        let terms = GrantTerms {
                            amount: credits(amount),
                            priority,
                            effective_at: Some(at(later + effective)),
                            expires_at: life.map(|life| at(later + life)),
                            rollover: None,
                        };
                        prop_assert_eq!(host.grant(&id, terms.clone(), later), "granted");
                        let more = GrantTerms { amount: credits(amount + 1), ..terms };
                        ("replayed", Some(host.grant(&id, more, later)))
                    }
                    Step::Again { key } => {
                        let (units, life) = host.asked[&key];
                        if later < now + life {
                            prop_assert_eq!(host.again(key, later), Some("pending"));
                        }
                        ("replayed", Some(host.hold(key, units + 1, life, later)))
                    }
                    Step::Stale { .. } | Step::Wait(_) => ("nothing", None),
                };
                prop_assert_eq!(again, "replayed");
                prop_assert!(other.is_none_or(|other| other == "idempotency_key_reused"), "{:?}", other);
                prop_assert_eq!(&host.wallet, &wallet);
                prop_assert_eq!(host.ledger.len(), entries);
            }
        }
    }

    /// The stored wallet is the fold of its ledger, after any course of commands, and so is every
    /// wallet on the way.
    #[test]
    fn c7_the_wallet_is_the_fold_of_its_ledger(steps in steps(), credit in policies()) {
        let mut host = Host::under(credit);
        let mut now = 0;
        for step in &steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            carry_out(&mut host, step, now);
            let replayed = Wallet::replay(&ACCOUNT.into(), host.ledger.clone()).unwrap();
            prop_assert!(replayed.equals_but_for_version(&host.wallet), "after {:?}", step);
        }
    }

    #[test]
    fn c5_how_finely_the_clock_ticks_changes_no_state(steps in steps(), credit in policies()) {
        let mut coarse = Host::under(credit);
        let mut fine = Host::under(credit);
        let mut now = 0;
        for step in steps.iter().chain([&Step::Wait(40)]) {
            if let Step::Wait(seconds) = step {
                for second in now..now + seconds {
                    let ticked = fine.wallet.clone().advance(at(second)).unwrap();
                    fine.write(ticked);
                }
                now += seconds;
            }
            prop_assert_eq!(carry_out(&mut coarse, step, now), carry_out(&mut fine, step, now));
        }
        for host in [&mut coarse, &mut fine] {
            let last = host.wallet.clone().advance(at(now)).unwrap();
            host.write(last);
        }
        let without_version = |wallet: &Wallet| {
            let mut json = serde_json::to_value(wallet).unwrap();
            json["version"] = 0.into();
            json
        };
        prop_assert_eq!(without_version(&coarse.wallet), without_version(&fine.wallet));
        let events = |host: &Host| host.ledger.iter().map(|e| (e.sequence, e.at, e.event.clone(), e.balance)).collect::<Vec<_>>();
        prop_assert_eq!(events(&coarse), events(&fine), "entries differ in nothing but the time of recording");
    }
}

/// A wallet that owes `debt`, at second 0.
fn indebted(debt: i64) -> Host {
    let mut host = Host::new(Overage::Debt(credits(1000)));
    host.grant("first", GrantTerms::forever(credits(1)), 0);
    host.hold(1, 1, 5, 0);
    assert_eq!(host.settle(1, 1 + debt, 0), "fresh");
    assert_eq!(totals(&host, 0).debt, debt);
    host
}

#[test]
fn c5_a_grant_repays_debt_when_it_takes_effect_however_late_anyone_looks() {
    let mut host = indebted(30);
    let terms = GrantTerms {
        amount: credits(100),
        priority: 1,
        effective_at: Some(at(10)),
        expires_at: Some(at(20)),
        rollover: None,
    };
    host.grant("late", terms, 0);
    // Lazy expiry would leave a debt of 30 and let 100 expire.
    let totals = totals(&host, 25);
    assert_eq!((totals.debt, totals.expired), (0, 70));
}

#[test]
fn c2_what_a_release_returns_repays_debt_at_once() {
    let mut host = Host::new(Overage::Debt(credits(1000)));
    host.grant("first", GrantTerms::forever(credits(11)), 0);
    assert_eq!(host.hold(1, 10, 100, 0), "fresh");
    assert_eq!(host.hold(2, 1, 100, 0), "fresh");
    assert_eq!(host.settle(2, 6, 0), "fresh");
    assert_eq!(totals(&host, 0).debt, 5);
    assert_eq!(host.release(1, 1), "fresh");
    let totals = totals(&host, 1);
    assert_eq!((totals.free, totals.debt), (5, 0));
}

#[test]
fn c6_a_hold_pins_its_slices_and_what_lapses_goes_nowhere_else() {
    let mut host = Host::new(Overage::Reject);
    let short = GrantTerms {
        amount: credits(10),
        priority: 1,
        effective_at: None,
        expires_at: Some(at(5)),
        rollover: None,
    };
    host.grant("short", short, 0);
    host.grant(
        "long",
        GrantTerms {
            priority: 1,
            ..GrantTerms::forever(credits(10))
        },
        0,
    );
    assert_eq!(host.hold(1, 15, 100, 0), "fresh");
    // The short grant expires under the hold and can still be settled; what comes back of it has
    // lapsed.
    assert_eq!(host.settle(1, 4, 50), "fresh");
    let totals = totals(&host, 50);
    assert_eq!((totals.spent, totals.expired, totals.free), (4, 6, 10));
    assert_eq!(
        host.wallet.balance().expired,
        credits(6),
        "at once, not at the next look"
    );
}

#[test]
fn c6_what_comes_back_to_an_expired_grant_repays_debt_before_it_lapses() {
    let mut host = Host::new(Overage::Debt(credits(1000)));
    let short = GrantTerms {
        amount: credits(10),
        priority: 1,
        effective_at: None,
        expires_at: Some(at(5)),
        rollover: None,
    };
    host.grant("short", short, 0);
    host.grant("tiny", GrantTerms::forever(credits(1)), 0);
    assert_eq!(host.hold(1, 10, 100, 0), "fresh");
    assert_eq!(host.hold(2, 1, 100, 0), "fresh");
    assert_eq!(host.settle(2, 6, 0), "fresh");
    assert_eq!(host.release(1, 50), "fresh");
    let totals = totals(&host, 50);
    assert_eq!((totals.expired, totals.debt, totals.free), (5, 0, 0));
}

#[test]
fn c5_a_grant_cannot_take_effect_in_the_past() {
    let wallet = Wallet::open(ACCOUNT.into(), at(0))
        .advance(at(10))
        .unwrap()
        .wallet()
        .clone();
    let terms = GrantTerms {
        effective_at: Some(at(3)),
        ..GrantTerms::forever(credits(1))
    };
    // The wallet's time is the store's time, whatever the caller's clock says.
    let Ok(Answer::Fresh(change)) = wallet.grant(&cause("late"), terms, None, at(5)) else {
        panic!("a grant")
    };
    assert_eq!(change.into_result().effective_at, at(10));
}

#[test]
fn a_low_balance_is_told_once() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    let thresholds = [credits(20), credits(8), credits(5), credits(0)];

    // Nothing is crossed on the way up, nor by credits that were short all along.
    let mut told = Vec::new();
    for (number, units) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
        let request = DeductRequest::new(key(number), prices().quote("unit", units).unwrap());
        let wallet = host.wallet.clone();
        let Ok(Answer::Fresh(change)) = wallet.deduct(&host.access, &request, None, at(0)) else {
            panic!("a charge")
        };
        let crossed: Vec<Credits> = change.crossed(&thresholds).collect();
        told.push(crossed);
        host.write(change);
    }
    assert_eq!(told, [vec![], vec![credits(8)], vec![credits(5)], vec![]]);

    // Once it has been above, it is told again, and time alone can cross it too.
    let until = GrantTerms {
        expires_at: Some(at(9)),
        ..GrantTerms::forever(credits(6))
    };
    host.grant("second", until, 1);
    let change = host.wallet.clone().advance(at(9)).unwrap();
    let crossed: Vec<Credits> = change.crossed(&thresholds).collect();
    assert_eq!(crossed, [credits(5)]);
}

#[test]
fn c8_a_hold_is_good_for_its_own_wallet_only() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    assert_eq!(host.hold(1, 5, 100, 0), "fresh");
    let prior = host.prior(&Outcome::spend_key(&key(1)));
    let other = Wallet::open(8.into(), at(0));
    let refused = other.settle(&host.holds[&1], credits(5), prior.as_ref(), at(1));
    assert_eq!(
        refused,
        Err(SettleError::Wallet(mismatch("wallet", "outcome")))
    );
    let without = host
        .wallet
        .clone()
        .settle(&host.holds[&1], credits(5), None, at(1));
    assert_eq!(
        without,
        Err(SettleError::Wallet(mismatch("hold", "outcome"))),
        "a hold that was never written"
    );
    let foreign = Wallet::open(8.into(), at(0));
    let request = HoldRequest {
        key: key(2),
        quote: prices().quote("unit", 0).unwrap(),
        time_to_live: TimeDelta::try_seconds(1).unwrap(),
        fingerprint: None,
    };
    let refused = foreign.hold(&host.access, &request, None, at(1));
    assert_eq!(
        refused,
        Err(HoldError::Wallet(mismatch("wallet", "access")))
    );
}

#[test]
fn c4_a_host_that_forgets_the_prior_outcome_is_refused() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    assert_eq!(host.hold(1, 5, 100, 0), "fresh");
    let request = HoldRequest {
        key: key(1),
        quote: prices().quote("unit", 1).unwrap(),
        time_to_live: TimeDelta::try_seconds(1).unwrap(),
        fingerprint: None,
    };
    let twice = host
        .wallet
        .clone()
        .hold(&host.access, &request, None, at(1));
    assert_eq!(twice, Err(HoldError::Wallet(mismatch("wallet", "outcome"))));
    let twice = host.wallet.clone().grant(
        &cause("first"),
        GrantTerms::forever(credits(10)),
        None,
        at(1),
    );
    assert_eq!(
        twice,
        Err(GrantError::Wallet(mismatch("wallet", "outcome")))
    );
}

#[test]
fn an_exhausted_version_is_not_told_as_a_sum_of_credits() {
    let wallet = Wallet::open(ACCOUNT.into(), at(0));
    let mut stored = serde_json::to_value(&wallet).unwrap();
    stored["version"] = u64::MAX.into();
    let wallet: Wallet = serde_json::from_value(stored).unwrap();
    let error = wallet.advance(at(1)).unwrap_err();
    assert_eq!(error.to_string(), "the version of the wallet is exhausted");
    assert_eq!(error.code(), Code::AmountOverflow);
}

#[test]
fn a_stored_wallet_that_does_not_add_up_is_not_loaded() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    host.hold(1, 5, 100, 0);
    let sound = serde_json::to_value(&host.wallet).unwrap();
    assert!(serde_json::from_value::<Wallet>(sound.clone()).is_ok());
    for (pointer, value, part) in [
        ("/balance/free", "6", "the balance"),
        ("/balance/granted", "11", "the balance"),
        ("/grants/0/free", "6", "of a grant"),
        ("/grants/0/held", "4", "of a grant"),
        ("/holds/0/amount", "4", "of a hold"),
        ("/balance/debt", "1", "the balance"),
        ("/grants/0/grant/amount", "9", "of a grant"),
        ("/holds/0/slices/0/amount", "4", "of a hold"),
        (
            "/holds/0/slices/0/grant",
            "grant/promotion/unknown",
            "a grant that is not there",
        ),
    ] {
        let mut damaged = sound.clone();
        *damaged.pointer_mut(pointer).unwrap() = value.into();
        let error = serde_json::from_value::<Wallet>(damaged).unwrap_err();
        assert!(
            error.to_string().contains("does not add up") && error.to_string().contains(part),
            "{pointer}: {error}"
        );
    }
    // What adds up by counting for nothing: a second grant of the same name, a second hold of the
    // same key.
    for (list, zeroed) in [
        ("grants", vec!["amount", "free", "held"]),
        ("holds", vec!["amount"]),
    ] {
        let mut doubled = sound.clone();
        let mut again = doubled[list][0].clone();
        for field in zeroed {
            let own = if field == "amount" && list == "grants" {
                &mut again["grant"][field]
            } else {
                &mut again[field]
            };
            *own = "0".into();
        }
        if list == "holds" {
            again["slices"] = serde_json::json!([]);
        } else {
            again["scheduled"] = true.into();
            again["grant"]["effective_at"] = serde_json::to_value(at(50)).unwrap();
        }
        doubled[list].as_array_mut().unwrap().push(again);
        assert!(serde_json::from_value::<Wallet>(doubled).is_err(), "{list}");
    }
    let mut scheduled = sound;
    scheduled["grants"][0]["scheduled"] = true.into();
    assert!(serde_json::from_value::<Wallet>(scheduled).is_err());
}

#[test]
fn an_access_that_has_run_out_holds_nothing() {
    let mut tenant = tenant(ACCOUNT);
    let mut plan = Plan::clone(tenant.plan.as_ref().unwrap());
    plan.needs_subscription = true;
    // A plan without a price would outlive its trial.
    plan.price = euros(49);
    tenant.plan = Some(Arc::new(plan));
    let new = Subscription::new(
        1.into(),
        ACCOUNT.into(),
        1.into(),
        PaymentMethod::BankTransfer,
        at(0),
    );
    tenant.subscription = Some(Subscription {
        status: SubscriptionStatus::Trialing,
        trial_end: Some(at(10)),
        ..new
    });
    let principal = Principal::session(1.into()).of_account(ACCOUNT.into());
    let mut host = Host::new(Overage::Reject);
    host.access = validate_account_and_plan(&principal, Some(&tenant), at(0)).unwrap();
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    assert_eq!(host.hold(1, 1, 100, 9), "fresh");
    assert_eq!(host.hold(2, 1, 100, 10), "access_expired");
    assert_eq!(host.deduct(3, 1, 10), "access_expired");
    assert_eq!(
        host.settle(1, 1, 11),
        "fresh",
        "what was held in time can be settled later"
    );
}

#[test]
fn a_refusal_says_what_is_missing() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(3)), 0);
    let quote = prices().quote("unit", 5).unwrap();
    let refused = host.wallet.check(&host.access, &quote, at(0)).unwrap_err();
    assert_eq!(
        refused,
        HoldError::Insufficient {
            needed: credits(5),
            available: credits(3),
            debt: credits(0),
            covered_at: None
        }
    );
    assert_eq!(
        refused.to_string(),
        "this needs 5 credits, and 3 are available"
    );
    assert_eq!(
        host.wallet
            .check(&host.access, &prices().quote("unit", 1).unwrap(), at(0)),
        Ok(credits(2))
    );
    for life in [0, -1, 367 * 86_400] {
        assert_eq!(host.hold(1, 1, life, 0), "hold_time_invalid");
    }
    let unprivileged = Cause::promotion(
        &operator(Privilege::ConfirmPayments),
        &ACCOUNT.into(),
        &key(1),
    );
    assert_eq!(
        unprivileged,
        Err(CauseError::Denied(Denial::PrivilegeMissing(
            Privilege::GrantCredits
        )))
    );
    let own = Cause::promotion(&operator(Privilege::GrantCredits), &1.into(), &key(1));
    assert_eq!(
        own,
        Err(CauseError::Denied(Denial::OwnAccount)),
        "an operator gives nothing to an account of their own"
    );
    let other = Wallet::open(8.into(), at(0)).grant(
        &cause("for-seven"),
        GrantTerms::forever(credits(1)),
        None,
        at(0),
    );
    assert_eq!(
        other,
        Err(GrantError::Wallet(mismatch("wallet", "cause"))),
        "a cause is good for one account"
    );
}

proptest! {
    #[test]
    fn c11_a_quote_is_exact_and_rounds_once(base in 0u64..1_000_000, per_unit in 0u64..1_000_000_000, quantity in 0u64..100_000) {
        for (rounding, word) in [(0i128, "up"), (1, "down"), (2, "half_even")] {
            let json = format!(
                r#"{{ "x": {{ "base": "{}.{:06}", "per_unit": "0.{:012}", "rounding": "{word}" }} }}"#,
                base / 1_000_000, base % 1_000_000, per_unit
            );
            let list: PriceList = serde_json::from_str(&json).unwrap();
            // In integers of 10^-12.
            let exact = i128::from(base) * 1_000_000 + i128::from(per_unit) * i128::from(quantity);
            let (floor, rest) = (exact / 1_000_000, exact % 1_000_000);
            let up = match rounding {
                0 => rest > 0,
                1 => false,
                _ => rest > 500_000 || (rest == 500_000 && floor % 2 == 1),
            };
            let expected = floor + i128::from(up);
            prop_assert_eq!(i128::from(list.quote("x", quantity).unwrap().price().micros()), expected);
        }
    }
}

#[test]
fn c11_prices_out_of_range_are_refused() {
    for price in ["-1", "0.0000000000001", "1000000000001"] {
        let json = format!(r#"{{ "x": {{ "base": "{price}" }} }}"#);
        assert!(serde_json::from_str::<PriceList>(&json).is_err(), "{price}");
    }
    assert!(
        serde_json::from_str::<PriceList>(r#"{ "x": { "base": 0.1 } }"#).is_err(),
        "a binary float"
    );
    let list: PriceList =
        serde_json::from_str(r#"{ "x": { "per_unit": "1000000000000" } }"#).unwrap();
    assert_eq!(list.quote("x", 2), Err(PriceError::TooLarge("x".into(), 2)));
    assert_eq!(
        list.quote("y", 2).unwrap_err().to_string(),
        r#"the price list has no operation "y"; it has x"#
    );
}

/// The course of this wallet is at the end of `tests/tables/credit/holds.txt`.
#[test]
fn a_refusal_says_when_there_is_enough() {
    let mut host = Host::new(Overage::Reject);
    let first = GrantTerms {
        expires_at: Some(at(50)),
        ..GrantTerms::forever(credits(10))
    };
    let second = GrantTerms {
        effective_at: Some(at(30)),
        ..GrantTerms::forever(credits(8))
    };
    host.grant("first", first, 0);
    host.grant("second", second, 0);
    host.hold(1, 7, 20, 0);
    let refused = host
        .wallet
        .check(&host.access, &prices().quote("unit", 12).unwrap(), at(1))
        .unwrap_err();
    assert!(
        matches!(refused, HoldError::Insufficient { covered_at: Some(when), .. } if when == at(30))
    );
    assert!(
        refused
            .to_string()
            .contains("and 3 are available; enough will be there at 2027-01-15T08:00:30Z"),
        "{refused}"
    );
}

/// When a client hears this is in `tests/tables/credit/draws_ended.txt`.
#[test]
fn a_hold_that_has_ended_says_what_was_charged() {
    let drawn = credits(4);
    for error in [
        ReplayError::Released { drawn },
        ReplayError::Expired { drawn },
    ] {
        let told = error.to_string();
        assert!(
            told.ends_with("was charged 4 credits for what was done"),
            "{told}"
        );
    }
}

#[test]
fn c11_tiers_charge_each_unit_at_its_own_price() {
    let list = |tiers: &str| {
        let json = format!(
            r#"{{ "x": {{ "base": "1", "tiers": {tiers}, "per_unit": "0.1", "minimum": "2" }} }}"#
        );
        serde_json::from_str::<PriceList>(&json)
    };
    let prices =
        list(r#"[{ "up_to": 10, "per_unit": "1" }, { "up_to": 100, "per_unit": "0.5" }]"#).unwrap();
    for quantity in [0, 1, 9, 10, 11, 99, 100, 101, 1000] {
        let price = |unit: u64| {
            if unit <= 10 {
                10
            } else if unit <= 100 {
                5
            } else {
                1
            }
        };
        let tenths: u64 = 10 + (1..=quantity).map(price).sum::<u64>();
        let expected = (tenths * 100_000).max(2_000_000);
        assert_eq!(
            prices.quote("x", quantity).unwrap().price().micros(),
            i64::try_from(expected).unwrap(),
            "{quantity}"
        );
    }
    assert_eq!(
        prices.quote("x", 101).unwrap().to_string(),
        "x: 1 + 10 * 1 + 90 * 0.5 + 1 * 0.1 = 56.1 credits"
    );
    assert_eq!(
        prices.quote("x", 0).unwrap().to_string(),
        "x: 1 = 2 credits (the minimum)"
    );
}
