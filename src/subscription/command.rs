//! Commands: the changes of a subscription that a customer, an operator or a job may ask for.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::table::CommandKind;
use crate::id::PlanId;
use crate::payment_method::PaymentMethod;
use crate::period::Interval;
use crate::plan::Plan;
use crate::policy::{AfterRetries, AfterTrial};

/// A received payment of one interval. Whether it was received, and whether it was counted before,
/// is settled before it comes here: a payment that is recorded twice pays for two periods.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a request: a host writes it")]
pub struct RecordedPayment {
    /// The interval that was paid for: the plan's.
    pub interval: Interval,
    /// The time after the end of a period within which a payment still continues that period; a
    /// later payment starts a new anchor. Use
    /// [`Policy::longest_admission`](crate::policy::Policy::longest_admission), which the gate uses
    /// too, so that the time in which a tenant was let in is paid for. The slack does not apply to
    /// a subscription that is paused or unpaid, since its tenant was shut out. A negative slack
    /// counts as zero.
    pub slack: TimeDelta,
    /// The way it was paid, which becomes the subscription's payment method.
    pub method: PaymentMethod,
    /// The payment's identifier outside Stripe, such as a bank's transaction. `None` leaves the
    /// stored one as it is.
    pub external_id: Option<String>,
}

/// A command to a subscription: see [`Subscription::apply`](super::Subscription::apply).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Command {
    /// Starts a trial before the first payment.
    StartTrial {
        /// The end of the trial, exclusive. It is the anchor of the paid periods that follow.
        until: DateTime<Utc>,
    },
    /// Records the first payment. A payment that is made during the trial pays for the period that
    /// starts when the trial ends.
    Activate(RecordedPayment),
    /// Records that the first payment failed. It may be tried again until the subscription expires.
    FailFirstPayment,
    /// Gives up waiting for the first payment.
    ExpireIncomplete {
        /// The time that a subscription may wait for its first payment, counted from when it was
        /// made. Stripe waits 23 hours; a bank transfer takes days.
        window: TimeDelta,
    },
    /// Ends a trial that is over and was not followed by a payment. A subscription that was to end
    /// with its trial is canceled.
    EndTrial {
        /// The policy's choice for a trial that ends without a payment.
        then: AfterTrial,
        /// The time to wait for a first payment after the trial's end. It does not apply where the
        /// subscription was to end with the trial.
        slack: TimeDelta,
    },
    /// Records a payment after the first: the next period follows the current one, or starts now if
    /// that ended longer ago than the slack.
    RecordPayment(RecordedPayment),
    /// Records that a payment failed and is being retried.
    FailPayment,
    /// Records that the last retry of a payment failed.
    ExhaustRetries {
        /// The policy's choice for a payment that stays past due.
        then: AfterRetries,
    },
    /// Gives up waiting for a payment that is past due, before its retries are exhausted.
    MarkUnpaid,
    /// Pauses service. The paid period runs on.
    Pause,
    /// Resumes service within the paid period. Once that is over, recording a payment resumes
    /// instead.
    Resume,
    /// Ends it at once.
    CancelNow,
    /// Lets it end with the current period or trial, exactly then: no slack applies.
    CancelAtPeriodEnd,
    /// Withdraws [`CancelAtPeriodEnd`](Self::CancelAtPeriodEnd) before the period is over.
    WithdrawCancellation,
    /// Ends a period that is over. The subscription is canceled if it was to end with that period;
    /// otherwise its payment is past due.
    EndPeriod {
        /// The time to wait for a renewal after the period's end. It does not apply where the
        /// subscription was to end with the period.
        slack: TimeDelta,
    },
    /// Changes the plan at once, and withdraws a change that was pending. If the new plan has
    /// another interval, that counts from the end of the current period. For the price, ask
    /// [`Subscription::prorate`](super::Subscription::prorate) before the change.
    ///
    /// Within a [period that is free](super::Subscription::free_period) nothing was paid, so the new
    /// plan waits for its first payment, and the present one serves until then. A new plan without a
    /// price starts by [`StartFree`](Self::StartFree), which time makes due at once.
    ChangePlan {
        /// The new plan.
        plan: PlanId,
    },
    /// Changes the plan at the end of the time that is paid or in trial. The payment for the next
    /// period is for the new plan and puts it into force; if that payment comes early,
    /// [`StartPendingPlan`](Self::StartPendingPlan) does so when the period begins. A plan without a
    /// price starts then by [`StartFree`](Self::StartFree). Naming the present plan withdraws a
    /// change that is pending.
    ChangePlanAtPeriodEnd {
        /// The new plan.
        plan: PlanId,
    },
    /// Puts a pending plan into force whose period was paid early and has now begun.
    StartPendingPlan,
    /// Starts a plan without a price: the present one before its first period or after its trial, or
    /// a pending one whose time has come. Time makes it due, and no payment.
    StartFree {
        /// The plan. It is refused if it has a price.
        plan: Arc<Plan>,
    },
    /// Begins the next period of the present plan, which is without a price. Of a payment that is
    /// past due or was given up, nothing is due any more.
    RenewFree {
        /// The present plan. It is refused if it has a price.
        plan: Arc<Plan>,
    },
}

impl Command {
    /// Returns the row of the table that governs this command. `ending` is whether the subscription
    /// is to end with its period.
    pub(super) const fn kind(&self, ending: bool) -> CommandKind {
        match self {
            Self::StartTrial { .. } => CommandKind::StartTrial,
            Self::Activate(_) => CommandKind::Activate,
            Self::FailFirstPayment => CommandKind::FailFirstPayment,
            Self::ExpireIncomplete { .. } => CommandKind::ExpireIncomplete,

            // A trial that was to be the last period is not followed by a pause or an invoice.
            Self::EndTrial { .. } if ending => CommandKind::EndTrialThenCancel,
            Self::EndTrial {
                then: AfterTrial::Pause,
                ..
            } => CommandKind::EndTrialThenPause,
            Self::EndTrial {
                then: AfterTrial::Invoice,
                ..
            } => CommandKind::EndTrialThenInvoice,
            Self::EndTrial {
                then: AfterTrial::Cancel,
                ..
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
            Self::StartFree { .. } => CommandKind::StartFree,
            Self::RenewFree { .. } => CommandKind::RenewFree,
        }
    }
}
