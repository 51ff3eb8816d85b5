//! Subscriptions: any story against the model, and what no script can say. Every course of commands
//! is in `tests/tables/subscription/`.

use std::sync::Arc;

use crate::facts::{at, command, interval, plan, seconds, told};
use crate::model::{Every, Model, Order};
use crate::support::root::in_tree;
use bailiwick::account::AccountStatus;
use bailiwick::id::PlanId;
use bailiwick::money::Currency;
use bailiwick::paid_time::{Fact, Stop};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{AfterRetries, AfterTrial, PolicySettings};
use bailiwick::problem::Explained;
use bailiwick::right::Privileges;
use bailiwick::subscription::{
    Command, CommandKind, Effect, PendingPlan, ProrationError, RecordedPayment, Refusal,
    RefusalReason, Resubscription, SubscriptionStatus as Status, SuccessionError, Transition,
};
use bailiwick::{
    Account, Code, Credits, Money, Plan, Policy, Principal, Problem, Subscription, Tenant,
    transition,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

const DAY: i64 = 86_400;
/// 2026-01-31T12:00:00Z, a day that most months lack.
const START: i64 = 1_769_860_800;

fn on(day: &str) -> DateTime<Utc> {
    format!("{day}T00:00:00Z").parse().unwrap()
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::try_days(days).unwrap()
}

fn new(now: DateTime<Utc>) -> Subscription {
    Subscription::new(
        1.into(),
        7.into(),
        3.into(),
        PaymentMethod::BankTransfer,
        now,
    )
}

/// A month, paid by bank transfer, with three days' slack.
fn month(id: &str) -> RecordedPayment {
    RecordedPayment {
        interval: Interval::MONTHLY,
        slack: days(3),
        method: PaymentMethod::BankTransfer,
        external_id: Some(id.to_owned()),
    }
}

/// A subscription in a status, with a period from 31 January to 28 February 2026, and in trial a
/// trial as long.
fn in_status(status: Status) -> Subscription {
    let period = Period {
        start: on("2026-01-31"),
        end: on("2026-02-28"),
    };
    Subscription {
        status,
        current_period: (status != Status::Incomplete).then_some(period),
        trial_end: (status == Status::Trialing).then_some(period.end),
        past_due_since: (status == Status::PastDue).then_some(on("2026-02-10")),
        ..new(period.start)
    }
}

/// Every command once, with data that nothing but the status can refuse, at a time when the period
/// is over or runs as the command needs it.
fn commands(now: DateTime<Utc>) -> Vec<Command> {
    vec![
        Command::StartTrial {
            until: now + days(14),
        },
        Command::Activate(month("A")),
        Command::FailFirstPayment,
        Command::ExpireIncomplete {
            window: TimeDelta::zero(),
        },
        Command::EndTrial {
            then: AfterTrial::Pause,
            slack: TimeDelta::zero(),
        },
        Command::EndTrial {
            then: AfterTrial::Invoice,
            slack: TimeDelta::zero(),
        },
        Command::EndTrial {
            then: AfterTrial::Cancel,
            slack: TimeDelta::zero(),
        },
        Command::RecordPayment(month("B")),
        Command::FailPayment,
        Command::ExhaustRetries {
            then: AfterRetries::Unpaid,
        },
        Command::ExhaustRetries {
            then: AfterRetries::Cancel,
        },
        Command::MarkUnpaid,
        Command::Pause,
        Command::Resume,
        Command::CancelNow,
        Command::CancelAtPeriodEnd,
        Command::WithdrawCancellation,
        Command::EndPeriod {
            slack: TimeDelta::zero(),
        },
        Command::ChangePlan { plan: 4.into() },
        Command::ChangePlanAtPeriodEnd { plan: 4.into() },
        Command::StartPendingPlan,
        Command::StartFree { plan: free(3) },
        Command::StartFree { plan: free(5) },
        Command::RenewFree { plan: free(3) },
    ]
}

/// A plan without a price, every month.
fn free(id: i64) -> Arc<Plan> {
    Arc::new(plan(id, Every::Months(1), false))
}

fn refusal(subscription: &Subscription, command: Command, now: DateTime<Utc>) -> Refusal {
    subscription.clone().apply(command, now).unwrap_err()
}

fn effects(transition: &Transition) -> Vec<Effect> {
    transition.effects().cloned().collect()
}

/// Compares a page of the manual with what the table says, or writes it when asked to.
fn check_page(name: &str, page: &str) {
    let path = in_tree(format!("src/manual/{name}"));
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{name} is not what the table says; run UPDATE_MANUAL=1 cargo test --test subscription"
    );
}

#[test]
fn b1_the_manual_is_what_the_table_says() {
    check_page("transitions.md", &crate::documents::markdown());
    check_page("transitions.svg", &crate::documents::diagram());
}

#[test]
fn b1_every_cell_is_what_the_oracle_says() {
    for status in Status::ALL {
        for &command in CommandKind::ALL {
            let cell = transition(status, command)
                .map(Status::as_str)
                .map_err(RefusalReason::as_str);
            assert_eq!(
                cell,
                crate::model::oracle(status.as_str(), command.as_str()),
                "{status:?} {command:?}"
            );
        }
    }
    for &command in CommandKind::ALL {
        assert_eq!(
            transition(Status::Unknown, command),
            Err(RefusalReason::StatusUnknown)
        );
    }
}

