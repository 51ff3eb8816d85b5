//! The wallet against the naive second wallet, as two state machines that take the same steps.
//! Unlike the free sequences of `credit.rs`, a step is drawn for the state that the model is in:
//! keys that are held, amounts near what they hold, months that are near. So long sequences stay
//! meaningful, and a failure shrinks to a short one that is too.

use std::collections::BTreeMap;

use crate::credit_facts::totals;
use crate::model::{Model, Totals};
use crate::support::host::{ACCOUNT, Host, credit_policy, month};
use crate::support::{at, credits};
use bailiwick::credit::{GrantTerms, Rollover};
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use bailiwick::{Credits, Wallet};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// How long a month lasts here. Its grants are entered as hosts stored them before credits followed
/// paid time: larger plans added to them, and what they left rolled over.
const MONTH: i64 = 10;
const MONTHS: i64 = 12;

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Grant {
        amount: i64,
        priority: u8,
        effective: i64,
        life: Option<i64>,
    },
    Month {
        number: i64,
        amount: i64,
        keep: Option<(i64, i64)>,
    },
    Hold {
        key: u8,
        units: i64,
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
        units: i64,
    },
    Refund {
        key: u8,
        total: i64,
    },
    RevokeGrant(u32),
    RevokeMonth(i64),
}

/// The model, and what is needed to draw a step that means something.
#[derive(Clone, Debug)]
struct Reference {
    credit: CreditPolicy,
    model: Model,
    now: i64,
    grants: u32,
    /// What each key holds, or held.
    holds: BTreeMap<u8, i64>,
    answer: &'static str,
}

fn promotion(number: u32) -> String {
    format!("grant/promotion/grant-{number:03}")
}

/// Asked for at every step, so not derived anew.
fn months() -> &'static [String] {
    static MONTHS_OF_THE_YEAR: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    MONTHS_OF_THE_YEAR.get_or_init(|| (0..12).map(|number| month(number).unwrap().0).collect())
}

fn month_id(number: i64) -> &'static str {
    &months()[usize::try_from(number).unwrap()]
}

fn bounds_of(number: i64) -> (i64, i64) {
    (number * MONTH, (number + 1) * MONTH)
}

fn policies() -> impl Strategy<Value = CreditPolicy> {
    let overage = prop_oneof![
        Just(Overage::Reject),
        Just(Overage::Cap),
        Just(Overage::Available),
        (0i64..30).prop_map(|limit| Overage::Debt(credits(limit))),
    ];
    let late = prop_oneof![
        Just(LateSettle::Refuse),
        Just(LateSettle::Available),
        (0i64..30).prop_map(|limit| LateSettle::Debt(credits(limit))),
    ];
    (overage, late).prop_map(|(overage, late_settle)| CreditPolicy {
        late_settle,
        ..credit_policy(overage)
    })
}

