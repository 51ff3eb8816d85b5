//! The transition table: the status to which each command leads from each status. It is the one
//! source of the manual's table and diagram.

use std::fmt;

use super::status::SubscriptionStatus;

macro_rules! reasons {
    ($($name:ident $text:literal $sentence:literal;)*) => {
        /// The reason why a command is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RefusalReason {
            $(#[doc = concat!("`", $text, "`: ", $sentence, ".")] $name,)*
        }

        impl RefusalReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns a short label, which never changes.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Returns the reason for a person: a clause about "it", the subscription.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }
        }
    };
}

reasons! {
    Terminal "terminal" "it has ended for good, and a new one is needed";
    StatusUnknown "status_unknown" "this version does not know its stored status";
    NotStarted "not_started" "it has not started, and its first payment comes first";
    Started "started" "it has already started";
    InTrial "in_trial" "it is in trial, and a payment or the trial's end comes first";
    NotInTrial "not_in_trial" "it is not in trial";
    NothingDue "nothing_due" "no payment is due while it is paused";
    NotPastDue "not_past_due" "it has no payment that is past due";
    PaymentDue "payment_due" "a payment is due and comes first";
    NotPaused "not_paused" "it is not paused";
    ResumeFirst "resume_first" "it is paused and must be resumed first";
    AlreadySo "already_so" "the command would change nothing";
    NoPeriod "no_period" "it has no running paid or trial period";
    NothingToWithdraw "nothing_to_withdraw" "it has no pending cancellation";
    PlanPaid "plan_paid" "its next period is already paid for another plan";
    NoChangePending "no_change_pending" "it has no pending change of plan";
    Ended "ended" "it was to end with its last period, which is over";
    TooEarly "too_early" "it is too early";
    NotFree "not_free" "the plan has a price, and its payment comes first";
    OtherPlan "other_plan" "it is for another plan";
    TrialEmpty "trial_empty" "a trial must end after it starts";
    OutOfRange "out_of_range" "a date or its version would leave the range that can be stored";
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explanation())
    }
}

/// A cell of the table: the next status, or the reason for a refusal.
type Cell = Result<SubscriptionStatus, RefusalReason>;

macro_rules! cell {
    (!$reason:ident) => {
        Err(RefusalReason::$reason)
    };
    ($status:ident) => {
        Ok(SubscriptionStatus::$status)
    };
}

macro_rules! commands {
    ($($name:ident $text:literal $sentence:literal [$($(!$reason:ident)? $($status:ident)?),*];)*) => {
        /// The kinds of [`Command`](super::Command), which are the rows of the [table](transition).
        /// A command that can end in more than one status has a kind for each, so that every cell
        /// of the table is one status or one refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CommandKind {
            $(#[doc = concat!("`", $text, "`: ", $sentence)] $name,)*
        }

        impl CommandKind {
            /// Every kind, in the order of the table's rows.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns a short label, which never changes.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Returns what the command says, as a sentence for a person.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }

            /// Returns the table's row.
            const fn row(self) -> &'static [Cell; SubscriptionStatus::ALL.len()] {
                match self { $(Self::$name => const { &[$(cell!($(!$reason)? $($status)?)),*] },)* }
            }
        }
    };
}