#[test]
fn b1_labels_are_distinct() {
    let kinds: std::collections::BTreeSet<_> =
        CommandKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let reasons: std::collections::BTreeSet<_> = RefusalReason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    assert_eq!(
        (kinds.len(), reasons.len()),
        (CommandKind::ALL.len(), RefusalReason::ALL.len())
    );
}

/// Whether a row is reached by a flag of the subscription instead of by a command's data.
fn needs_flag(kind: CommandKind) -> bool {
    matches!(
        kind,
        CommandKind::EndLastPeriod | CommandKind::WithdrawCancellation
    )
}

/// A plan that waits for the period from 31 January to 28 February, which was paid early.
fn waiting() -> Option<PendingPlan> {
    Some(PendingPlan {
        plan: 5.into(),
        at: on("2026-01-31"),
    })
}

#[test]
fn b1_apply_does_what_the_table_says() {
    let mut reached = Vec::new();
    for status in Status::ALL.into_iter().chain([Status::Unknown]) {
        for flag in [false, true] {
            // In the middle of the period, and after it.
            for now in [on("2026-02-14"), on("2026-03-14")] {
                for command in commands(now) {
                    let is_start = command == Command::StartPendingPlan;
                    let is_free = command == Command::StartFree { plan: free(5) };
                    let pending_plan = waiting().filter(|_| (is_start || is_free) && !flag);
                    let before = Subscription {
                        cancel_at_period_end: flag,
                        free_period: is_free,
                        pending_plan,
                        ..in_status(status)
                    };
                    match before.clone().apply(command, now) {
                        Ok(done) => {
                            let kind = done.command().unwrap();
                            assert_eq!(transition(status, kind), Ok(done.to()));
                            assert_eq!(
                                (done.from(), done.expected_version()),
                                (status, before.version)
                            );
                            assert_eq!(done.subscription().version, before.version + 1);
                            assert_eq!(done.subscription().id, before.id);
                            assert_eq!(done.subscription().account, before.account);
                            assert!(needs_flag(kind) <= flag);
                            reached.push((status, kind));
                        }
                        Err(refusal) => {
                            assert_eq!(refusal.status(), status);
                            if let Err(reason) = transition(status, refusal.command()) {
                                assert_eq!(refusal.reason(), reason);
                            }
                        }
                    }
                }
            }
        }
    }
    // Whatever the table allows is possible at some time.
    for status in Status::ALL {
        for &kind in CommandKind::ALL {
            assert_eq!(
                transition(status, kind).is_ok(),
                reached.contains(&(status, kind)),
                "{status:?} {kind:?}"
            );
        }
    }
}

#[test]
fn b2_terminal_states_absorb_every_command() {
    for status in [Status::Canceled, Status::IncompleteExpired, Status::Unknown] {
        let reason = if status == Status::Unknown {
            RefusalReason::StatusUnknown
        } else {
            RefusalReason::Terminal
        };
        for flag in [false, true] {
            let ended = Subscription {
                cancel_at_period_end: flag,
                ..in_status(status)
            };
            for now in [on("2020-01-01"), on("2026-02-14"), on("2126-01-01")] {
                for command in commands(now) {
                    assert_eq!(refusal(&ended, command, now).reason(), reason);
                }
                let refused = ended.clone().record_payment(month("C"), now).unwrap_err();
                assert_eq!(refused.reason(), reason);
            }
        }
    }
}

/// The slack of a payment: none for who was shut out.
fn slack_of(before: &Subscription, slack: i64) -> TimeDelta {
    let was_in = [Status::Trialing, Status::Active, Status::PastDue].contains(&before.status);
    seconds(if was_in { slack.max(0) } else { 0 })
}

/// When the next command comes.
#[derive(Clone, Copy, Debug)]
enum When {
    /// So many seconds after the last one; before it, if negative.
    Later(i64),
    /// So many seconds after the end of the trial or period.
    FromEnd(i64),
}

fn any_when() -> impl Strategy<Value = When> {
    prop_oneof![
        3 => (0..40 * DAY).prop_map(When::Later),
        1 => (-5 * DAY..0).prop_map(When::Later),
        4 => prop::sample::select(vec![-DAY, -1, 0, 1, 3 * DAY - 1, 3 * DAY, 3 * DAY + 1, 9 * DAY]).prop_map(When::FromEnd),
    ]
}

fn any_every() -> impl Strategy<Value = Every> {
    prop_oneof![1 => (1i64..40).prop_map(Every::Days), 4 => (1i64..=13).prop_map(Every::Months)]
}

fn any_slack() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(3 * DAY), -DAY..9 * DAY]
}

