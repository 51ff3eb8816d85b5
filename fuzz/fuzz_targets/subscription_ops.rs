//! Any course of commands at any times: every answer is the oracle's (B1), what has ended stays
//! ended (B2), versions rise by one, periods never run backwards (B4); and what time makes due
//! comes to the same in one step as in two (B2).
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::{AfterRetries, AfterTrial, GraceMode, GraceSettings, PolicySettings};
use bailiwick::subscription::{SubscriptionStatus, Transition};
use bailiwick::{Policy, Subscription};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/model/subscription_facts.rs"]
mod facts;
#[path = "../../tests/model/subscription.rs"]
mod model;

use facts::{at, command, told};
use model::{Every, Model, Order};

const START: i64 = 1_769_860_800;
const DAY: i64 = 86_400;

#[derive(Arbitrary, Debug)]
enum Op {
    StartTrial(u32),
    Pay {
        first: bool,
        months: bool,
        count: u8,
        slack: i32,
    },
    ExpireIncomplete(i32),
    EndTrial(u8, i32),
    EndPeriod(i32),
    ChangePlan(u8),
    ChangePlanAtPeriodEnd(u8),
    Plain(u8),
    StartFree(u8, u8, bool),
    RenewFree(u8, u8, bool),
}

#[derive(Arbitrary, Debug)]
struct Input {
    ops: Vec<(i32, Op)>,
    half: u32,
    wait: u32,
    after_trial: u8,
    cancels: bool,
}

const PLAIN: [&str; 11] = [
    "fail_first_payment",
    "fail_payment",
    "exhaust_retries_then_unpaid",
    "exhaust_retries_then_cancel",
    "mark_unpaid",
    "pause",
    "resume",
    "cancel_now",
    "cancel_at_period_end",
    "withdraw_cancellation",
    "start_pending_plan",
];
const TRIAL_ENDS: [&str; 3] = [
    "end_trial_then_pause",
    "end_trial_then_invoice",
    "end_trial_then_cancel",
];

fn order(op: &Op, now: i64) -> Order {
    let pick = |from: &[&'static str], which: u8| from[usize::from(which) % from.len()];
    match *op {
        Op::StartTrial(until) => Order::StartTrial {
            until: now - DAY + i64::from(until) % (60 * DAY),
        },
        Op::Pay {
            first,
            months,
            count,
            slack,
        } => {
            let count = i64::from(count);
            let every = if months {
                Every::Months(1 + count % 24)
            } else {
                Every::Days(1 + count % 60)
            };
            Order::Pay {
                first,
                every,
                slack: slack.into(),
            }
        }
        Op::ExpireIncomplete(window) => Order::ExpireIncomplete {
            window: window.into(),
        },
        Op::EndTrial(which, slack) => Order::EndTrial {
            row: pick(&TRIAL_ENDS, which),
            slack: slack.into(),
        },
        Op::EndPeriod(slack) => Order::EndPeriod {
            slack: slack.into(),
        },
        Op::ChangePlan(plan) => Order::ChangePlan {
            plan: 3 + i64::from(plan) % 3,
        },
        Op::ChangePlanAtPeriodEnd(plan) => Order::ChangePlanAtPeriodEnd {
            plan: 3 + i64::from(plan) % 3,
        },
        Op::StartFree(plan, days, priced) => Order::StartFree {
            plan: 3 + i64::from(plan) % 3,
            every: Every::Days(1 + i64::from(days) % 60),
            priced,
        },
        Op::RenewFree(plan, months, priced) => Order::RenewFree {
            plan: 3 + i64::from(plan) % 3,
            every: Every::Months(1 + i64::from(months) % 24),
            priced,
        },
        Op::Plain(which) => Order::Plain(pick(&PLAIN, which)),
    }
}

fuzz_target!(|input: Input| {
    let new = Subscription::new(
        1.into(),
        7.into(),
        3.into(),
        PaymentMethod::BankTransfer,
        at(START),
    );
    let (mut subscription, mut now) = (new, START);
    assert_eq!(told(&subscription), Model::new(3, START));
    for (pause, op) in input.ops.iter().take(64) {
        // Mostly forwards, and never so far that the oracle, which counts every year, is kept busy.
        now = (now + i64::from(*pause) % (90 * DAY)).clamp(START - 30 * DAY, START + 36_525 * DAY);
        let order = order(op, now);
        let expected = told(&subscription).apply(&order, now);
        match subscription.clone().apply(command(&order), at(now)) {
            Ok(transition) => {
                let after = transition.subscription();
                assert_eq!(
                    Ok(told(after)),
                    expected,
                    "{order:?} at {now} of {subscription:?}"
                );
                assert_eq!(after.version, subscription.version + 1);
                assert!(!matches!(
                    subscription.status,
                    SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired
                ));
                assert!(
                    after
                        .current_period
                        .is_none_or(|period| period.start < period.end)
                );
                subscription = transition.into_subscription();
            }
            Err(refusal) => {
                assert_eq!(
                    Err(refusal.reason().as_str()),
                    expected,
                    "{order:?} at {now} of {subscription:?}"
                )
            }
        }
    }
    tick(&input, &subscription, now);
});

/// In one step, or with a stop on the way.
fn tick(input: &Input, subscription: &Subscription, now: i64) {
    let policy = Policy::load(PolicySettings {
        renewal_slack_seconds: 3 * 86_400,
        past_due_grace: Some(GraceSettings {
            seconds: 5 * 86_400,
            mode: GraceMode::Full,
        }),
        after_trial: [AfterTrial::Pause, AfterTrial::Invoice, AfterTrial::Cancel]
            [usize::from(input.after_trial) % 3],
        after_grace: if input.cancels {
            AfterRetries::Cancel
        } else {
            AfterRetries::Unpaid
        },
        ..PolicySettings::default()
    })
    .expect("the settings are sound");
    // One of the plans has no price, and another one is not among those that the host has.
    let plans = [
        Arc::new(facts::plan(3, Every::Months(1), true)),
        Arc::new(facts::plan(4, Every::Days(7), false)),
    ];
    let advance = |from: &Subscription, to: i64| {
        let last = policy.advance_subscription(from, &plans, at(to)).pop();
        last.map_or_else(|| from.clone(), Transition::into_subscription)
    };
    let wait = i64::from(input.wait) % (400 * DAY);
    let once = advance(subscription, now + wait);
    let twice = advance(
        &advance(subscription, now + i64::from(input.half) % (wait + 1)),
        now + wait,
    );
    // A period without a price that was begun on the way is one write more, and nothing else.
    let twice = Subscription {
        version: once.version,
        ..twice
    };
    assert_eq!(once, twice);
    assert_eq!(policy.command_due(&once, &plans, at(now + wait)), None);
}