fn of_model(credit: CreditPolicy) -> crate::model::Policy {
    let whole = |limit: Credits| limit.micros() / 1_000_000;
    crate::model::Policy {
        overage: match credit.overage {
            Overage::Reject => crate::model::Overage::Reject,
            Overage::Cap => crate::model::Overage::Cap,
            Overage::Available => crate::model::Overage::Available,
            Overage::Debt(limit) => crate::model::Overage::Debt(whole(limit)),
        },
        late: match credit.late_settle {
            LateSettle::Refuse => crate::model::Late::Refuse,
            LateSettle::Available => crate::model::Late::Available,
            LateSettle::Debt(limit) => crate::model::Late::Debt(whole(limit)),
        },
        late_seconds: credit.late_settle_seconds.into(),
        refund_life: credit.refund_life_seconds.into(),
        most_holds: credit.max_open_holds.into(),
    }
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let begin = |credit| {
            let (model, holds) = (Model::new(of_model(credit)), BTreeMap::new());
            Self {
                credit,
                model,
                now: 0,
                grants: 0,
                holds,
                answer: "",
            }
        };
        policies().prop_map(begin).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let next_key = u8::try_from(state.holds.len()).unwrap();
        let this_month = state.now / MONTH;
        let mut steps = vec![
            (3, (1i64..6).prop_map(Step::Wait).boxed()),
            (
                1,
                (0i64..20, 0u8..3, -3i64..9, prop::option::of(1i64..25))
                    .prop_map(|(amount, priority, effective, life)| Step::Grant {
                        amount,
                        priority,
                        effective,
                        life,
                    })
                    .boxed(),
            ),
            (
                3,
                (
                    this_month - 1..this_month + 2,
                    0i64..30,
                    prop::option::of((0i64..8, 0i64..20)),
                )
                    .prop_map(|(number, amount, keep)| Step::Month {
                        number,
                        amount,
                        keep,
                    })
                    .boxed(),
            ),
            (
                4,
                (0i64..15, 1i64..15)
                    .prop_map(move |(units, life)| Step::Hold {
                        key: next_key,
                        units,
                        life,
                    })
                    .boxed(),
            ),
            (
                1,
                (next_key..=next_key, 0i64..9)
                    .prop_map(|(key, units)| Step::Deduct { key, units })
                    .boxed(),
            ),
            (1, (1..state.grants + 2).prop_map(Step::RevokeGrant).boxed()),
            (
                1,
                (this_month - 1..this_month + 2)
                    .prop_map(Step::RevokeMonth)
                    .boxed(),
            ),
        ];
        if !state.holds.is_empty() {
            let held: Vec<(u8, i64)> = state
                .holds
                .iter()
                .map(|(key, amount)| (*key, *amount))
                .collect();
            // The latest first, so that most are still open.
            let held = prop::sample::select(held.iter().rev().take(4).copied().collect::<Vec<_>>());
            let near =
                (held, -3i64..4).prop_map(|((key, amount), more)| (key, (amount + more).max(0)));
            let within = |(key, amount): (u8, i64), part: i64| (key, amount * part / 4);
            let part = near
                .clone()
                .prop_flat_map(move |of| (0i64..5).prop_map(move |part| within(of, part)));
            steps.extend([
                (
                    3,
                    near.clone()
                        .prop_map(|(key, cost)| Step::Settle { key, cost })
                        .boxed(),
                ),
                (
                    3,
                    part.clone()
                        .prop_map(|(key, total)| Step::Draw { key, total })
                        .boxed(),
                ),
                (
                    1,
                    near.clone()
                        .prop_map(|(key, _)| Step::Release { key })
                        .boxed(),
                ),
                (
                    2,
                    part.prop_map(|(key, total)| Step::Refund { key, total })
                        .boxed(),
                ),
                // The same key again: another request, or the same.
                (
                    1,
                    near.clone()
                        .prop_map(|(key, units)| Step::Hold {
                            key,
                            units,
                            life: 5,
                        })
                        .boxed(),
                ),
                (
                    1,
                    near.prop_map(|(key, units)| Step::Deduct { key, units })
                        .boxed(),
                ),
            ]);
        }
        prop::strategy::Union::new_weighted(steps).boxed()
    }

    fn preconditions(state: &Self, step: &Step) -> bool {
        match step {
            // Only a key that holds, or held, has what settles it.
            Step::Settle { key, .. } | Step::Draw { key, .. } | Step::Release { key } => {
                state.holds.contains_key(key)
            }
            Step::Month { number, .. } | Step::RevokeMonth(number) => (0..MONTHS).contains(number),
            Step::Wait(seconds) => state.now + seconds < MONTHS * MONTH,
            _ => true,
        }
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        let (model, now) = (&mut state.model, state.now);
        state.answer = match *step {
            Step::Wait(seconds) => {
                state.now += seconds;
                model.wait_until(state.now);
                ""
            }
            Step::Grant {
                amount,
                priority,
                effective,
                life,
            } => {
                state.grants += 1;
                let expires = life.map(|life| now + life);
                model.grant(
                    &promotion(state.grants),
                    amount,
                    priority,
                    now + effective,
                    expires,
                )
            }
            Step::Month {
                number,
                amount,
                keep,
            } => {
                let keeps = keep.filter(|_| number > 0);
                let keeps =
                    keeps.map(|(least, most)| (month_id(number - 1).to_owned(), least, most));
                model.month(month_id(number), amount, bounds_of(number), keeps)
            }
            Step::Hold { key, units, life } => {
                let answer = model.hold(key, units, life);
                if answer == "fresh" {
                    state.holds.insert(key, units);
                }
                answer
            }
            Step::Settle { key, cost } => model.settle(key, cost),
            Step::Draw { key, total } => model.draw(key, total),
            Step::Release { key } => model.release(key),
            Step::Deduct { key, units } => model.deduct(key, units),
            Step::Refund { key, total } => model.refund(key, total),
            Step::RevokeGrant(number) => model.revoke(&promotion(number)),
            Step::RevokeMonth(number) => model.revoke(month_id(number)),
        };
        state
    }
}

struct Wallets;

impl StateMachineTest for Wallets {
    type SystemUnderTest = Host;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Host {
        Host::under(reference.credit)
    }

    fn apply(mut host: Host, reference: &Reference, step: Step) -> Host {
        let now = reference.now;
        let answer = match step {
            Step::Wait(_) => "",
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
            Step::Month {
                number,
                amount,
                keep,
            } => {
                let (start, end) = bounds_of(number);
                let rollover = keep
                    .filter(|_| number > 0)
                    .map(|(minimum, maximum)| Rollover {
                        from: month_id(number - 1).into(),
                        minimum: credits(minimum),
                        maximum: credits(maximum),
                    });
                let terms = GrantTerms {
                    amount: credits(amount),
                    priority: GrantTerms::PRIORITY,
                    effective_at: Some(at(start)),
                    expires_at: Some(at(end)),
                    rollover,
                };
                host.enter_month(month_id(number), &terms, at(now))
            }
            Step::Hold { key, units, life } => host.hold(key, units.try_into().unwrap(), life, now),
            Step::Settle { key, cost } => host.settle(key, cost, now),
            Step::Draw { key, total } => host.draw(key, total, now),
            Step::Release { key } => host.release(key, now),
            Step::Deduct { key, units } => host.deduct(key, units.try_into().unwrap(), now),
            Step::Refund { key, total } => host.refund(key, total, now),
            Step::RevokeGrant(number) => host.revoke(&promotion(number), now),
            Step::RevokeMonth(number) => host.revoke(month_id(number), now),
        };
        assert_eq!(answer, reference.answer, "{step:?} at {now}");
        host
    }

    fn check_invariants(host: &Host, reference: &Reference) {
        // Now, and after moments to come.
        let mut model = reference.model.clone();
        for later in [0, 1, 4, MONTH, 2 * MONTH] {
            model.wait_until(reference.now + later);
            let seen = totals(&host.wallet.balance_at(at(reference.now + later)).unwrap());
            assert_eq!(seen, model.totals(), "in {later} seconds");
            let Totals {
                granted,
                scheduled,
                free,
                held,
                spent,
                expired,
                revoked,
                debt,
            } = seen;
            assert_eq!(
                granted,
                scheduled + free + held + spent + expired + revoked - debt
            );
            assert!(free == 0 || debt == 0);
        }
        let replayed = Wallet::replay(&ACCOUNT.into(), host.ledger.iter().cloned()).unwrap();
        assert!(replayed.equals_but_for_version(&host.wallet));
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn c1_wallet_and_model_take_the_same_steps(sequential 1..80 => Wallets);
}