/// A command; that of a trial ends so many seconds after it is given.
fn any_order() -> impl Strategy<Value = Order> {
    let pay = (any::<bool>(), any_every(), any_slack());
    let plain = prop::sample::select(vec![
        "fail_first_payment",
        "fail_payment",
        "fail_payment",
        "exhaust_retries_then_unpaid",
        "pause",
        "resume",
        "exhaust_retries_then_cancel",
        "mark_unpaid",
        "cancel_now",
        "cancel_at_period_end",
        "withdraw_cancellation",
        "start_pending_plan",
        "start_pending_plan",
    ]);
    let trial_ends = [
        "end_trial_then_pause",
        "end_trial_then_invoice",
        "end_trial_then_cancel",
    ];
    prop_oneof![
        2 => (-1..40 * DAY).prop_map(|until| Order::StartTrial { until }),
        8 => pay.prop_map(|(first, every, slack)| Order::Pay { first, every, slack }),
        1 => (-DAY..2 * DAY).prop_map(|window| Order::ExpireIncomplete { window }),
        2 => (prop::sample::select(trial_ends.to_vec()), any_slack())
            .prop_map(|(row, slack)| Order::EndTrial { row, slack }),
        3 => any_slack().prop_map(|slack| Order::EndPeriod { slack }),
        2 => (3i64..6).prop_map(|plan| Order::ChangePlan { plan }),
        3 => (3i64..6).prop_map(|plan| Order::ChangePlanAtPeriodEnd { plan }),
        3 => any_free().prop_map(|(plan, every, priced)| Order::StartFree { plan, every, priced }),
        3 => any_free().prop_map(|(plan, every, priced)| Order::RenewFree { plan, every, priced }),
        6 => plain.prop_map(Order::Plain),
    ]
}

/// A plan that starts or renews by time: one with a price is refused.
fn any_free() -> impl Strategy<Value = (i64, Every, bool)> {
    (3i64..6, any_every(), prop::bool::weighted(0.1))
}

fn any_story() -> impl Strategy<Value = Vec<(When, Order)>> {
    prop::collection::vec((any_when(), any_order()), 1..40)
}

/// Plays a story. Each step is shown the subscription before it, the time, the command and what
/// became of it.
fn play(
    story: Vec<(When, Order)>,
    mut look: impl FnMut(&Subscription, i64, &Order, &Result<Transition, Refusal>),
) -> Subscription {
    let (mut subscription, mut now) = (new(at(START)), START);
    assert_eq!(told(&subscription), Model::new(3, START));
    for (when, mut order) in story {
        let end = subscription
            .current_period
            .map(|period| period.end.timestamp());
        now = match when {
            When::Later(seconds) => now + seconds,
            When::FromEnd(seconds) => end.unwrap_or(now) + seconds,
        };
        if let Order::StartTrial { until } = &mut order {
            *until += now;
        }
        let result = subscription.clone().apply(command(&order), at(now));
        look(&subscription, now, &order, &result);
        if let Ok(transition) = result {
            subscription = transition.into_subscription();
        }
    }
    subscription
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b1_any_story_goes_as_in_the_model(story in any_story()) {
        play(story, |before, now, order, result| {
            let expected = told(before).apply(order, now);
            match result {
                Ok(done) => assert_eq!(Ok(told(done.subscription())), expected, "{order:?} at {now} of {before:?}"),
                Err(refusal) => assert_eq!(Err(refusal.reason().as_str()), expected, "{order:?} at {now} of {before:?}"),
            }
        });
    }

    #[test]
    fn b2_terminal_states_absorb_any_story(story in any_story()) {
        let mut ended = false;
        play(story, |before, _, _, result| {
            ended |= matches!(before.status, Status::Canceled | Status::IncompleteExpired);
            assert!(!(ended && result.is_ok()));
        });
    }

    #[test]
    fn b1_versions_rise_by_one(story in any_story()) {
        let mut changes = 0;
        let last = play(story, |before, _, _, result| {
            assert_eq!(before.version, 1 + changes);
            if let Ok(done) = result {
                assert_eq!(done.expected_version(), before.version);
                changes += 1;
            }
        });
        prop_assert_eq!(last.version, 1 + changes);
    }

    /// Periods that a story opens follow each other without a gap, or start anew at the time of
    /// payment.
    #[test]
    fn b4_paid_periods_neither_overlap_nor_leave_a_gap_within_the_slack(story in any_story()) {
        play(story, |before, now, order, result| {
            let (Order::Pay { slack, .. }, Ok(done)) = (order, result) else { return };
            let period = done.subscription().current_period.unwrap();
            assert!(period.start < period.end);
            let waits = before.free_period && before.pending_plan.as_ref().is_some_and(|pending| pending.at <= at(now));
            match before.current_period.map(|before| before.end) {
                // Nothing was paid for the rest of this period.
                Some(_) if waits => assert_eq!(period.start, at(now)),
                Some(end) if at(now) < end + slack_of(before, *slack) => assert_eq!(period.start, end),
                Some(end) => assert!(period.start == at(now) && end <= period.start),
                None => assert_eq!(period.start, at(now)),
            }
        });
    }

    /// The effects, from what changed alone.
    #[test]
    fn effects_are_what_changed(story in any_story()) {
        play(story, |before, _, order, result| {
            let Ok(done) = result else { return };
            let after = done.subscription();
            let mut expected = Vec::new();
            let served = |status| [Status::Trialing, Status::Active, Status::PastDue].contains(&status);
            match (served(before.status), served(after.status)) {
                (false, true) => expected.push(Effect::ServiceStarted),
                (true, false) => expected.push(Effect::ServiceEnded),
                _ => {}
            }
            match (before.past_due_since, after.past_due_since) {
                (None, Some(since)) => expected.push(Effect::PastDueEntered { since }),
                (Some(_), None) if after.status == Status::Active => expected.push(Effect::PastDueCleared),
                _ => {}
            }
            let period = after.current_period;
            match order {
                Order::Pay { .. } => expected.push(Effect::PeriodPaid { period: period.unwrap() }),
                Order::StartTrial { .. } => expected.push(Effect::TrialStarted { period: period.unwrap() }),
                _ => {}
            }
            if before.plan != after.plan {
                expected.push(Effect::PlanChanged { from: before.plan.clone(), to: after.plan.clone() });
            }
            assert_eq!(effects(done), expected);
            let labels: std::collections::BTreeSet<_> = done.effects().map(Effect::label).collect();
            assert_eq!(labels.len(), expected.len(), "each has a label of its own");
        });
    }

    /// Access never outlasts the trial, the paid period with its slack, or the grace, though no job
    /// ever runs.
    #[test]
    fn b2_access_is_status_and_now(story in any_story(), wait in 0..60 * DAY) {
        let gate = Gate::new();
        let mut paid_until = i64::MIN;
        let mut last = START;
        let mut due = None;
        let subscription = play(story.into_iter().filter(|(_, order)| !is_job(order)).collect(), |before, now, order, result| {
            last = now;
            let Ok(done) = result else { return };
            if let Order::Pay { .. } | Order::StartTrial { .. } = order {
                paid_until = done.subscription().current_period.unwrap().end.timestamp();
            }
            due = match (done.from(), done.to()) {
                (Status::PastDue, Status::PastDue) => due,
                (_, Status::PastDue) => Some(now.min(before.current_period.map_or(now, |period| period.end.timestamp()))),
                _ => None,
            };
        });
        let now = last + wait;
        let slack = if subscription.cancel_at_period_end { 0 } else { SLACK };
        let expected = match subscription.status {
            Status::Trialing | Status::Active => now < paid_until + slack,
            Status::PastDue => due.is_some_and(|due| now < due + GRACE),
            _ => false,
        };
        prop_assert_eq!(gate.admits(&subscription, at(now)), expected, "{:?} at {}", subscription, at(now));
    }

    #[test]
    fn a_subscription_survives_its_store(story in any_story()) {
        let subscription = play(story, |_, _, _, _| {});
        let text = serde_json::to_string(&subscription).unwrap();
        prop_assert_eq!(serde_json::from_str::<Subscription>(&text).unwrap(), subscription);
    }
}

