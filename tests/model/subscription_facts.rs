//! The oracle's orders as commands, and a subscription in the oracle's words.

use std::num::NonZeroU16;
use std::sync::Arc;

use bailiwick::id::PlanId;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, IntervalUnit};
use bailiwick::policy::{AfterRetries, AfterTrial};
use bailiwick::subscription::{Command, RecordedPayment};
use bailiwick::{Money, Plan, Subscription};
use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Every, Model, Order};

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::try_seconds(seconds).unwrap()
}

pub fn interval(every: Every) -> Interval {
    let (unit, count) = match every {
        Every::Days(days) if days % 7 == 0 => (IntervalUnit::Week, days / 7),
        Every::Days(days) => (IntervalUnit::Day, days),
        Every::Months(months) if months % 12 == 0 => (IntervalUnit::Year, months / 12),
        Every::Months(months) => (IntervalUnit::Month, months),
    };
    Interval {
        unit,
        count: NonZeroU16::try_from(u16::try_from(count).unwrap()).unwrap(),
    }
}

/// A plan, with a price or without.
pub fn plan(id: i64, every: Every, priced: bool) -> Plan {
    let price = Money::new(i64::from(priced).into(), Currency::EUR).unwrap();
    Plan {
        needs_subscription: true,
        ..Plan::new(id.into(), price, interval(every))
    }
}

pub fn command(order: &Order) -> Command {
    match *order {
        Order::StartTrial { until } => Command::StartTrial { until: at(until) },
        Order::Pay {
            first,
            every,
            slack,
        } => {
            let payment = RecordedPayment {
                interval: interval(every),
                slack: seconds(slack),
                method: PaymentMethod::BankTransfer,
                external_id: Some(slack.to_string()),
            };
            if first {
                Command::Activate(payment)
            } else {
                Command::RecordPayment(payment)
            }
        }
        Order::ExpireIncomplete { window } => Command::ExpireIncomplete {
            window: seconds(window),
        },
        Order::EndTrial {
            row: "end_trial_then_pause",
            slack,
        } => Command::EndTrial {
            then: AfterTrial::Pause,
            slack: seconds(slack),
        },
        Order::EndTrial {
            row: "end_trial_then_invoice",
            slack,
        } => Command::EndTrial {
            then: AfterTrial::Invoice,
            slack: seconds(slack),
        },
        Order::EndTrial { slack, .. } => Command::EndTrial {
            then: AfterTrial::Cancel,
            slack: seconds(slack),
        },
        Order::EndPeriod { slack } => Command::EndPeriod {
            slack: seconds(slack),
        },
        Order::StartFree {
            plan,
            every,
            priced,
        } => Command::StartFree {
            plan: Arc::new(self::plan(plan, every, priced)),
        },
        Order::RenewFree {
            plan,
            every,
            priced,
        } => Command::RenewFree {
            plan: Arc::new(self::plan(plan, every, priced)),
        },
        Order::ChangePlan { plan } => Command::ChangePlan { plan: plan.into() },
        Order::ChangePlanAtPeriodEnd { plan } => {
            Command::ChangePlanAtPeriodEnd { plan: plan.into() }
        }
        Order::Plain(row) => match row {
            "fail_first_payment" => Command::FailFirstPayment,
            "fail_payment" => Command::FailPayment,
            "exhaust_retries_then_unpaid" => Command::ExhaustRetries {
                then: AfterRetries::Unpaid,
            },
            "exhaust_retries_then_cancel" => Command::ExhaustRetries {
                then: AfterRetries::Cancel,
            },
            "mark_unpaid" => Command::MarkUnpaid,
            "pause" => Command::Pause,
            "resume" => Command::Resume,
            "cancel_now" => Command::CancelNow,
            "cancel_at_period_end" => Command::CancelAtPeriodEnd,
            "withdraw_cancellation" => Command::WithdrawCancellation,
            "start_pending_plan" => Command::StartPendingPlan,
            other => panic!("{other}"),
        },
    }
}

pub fn told(subscription: &Subscription) -> Model {
    let text = |id: &PlanId| id.as_integer().unwrap();
    Model {
        status: subscription.status.as_str(),
        plan: text(&subscription.plan),
        anchor: subscription.anchor.timestamp(),
        period: subscription
            .current_period
            .map(|period| (period.start.timestamp(), period.end.timestamp())),
        free: subscription.free_period,
        trial_end: subscription.trial_end.map(|end| end.timestamp()),
        ending: subscription.cancel_at_period_end,
        pending: subscription
            .pending_plan
            .as_ref()
            .map(|pending| (text(&pending.plan), pending.at.timestamp())),
        past_due_since: subscription.past_due_since.map(|since| since.timestamp()),
    }
}
