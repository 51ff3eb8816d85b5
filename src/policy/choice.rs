//! The choices of a policy that are one of a few words.

use serde::{Deserialize, Serialize};

use crate::money::Credits;

/// The rights of a tenant while a payment is past due, within the grace period.
///
/// A part of [`GraceSettings`](super::GraceSettings). The gate reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum GraceMode {
    /// Reading and writing.
    Full,
    /// Reading only: asking for write access is refused with 402.
    ReadOnly,
}

/// The rule for a settlement whose cost is higher than what was held.
///
/// A part of [`CreditPolicy`](super::CreditPolicy). A [`Hold`](crate::Hold) keeps the rule under
/// which it was made, and its settlement follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Overage {
    /// Refuse the settlement; the hold stays open.
    Reject,
    /// Charge what was held and no more; the rest is the service's loss.
    Cap,
    /// Charge what was held and whatever else is available, no more.
    Available,
    /// Charge the whole cost. The part that is not available becomes a debt, up to this limit.
    Debt(Credits),
}

/// The rule for a settlement that comes after its hold has expired. The hold stays expired: a late
/// settlement is a new charge that is linked to it, at most once.
///
/// A part of [`CreditPolicy`](super::CreditPolicy), together with the time for which it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum LateSettle {
    /// Refuse it: the cost of the call is the service's loss.
    Refuse,
    /// Charge what is available, no more.
    Available,
    /// Charge the whole cost. The part that is not available becomes a debt, up to this limit.
    Debt(Credits),
}

/// The use of the part of a bank transfer that is above the price.
///
/// [`Policy::confirm_bank_transfer`](super::Policy::confirm_bank_transfer) follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Overpayment {
    /// It is noted with the transfer, for a person to give back.
    Note,
    /// It is kept as the account's deposit, and counts towards its next payment.
    Deposit,
    /// It pays for as many further periods as it can; the rest is kept as the account's deposit.
    NextPeriods,
}

/// The instant at which an upgrade takes effect: a change to a plan that costs more for the rest of
/// the paid time.
///
/// [`Policy::open_upgrade`](super::Policy::open_upgrade) follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Upgrades {
    /// When its charge is paid.
    PaidFirst,
    /// When its charge is opened. The plan's credits come when the charge is paid.
    AtOnce,
}

/// The end of a trial for which no payment was made, in the words of Stripe's
/// `missing_payment_method`.
///
/// [`Policy::command_due`](super::Policy::command_due) follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum AfterTrial {
    /// The subscription is paused until a payment is made.
    Pause,
    /// Payment is asked for, and is past due from the end of the trial.
    Invoice,
    /// The subscription is canceled.
    Cancel,
}

/// The end of a subscription whose last retry of a payment has failed.
///
/// [`Policy::command_due`](super::Policy::command_due) follows it once the grace period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum AfterRetries {
    /// It stays, unpaid and without service, until a payment is made.
    Unpaid,
    /// It is canceled.
    Cancel,
}

/// The behaviour of a throttle scope while its rate state cannot be known: the shared store is out
/// of reach, or the throttle in process tracks as many callers as it may.
///
/// [`Policy::pass_uncounted`](super::Policy::pass_uncounted) and
/// [`Throttle::with_failure_modes`](crate::throttle::Throttle::with_failure_modes) follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum FailureMode {
    /// Requests pass uncounted: for scopes that matter less than being available.
    Open,
    /// Requests are refused: for login, registration, and whatever costs money.
    #[default]
    Closed,
}