const SLACK: i64 = 3 * DAY;
const GRACE: i64 = 5 * DAY;

/// Whether a command is what a job would do when time has run out.
fn is_job(order: &Order) -> bool {
    matches!(
        order,
        Order::EndTrial { .. }
            | Order::EndPeriod { .. }
            | Order::ExpireIncomplete { .. }
            | Order::StartFree { .. }
            | Order::RenewFree { .. }
    )
}

/// The gate, before a tenant who is well but for the subscription.
struct Gate {
    policy: Policy,
    plan: Arc<Plan>,
}

impl Gate {
    fn new() -> Self {
        let settings = format!(
            r#"{{ "renewal_slack_seconds": {SLACK}, "past_due_grace": {{ "seconds": {GRACE}, "mode": "full" }} }}"#
        );
        let settings: PolicySettings = serde_json::from_str(&settings).unwrap();
        let plan = Plan {
            id: 3.into(),
            active: true,
            price: Money::new("49".parse().unwrap(), Currency::EUR).unwrap(),
            interval: Interval::MONTHLY,
            credits: Credits::ZERO,
            credits_every: Interval::MONTHLY,
            trial_credits: None,
            needs_subscription: true,
            quotas: Default::default(),
            concurrency: Default::default(),
        };
        Self {
            policy: Policy::load(settings).unwrap(),
            plan: Arc::new(plan),
        }
    }

    fn admits(&self, subscription: &Subscription, now: DateTime<Utc>) -> bool {
        let account = Account {
            id: 7.into(),
            status: AccountStatus::Active,
            payment_method: PaymentMethod::BankTransfer,
            version: 1,
            privileges: Privileges::NONE,
            registered_at: None,
        };
        let tenant = Tenant {
            account,
            plan: Some(Arc::new(Plan {
                id: subscription.plan.clone(),
                ..Plan::clone(&self.plan)
            })),
            next_plan: None,
            subscription: Some(subscription.clone()),
            sites: Arc::from([]),
        };
        let principal = Principal::session(1.into()).of_account(7.into());
        self.policy
            .validate_account_and_plan(&principal, Some(&tenant), now)
            .is_ok()
    }
}

