//! Commands: what a host, a tenant or an operator wants done to a subscription.

use chrono::{DateTime, TimeDelta, Utc};

use super::table::CommandKind;
use crate::id::PlanId;
use crate::payment_method::PaymentMethod;
use crate::period::Interval;
use crate::policy::{AfterRetries, AfterTrial};

/// A payment of one interval that was received. Whether it was, and whether it was counted before,
/// is settled before it comes here: recorded twice, it pays for two periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPayment {
    /// What was paid for: the plan's interval.
    pub interval: Interval,
    /// How long after the end of a period a payment still continues it; later it starts a new
    /// anchor. Use [`Policy::longest_admission`](crate::policy::Policy::longest_admission), the
    /// gate's own, so that time in which a tenant was let in is paid for. It does not apply to a
    /// subscription that is paused or unpaid: nobody was let in. A negative slack is none.
    pub slack: TimeDelta,
    /// How it was paid. It becomes the subscription's payment method.
    pub method: PaymentMethod,
    /// The payment's identifier outside Stripe, such as a bank's transaction. `None` leaves the
    /// stored one as it is.
    pub external_id: Option<String>,
}

/// A command to a subscription: see [`Subscription::apply`](super::Subscription::apply).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Starts a trial before the first payment.
    StartTrial {
        /// The end of the trial, exclusive. It is the anchor of the paid periods that follow.
        until: DateTime<Utc>,
    },
    /// Records the first payment. Made during the trial, it pays for the period that starts when
    /// the trial ends.
    Activate(RecordedPayment),
    /// The first payment failed. It may be tried again until it expires.
    FailFirstPayment,
    /// Gives up waiting for the first payment.
    ExpireIncomplete {
        /// How long after it was made a subscription may wait for its first payment. Stripe waits
        /// 23 hours; a bank transfer takes days.
        window: TimeDelta,
    },
    /// Ends a trial that is over and was not followed by a payment. One that was to end with its
    /// trial is canceled.
    EndTrial {
        /// What becomes of it.
        then: AfterTrial,
    },
    /// Records a payment after the first: the next period follows the current one, or starts now if
    /// that ended longer ago than the slack.
    RecordPayment(RecordedPayment),
    /// A payment failed, and is being retried.
    FailPayment,
    /// The last retry of a payment failed.
    ExhaustRetries {
        /// What becomes of it.
        then: AfterRetries,
    },
    /// Gives up waiting for a payment that is past due, without waiting for the retries.
    MarkUnpaid,
    /// Pauses service. The paid period runs on.
    Pause,
    /// Resumes service within the paid period. If that is over, recording a payment resumes
    /// instead.
    Resume,
    /// Ends it at once.
    CancelNow,
    /// Lets it end with the current period or trial, exactly then: no slack applies.
    CancelAtPeriodEnd,
    /// Withdraws [`CancelAtPeriodEnd`](Self::CancelAtPeriodEnd) before the period is over.
    WithdrawCancellation,
    /// Ends a period that is over: it is canceled if it was to end with that period, else its
    /// payment is past due.
    EndPeriod {
        /// How long after the period's end a renewal is waited for. Not applied where it was to end
        /// with the period.
        slack: TimeDelta,
    },
    /// Changes the plan at once. Another interval counts from the end of the current period. What
    /// that means in money is [`Subscription::prorate`](super::Subscription::prorate)'s to say,
    /// before the change. A change that was pending is withdrawn.
    ChangePlan {
        /// The new plan.
        plan: PlanId,
    },
    /// Changes the plan with the end of what is paid or in trial. The payment for the next period
    /// is for the new plan, and puts it into force; paid early,
    /// [`StartPendingPlan`](Self::StartPendingPlan) does. The present plan withdraws a change that
    /// is pending.
    ChangePlanAtPeriodEnd {
        /// The new plan.
        plan: PlanId,
    },
    /// Puts a pending plan into force whose period was paid early and has begun now.
    StartPendingPlan,
}

impl Command {
    /// The row of the table that governs this command. `ending` says whether the subscription is to
    /// end with its period.
    pub(super) const fn kind(&self, ending: bool) -> CommandKind {
        match self {
            Self::StartTrial { .. } => CommandKind::StartTrial,
            Self::Activate(_) => CommandKind::Activate,
            Self::FailFirstPayment => CommandKind::FailFirstPayment,
            Self::ExpireIncomplete { .. } => CommandKind::ExpireIncomplete,
            Self::EndTrial { .. } if ending => CommandKind::EndTrialThenCancel,
            Self::EndTrial {
                then: AfterTrial::Pause,
            } => CommandKind::EndTrialThenPause,
            Self::EndTrial {
                then: AfterTrial::Invoice,
            } => CommandKind::EndTrialThenInvoice,
            Self::EndTrial {
                then: AfterTrial::Cancel,
            } => CommandKind::EndTrialThenCancel,
            Self::RecordPayment(_) => CommandKind::RecordPayment,
            Self::FailPayment => CommandKind::FailPayment,
            Self::ExhaustRetries {
                then: AfterRetries::Unpaid,
            } => CommandKind::ExhaustRetriesThenUnpaid,
            Self::ExhaustRetries {
                then: AfterRetries::Cancel,
            } => CommandKind::ExhaustRetriesThenCancel,
            Self::MarkUnpaid => CommandKind::MarkUnpaid,
            Self::Pause => CommandKind::Pause,
            Self::Resume => CommandKind::Resume,
            Self::CancelNow => CommandKind::CancelNow,
            Self::CancelAtPeriodEnd => CommandKind::CancelAtPeriodEnd,
            Self::WithdrawCancellation => CommandKind::WithdrawCancellation,
            Self::EndPeriod { .. } if ending => CommandKind::EndLastPeriod,
            Self::EndPeriod { .. } => CommandKind::EndPeriod,
            Self::ChangePlan { .. } => CommandKind::ChangePlan,
            Self::ChangePlanAtPeriodEnd { .. } => CommandKind::ChangePlanAtPeriodEnd,
            Self::StartPendingPlan => CommandKind::StartPendingPlan,
        }
    }
}