// A cell is the next status, or `!` and the reason for a refusal. The columns are those of
// `SubscriptionStatus::ALL`: Incomplete, IncompleteExpired, Trialing, Active, PastDue, Unpaid,
// Paused, Canceled.
commands! {
    StartTrial "start_trial" "A trial starts."
        [Trialing, !Terminal, !AlreadySo, !Started, !Started, !Started, !Started, !Terminal];
    Activate "activate" "The first payment was made."
        [Active, !Terminal, Active, !AlreadySo, !Started, !Started, !Started, !Terminal];
    FailFirstPayment "fail_first_payment" "The first payment failed; it may be tried again."
        [Incomplete, !Terminal, !Started, !Started, !Started, !Started, !Started, !Terminal];
    ExpireIncomplete "expire_incomplete" "The time for the first payment is over."
        [IncompleteExpired, !Terminal, !Started, !Started, !Started, !Started, !Started, !Terminal];
    EndTrialThenPause "end_trial_then_pause" "The trial is over and nothing was paid: pause."
        [!NotInTrial, !Terminal, Paused, !NotInTrial, !NotInTrial, !NotInTrial, !NotInTrial, !Terminal];
    EndTrialThenInvoice "end_trial_then_invoice" "The trial is over and nothing was paid: ask for payment."
        [!NotInTrial, !Terminal, PastDue, !NotInTrial, !NotInTrial, !NotInTrial, !NotInTrial, !Terminal];
    EndTrialThenCancel "end_trial_then_cancel" "The trial is over and nothing was paid: cancel."
        [!NotInTrial, !Terminal, Canceled, !NotInTrial, !NotInTrial, !NotInTrial, !NotInTrial, !Terminal];
    RecordPayment "record_payment" "A payment for one more period was made."
        [!NotStarted, !Terminal, !InTrial, Active, Active, Active, Active, !Terminal];
    FailPayment "fail_payment" "A payment failed."
        [!NotStarted, !Terminal, !InTrial, PastDue, PastDue, Unpaid, !NothingDue, !Terminal];
    ExhaustRetriesThenUnpaid "exhaust_retries_then_unpaid" "The last retry of a payment failed: keep the subscription, unpaid."
        [!NotPastDue, !Terminal, !NotPastDue, !NotPastDue, Unpaid, !AlreadySo, !NotPastDue, !Terminal];
    ExhaustRetriesThenCancel "exhaust_retries_then_cancel" "The last retry of a payment failed: cancel."
        [!NotPastDue, !Terminal, !NotPastDue, !NotPastDue, Canceled, !NotPastDue, !NotPastDue, !Terminal];
    MarkUnpaid "mark_unpaid" "The host gives up waiting for a payment that is past due."
        [!NotPastDue, !Terminal, !NotPastDue, !NotPastDue, Unpaid, !AlreadySo, !NotPastDue, !Terminal];
    Pause "pause" "Service is paused. The paid period runs on."
        [!NotStarted, !Terminal, !InTrial, Paused, !PaymentDue, !PaymentDue, !AlreadySo, !Terminal];
    Resume "resume" "Service goes on within the paid period."
        [!NotPaused, !Terminal, !NotPaused, !NotPaused, !NotPaused, !NotPaused, Active, !Terminal];
    CancelNow "cancel_now" "It ends at once."
        [Canceled, !Terminal, Canceled, Canceled, Canceled, Canceled, Canceled, !Terminal];
    CancelAtPeriodEnd "cancel_at_period_end" "It is to end with the current period or trial."
        [!NoPeriod, !Terminal, Trialing, Active, PastDue, !NoPeriod, Paused, !Terminal];
    WithdrawCancellation "withdraw_cancellation" "It is no longer to end with the current period."
        [!NothingToWithdraw, !Terminal, Trialing, Active, PastDue, Unpaid, Paused, !Terminal];
    EndPeriod "end_period" "The period is over and the next was not paid."
        [!NotStarted, !Terminal, !InTrial, PastDue, !PaymentDue, !PaymentDue, !NothingDue, !Terminal];
    EndLastPeriod "end_last_period" "The period or trial that it was to end with is over."
        [!NotStarted, !Terminal, Canceled, Canceled, Canceled, Canceled, Canceled, !Terminal];
    ChangePlan "change_plan" "It changes to another plan."
        [Incomplete, !Terminal, Trialing, Active, !PaymentDue, !PaymentDue, !ResumeFirst, !Terminal];
    ChangePlanAtPeriodEnd "change_plan_at_period_end" "It is to change to another plan with its next period."
        [!NoPeriod, !Terminal, Trialing, Active, !PaymentDue, !PaymentDue, !ResumeFirst, !Terminal];
    StartPendingPlan "start_pending_plan" "A period that was paid for another plan has begun."
        [!NoChangePending, !Terminal, !InTrial, Active, !PaymentDue, !PaymentDue, !ResumeFirst, !Terminal];
    StartFree "start_free" "A plan without a price starts."
        [Active, !Terminal, Active, Active, Active, Active, Paused, !Terminal];
    RenewFree "renew_free" "The next period of a plan without a price begins."
        [!NotStarted, !Terminal, !InTrial, Active, Active, Active, Paused, !Terminal];
}

/// Looks up the transition table: the status that a command leads to, or the reason why it is
/// refused.
///
/// The table answers every command in every status, and looks at neither time nor data.
/// [`Subscription::apply`](super::Subscription::apply) adds the refusals that depend on those. The
/// transitions are those that [Stripe
/// documents](https://docs.stripe.com/billing/subscriptions/overview) for its subscriptions.
///
/// ```
/// use bailiwick::subscription::{CommandKind, RefusalReason, SubscriptionStatus};
/// use bailiwick::transition;
///
/// let failed = transition(SubscriptionStatus::Active, CommandKind::FailPayment);
/// assert_eq!(failed, Ok(SubscriptionStatus::PastDue));
///
/// let resumed = transition(SubscriptionStatus::Canceled, CommandKind::Resume);
/// assert_eq!(resumed, Err(RefusalReason::Terminal));
/// ```
///
#[doc = include_str!("../manual/transitions.svg")]
///
#[doc = include_str!("../manual/transitions.md")]
#[inline]
pub fn transition(
    status: SubscriptionStatus,
    command: CommandKind,
) -> Result<SubscriptionStatus, RefusalReason> {
    command
        .row()
        .get(column(status))
        .copied()
        .unwrap_or(Err(RefusalReason::StatusUnknown))
}

/// Returns the column of a status, which lies beyond the row's end for an unknown one.
const fn column(status: SubscriptionStatus) -> usize {
    match status {
        SubscriptionStatus::Incomplete => 0,
        SubscriptionStatus::IncompleteExpired => 1,
        SubscriptionStatus::Trialing => 2,
        SubscriptionStatus::Active => 3,
        SubscriptionStatus::PastDue => 4,
        SubscriptionStatus::Unpaid => 5,
        SubscriptionStatus::Paused => 6,
        SubscriptionStatus::Canceled => 7,
        SubscriptionStatus::Unknown => 8,
    }
}