#[test]
fn b2_what_has_run_out_needs_no_job() {
    let gate = Gate::new();
    for status in Status::ALL.into_iter().chain([Status::Unknown]) {
        for flag in [false, true] {
            let subscription = Subscription {
                cancel_at_period_end: flag,
                ..in_status(status)
            };
            // 31 January to 28 February; past due since 10 February.
            let until = match (status, flag) {
                (Status::Trialing | Status::Active, true) => Some(on("2026-02-28")),
                (Status::Trialing | Status::Active, false) => Some(on("2026-03-03")),
                (Status::PastDue, _) => Some(on("2026-02-15")),
                _ => None,
            };
            for day in 0..200 {
                for second in [-1, 0, 1] {
                    let now = on("2026-02-01") + days(day) + seconds(second);
                    let expected = until.is_some_and(|until| now < until);
                    assert_eq!(
                        gate.admits(&subscription, now),
                        expected,
                        "{status:?} {flag} at {now}"
                    );
                }
            }
        }
    }
}

#[test]
fn b2_what_was_to_end_can_only_be_canceled() {
    let end = on("2026-02-28");
    for status in [
        Status::Trialing,
        Status::Active,
        Status::PastDue,
        Status::Unpaid,
        Status::Paused,
    ] {
        let subscription = Subscription {
            cancel_at_period_end: true,
            ..in_status(status)
        };
        for command in commands(end) {
            match subscription.clone().apply(command, end) {
                Ok(done) => {
                    assert_eq!(done.to(), Status::Canceled);
                    assert!(!done.subscription().cancel_at_period_end);
                }
                Err(refusal) => {
                    let by_table = transition(status, refusal.command());
                    assert_eq!(
                        refusal.reason(),
                        by_table.err().unwrap_or(RefusalReason::Ended)
                    );
                }
            }
        }
    }
}

/// Of all commands, only one ends service before its time and gives nothing back.
#[test]
fn pf4_only_an_end_at_once_stops_paid_time() {
    let mut stops = 0;
    for status in Status::ALL {
        for now in [on("2026-02-14"), on("2026-03-14")] {
            for flag in [false, true] {
                for command in commands(now) {
                    let before = Subscription {
                        cancel_at_period_end: flag,
                        ..in_status(status)
                    };
                    let ends = command == Command::CancelNow;
                    let Ok(done) = before.apply(command, now) else {
                        continue;
                    };
                    let key = format!("stop/1/{}", now.timestamp_micros());
                    let stop = Stop {
                        key: key.into(),
                        at: now,
                        made: now,
                    };
                    assert_eq!(done.stop(), ends.then_some(Fact::Stop(stop)));
                    stops += u32::from(ends);
                    let until = Some(on("2026-02-20"));
                    let done = done.with_paid_until(until);
                    assert_eq!(done.subscription().paid_until, until);
                }
            }
        }
    }
    assert_eq!(stops, 6 * 2 * 2, "from every live status");
}

/// The host's plans decide whether time has ended a subscription; to a plan without a price, a new
/// one begins at once.
#[test]
fn b2_a_plan_without_a_price_is_no_former_one() {
    let policy = lifecycle(AfterTrial::Cancel, AfterRetries::Cancel);
    let account = Account::new(
        7.into(),
        AccountStatus::PendingPayment,
        PaymentMethod::BankTransfer,
    );
    let choice = |plan: &Arc<Plan>| Resubscription {
        id: 2.into(),
        plan: plan.clone(),
        payment_method: PaymentMethod::BankTransfer,
    };
    let [priced, free, _] = plans();
    let former = |plan: &Arc<Plan>| Subscription {
        plan: plan.id.clone(),
        ..in_status(Status::Active)
    };
    let now = on("2026-09-09");
    let again = |of: &Arc<Plan>, plans: &[Arc<Plan>], to: &Arc<Plan>| {
        policy.resubscribe(&account, &former(of), plans, &choice(to), now)
    };

    let refused = again(&free, &plans(), &priced).unwrap_err();
    assert_eq!(refused, SuccessionError::NotEnded(Status::Active));
    assert!(
        again(&free, &[], &priced).is_ok(),
        "without the plan, it counts as one with a price"
    );

    let waits = again(&priced, &plans(), &priced).unwrap();
    assert_eq!(waits.subscription().row().status, Status::Incomplete);
    assert_eq!(waits.account().row().status, AccountStatus::PendingPayment);
    let begun = again(&priced, &plans(), &free).unwrap();
    let (row, account) = (begun.subscription().row(), begun.account().row());
    assert_eq!(row.status, Status::Active);
    assert_eq!(row.current_period, Interval::MONTHLY.period(now, 0));
    assert_eq!(begun.subscription().expected_version() + 1, row.version);
    assert_eq!(account.status, AccountStatus::Active);
}

/// An account that awaited its first payment awaits none on a plan without a price.
#[test]
fn b2_an_account_waits_for_no_payment_on_a_plan_without_a_price() {
    let now = on("2026-09-09");
    let account = Account::new(
        7.into(),
        AccountStatus::PendingPayment,
        PaymentMethod::BankTransfer,
    );
    for (status, command) in [
        (Status::Incomplete, Command::StartFree { plan: free(3) }),
        (Status::Trialing, Command::StartFree { plan: free(3) }),
        (Status::PastDue, Command::RenewFree { plan: free(3) }),
    ] {
        let done = in_status(status).apply(command, now).unwrap();
        let after = account.after(&done).map(|change| change.into_row().status);
        assert_eq!(after, Some(AccountStatus::Active));
    }
}

/// A stored row of before there were plans without a price is read.
#[test]
fn b2_an_old_row_has_no_free_period() {
    let row = in_status(Status::Active);
    let mut stored = serde_json::to_value(&row).unwrap();
    assert!(stored.get("free_period").is_none(), "false is not written");
    assert_eq!(
        serde_json::from_value::<Subscription>(stored.clone()).unwrap(),
        row
    );
    stored["free_period"] = true.into();
    assert!(
        serde_json::from_value::<Subscription>(stored)
            .unwrap()
            .free_period
    );
}

#[test]
fn b4_a_century_of_payments_leaves_no_gap() {
    for (every, payments) in [
        (Every::Months(1), 1200),
        (Every::Months(3), 400),
        (Every::Months(12), 100),
        (Every::Days(7), 5218),
        (Every::Days(30), 1218),
    ] {
        // 29 February of a leap year, and the last second of a day.
        for anchor in [START, 1_835_481_599] {
            let mut subscription = new(at(anchor));
            for k in 0..payments {
                // Early, on time, and late within the slack, by turns.
                let now = match subscription.current_period {
                    None => at(anchor),
                    Some(period) => {
                        period.end + seconds([-DAY, 0, DAY][usize::try_from(k % 3).unwrap()])
                    }
                };
                let payment = RecordedPayment {
                    interval: interval(every),
                    slack: days(2),
                    ..month("D")
                };
                subscription = subscription
                    .record_payment(payment, now)
                    .unwrap()
                    .into_subscription();
                let period = subscription.current_period.unwrap();
                assert_eq!(
                    period.start.timestamp(),
                    crate::model::after(every, anchor, k)
                );
                assert_eq!(
                    period.end.timestamp(),
                    crate::model::after(every, anchor, k + 1)
                );
                assert_eq!(subscription.anchor, at(anchor));
            }
        }
    }
}

#[test]
fn b4_the_end_of_the_calendar_is_refused() {
    let now = DateTime::<Utc>::MAX_UTC - days(10);
    let refused = new(now).record_payment(month("A"), now).unwrap_err();
    assert_eq!(refused.reason(), RefusalReason::OutOfRange);
    // A slack that no calendar holds is a slack that never ends.
    let endless = RecordedPayment {
        slack: TimeDelta::MAX,
        ..month("A")
    };
    let paid = in_status(Status::Active)
        .record_payment(endless, on("2030-01-01"))
        .unwrap();
    assert_eq!(
        paid.subscription()
            .current_period
            .map(|period| period.start),
        Some(on("2026-02-28"))
    );
    let never = refusal(
        &in_status(Status::Active),
        Command::EndPeriod {
            slack: TimeDelta::MAX,
        },
        on("2030-01-01"),
    );
    assert_eq!(
        (never.reason(), never.valid_until()),
        (RefusalReason::TooEarly, None)
    );
    let worn = Subscription {
        version: u64::MAX,
        ..in_status(Status::Active)
    };
    assert_eq!(
        refusal(&worn, Command::CancelNow, on("2026-02-14")).reason(),
        RefusalReason::OutOfRange
    );
}

#[test]
fn refusals_explain_themselves() {
    for status in Status::ALL.into_iter().chain([Status::Unknown]) {
        for command in commands(on("2026-02-14")) {
            let Err(refusal) = in_status(status).apply(command, on("2026-02-14")) else {
                continue;
            };
            assert_eq!(refusal.code(), Code::TransitionRefused);
            let message = refusal.to_string();
            for word in [
                status.as_str(),
                refusal.command().as_str(),
                refusal.reason().explanation(),
            ] {
                assert!(message.contains(word), "{message}");
            }
            assert_eq!(
                Problem::from(refusal).detail(),
                format!("C{}.", &message[1..])
            );
        }
    }
    let refused = refusal(
        &in_status(Status::Canceled),
        Command::Resume,
        on("2026-02-14"),
    );
    let message = "cannot apply resume to a subscription that is canceled: \
        it has ended for good, and a new one is needed";
    assert_eq!(refused.to_string(), message);
    let early = refusal(
        &in_status(Status::Active),
        Command::EndPeriod { slack: days(1) },
        on("2026-02-14"),
    );
    let message = "cannot apply end_period to a subscription that is active: \
        it is too early until 2026-03-01T00:00:00Z";
    assert_eq!(early.to_string(), message);
}

#[test]
fn an_unknown_status_is_denied_everywhere() {
    let mut stored = serde_json::to_value(in_status(Status::Active)).unwrap();
    stored["status"] = "frozen_by_a_later_version".into();
    let subscription: Subscription = serde_json::from_value(stored).unwrap();
    assert_eq!(subscription.status, Status::Unknown);
    assert_eq!(
        Status::from_text("frozen_by_a_later_version"),
        Status::Unknown
    );
    let now = on("2026-02-14");
    assert!(!Gate::new().admits(&subscription, now));
    for command in commands(now) {
        assert_eq!(
            refusal(&subscription, command, now).reason(),
            RefusalReason::StatusUnknown
        );
    }
}

#[test]
fn statuses_and_methods_are_their_texts() {
    for status in Status::ALL {
        assert_eq!(Status::from_text(status.as_str()), status);
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for method in PaymentMethod::ALL {
        assert_eq!(PaymentMethod::from_text(method.as_str()), Some(method));
        assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
    }
    assert_eq!(PaymentMethod::from_text("Stripe"), None);
}

/// The policy of a host that waits 3 days for a renewal, gives 5 days' grace and 2 days for a first
/// payment.
fn lifecycle(after_trial: AfterTrial, after_grace: AfterRetries) -> Policy {
    let grace = bailiwick::policy::GraceSettings {
        seconds: GRACE.unsigned_abs(),
        mode: bailiwick::policy::GraceMode::Full,
    };
    Policy::load(PolicySettings {
        renewal_slack_seconds: SLACK.unsigned_abs(),
        past_due_grace: Some(grace),
        first_payment_seconds: (2 * DAY).unsigned_abs(),
        after_trial,
        after_grace,
        ..PolicySettings::default()
    })
    .unwrap()
}

/// What a host has: plan 3 has a price, 4 and 5 have none.
fn plans() -> [Arc<Plan>; 3] {
    [
        Arc::new(plan(3, Every::Months(1), true)),
        Arc::new(plan(4, Every::Months(1), false)),
        Arc::new(plan(5, Every::Days(7), false)),
    ]
}

/// The plan that the gate serves, of a tenant whose rows were loaded with both plans.
fn served(policy: &Policy, subscription: &Subscription, now: i64) -> Option<PlanId> {
    let plans = plans();
    let plan = |id: &PlanId| plans.iter().find(|plan| plan.id == *id).cloned();
    let account = Account::new(7.into(), AccountStatus::Active, PaymentMethod::BankTransfer);
    let pending = subscription.pending_plan.as_ref();
    let tenant = Tenant {
        plan: plan(&subscription.plan),
        next_plan: pending.and_then(|pending| plan(&pending.plan)),
        subscription: Some(subscription.clone()),
        ..Tenant::new(account)
    };
    let principal = Principal::session(1.into()).of_account(7.into());
    let access = policy.validate_account_and_plan(&principal, Some(&tenant), at(now));
    access.ok().map(|access| access.plan().id.clone())
}

/// Time, and what a customer does.
fn any_happening() -> impl Strategy<Value = (i64, Option<Order>)> {
    let orders = prop_oneof![
        6 => (any::<bool>(), 1i64..=3).prop_map(|(first, months)| Order::Pay { first, every: Every::Months(months), slack: GRACE }),
        2 => (1..40 * DAY).prop_map(|until| Order::StartTrial { until }),
        1 => (3i64..6).prop_map(|plan| Order::ChangePlan { plan }),
        2 => (3i64..6).prop_map(|plan| Order::ChangePlanAtPeriodEnd { plan }),
        4 => prop::sample::select(vec!["pause", "resume", "fail_payment", "cancel_at_period_end", "withdraw_cancellation"]).prop_map(Order::Plain),
    ];
    (1..50 * DAY, prop::option::weighted(0.7, orders))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However finely the clock is ticked between what happens, everything ends the same: C5's
    /// promise, for subscriptions.
    #[test]
    fn b2_how_finely_the_clock_ticks_changes_no_subscription(
        story in prop::collection::vec(any_happening(), 1..20),
        ticks in prop::collection::vec(0..700 * DAY, 0..60),
        then in prop::sample::select(vec![AfterTrial::Pause, AfterTrial::Invoice, AfterTrial::Cancel]),
        after in prop::sample::select(vec![AfterRetries::Unpaid, AfterRetries::Cancel]),
        first in 3i64..5,
    ) {
        let (policy, plans) = (lifecycle(then, after), plans());
        let told = |ticks: &[i64]| {
            let mut ticks = ticks.to_vec();
            ticks.sort_unstable();
            let (mut subscription, mut now) = (Subscription { plan: first.into(), ..new(at(START)) }, START);
            let mut answers = Vec::new();
            for (later, order) in &story {
                let next = now + later;
                for tick in ticks.iter().map(|tick| START + tick).filter(|tick| (now..next).contains(tick)) {
                    for transition in policy.advance_subscription(&subscription, &plans, at(tick)) {
                        subscription = transition.into_subscription();
                    }
                }
                now = next;
                for transition in policy.advance_subscription(&subscription, &plans, at(now)) {
                    assert_eq!(transition.expected_version(), subscription.version, "one after another");
                    subscription = transition.into_subscription();
                }
                assert_eq!(policy.command_due(&subscription, &plans, at(now)), None, "{subscription:?}");
                let Some(mut order) = order.clone() else { continue };
                if let Order::StartTrial { until } = &mut order {
                    *until += now;
                }
                let answer = subscription.clone().apply(command(&order), at(now));
                answers.push(answer.as_ref().map(Transition::to).map_err(Refusal::reason));
                if let Ok(transition) = answer {
                    subscription = transition.into_subscription();
                }
            }
            (Subscription { version: 0, ..subscription }, answers)
        };
        prop_assert_eq!(told(&ticks), told(&[]));
    }

    /// The gate serves the same plan to the same people whether or not a job has carried out what
    /// time has made due. (Grace is left out: it begins with a status that a job writes.)
    #[test]
    fn b2_no_access_depends_on_whether_a_job_ran(
        story in prop::collection::vec(any_happening(), 1..20),
        wait in 0..200 * DAY,
        then in prop::sample::select(vec![AfterTrial::Pause, AfterTrial::Invoice, AfterTrial::Cancel]),
        after in prop::sample::select(vec![AfterRetries::Unpaid, AfterRetries::Cancel]),
        first in 3i64..5,
    ) {
        let policy = Policy::load(PolicySettings {
            renewal_slack_seconds: SLACK.unsigned_abs(),
            after_trial: then,
            after_grace: after,
            ..PolicySettings::default()
        }).unwrap();
        let advance = |subscription: &Subscription, now: i64| {
            let last = policy.advance_subscription(subscription, &plans(), at(now)).pop();
            last.map_or_else(|| subscription.clone(), Transition::into_subscription)
        };
        let (mut subscription, mut now) = (Subscription { plan: first.into(), ..new(at(START)) }, START);
        for (later, order) in story {
            now += later;
            prop_assert_eq!(
                served(&policy, &subscription, now), served(&policy, &advance(&subscription, now), now),
                "{:?} at {}", subscription, at(now)
            );
            let Some(mut order) = order else { continue };
            if let Order::StartTrial { until } = &mut order {
                *until += now;
            }
            subscription = advance(&subscription, now);
            if let Ok(transition) = subscription.clone().apply(command(&order), at(now)) {
                subscription = transition.into_subscription();
            }
        }
        let late = now + wait;
        prop_assert_eq!(
            served(&policy, &subscription, late), served(&policy, &advance(&subscription, late), late),
            "{:?} at {}", subscription, at(late)
        );
    }

    /// What was used and what was not add up to the price, and the same plan costs nothing.
    #[test]
    fn a_change_of_plan_is_divided_by_time(
        from in 0i64..1_000_000, to in 0i64..1_000_000, second in 0i64..28 * DAY, months in 1i64..=12,
    ) {
        let price = |cents: i64| Money::new(rust_decimal::Decimal::from(cents) / rust_decimal::Decimal::from(100), Currency::EUR).unwrap();
        let gate = Gate::new();
        let of = |id: i64, cents: i64, months: i64| Plan {
            id: id.into(), price: price(cents), interval: interval(Every::Months(months)), ..Plan::clone(&gate.plan)
        };
        let paid = in_status(Status::Active);
        let now = on("2026-01-31") + seconds(second);
        let (cheap, dear) = (of(3, from, 1), of(4, to, months));
        let proration = paid.prorate(&cheap, &dear, now).unwrap();
        let left = rust_decimal::Decimal::from(28 * DAY - second);
        let exact = |cents: i64, length: i64| (rust_decimal::Decimal::from(cents) / rust_decimal::Decimal::from(100)) * left / rust_decimal::Decimal::from(length);
        let half_a_cent: rust_decimal::Decimal = "0.005".parse().unwrap();
        prop_assert!((proration.unused.amount() - exact(from, 28 * DAY)).abs() <= half_a_cent);
        let length = (Interval { ..interval(Every::Months(months)) }.after(on("2026-01-31"), 1).unwrap() - on("2026-01-31")).num_seconds();
        prop_assert!((proration.charge.amount() - exact(to, length)).abs() <= half_a_cent);
        prop_assert!(proration.unused.amount() <= cheap.price.amount());
        let balance = proration.due().amount() - proration.credit().amount();
        prop_assert_eq!(balance, proration.charge.amount() - proration.unused.amount());
        prop_assert!(proration.due().is_zero() || proration.credit().is_zero());
        let same = paid.prorate(&cheap, &of(3, from, 1), now).unwrap();
        prop_assert!(same.due().is_zero() && same.credit().is_zero());
    }
}

/// The refusal names both prices.
#[test]
fn a_change_of_plan_to_another_currency_is_told() {
    let gate = Gate::new();
    let of = |id: i64, currency| Plan {
        id: id.into(),
        price: Money::new(30.into(), currency).unwrap(),
        ..Plan::clone(&gate.plan)
    };
    let euros = of(3, Currency::EUR);
    let dollars = of(4, Currency::USD);
    let refused = in_status(Status::Active).prorate(&euros, &dollars, on("2026-02-14"));
    assert_eq!(
        refused,
        Err(ProrationError::Currency {
            from: euros.price,
            to: dollars.price
        })
    );
}

#[test]
fn a_currency_has_its_own_places() {
    for (code, places) in [("JPY", 0), ("EUR", 2), ("KWD", 3)] {
        assert_eq!(Currency::try_from(code).unwrap().places(), places);
    }
}
