//! The two answers to a command: a transition for the host to write, or a refusal.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::effect::{Effect, Effects};
use super::facts::Subscription;
use super::status::SubscriptionStatus;
use super::table::{CommandKind, RefusalReason};
use crate::change::RowChange;
use crate::paid_time::{Fact, Stop as EndOfService};
use crate::problem::{Code, Explained};

/// A command that was carried out: the subscription to write, the version that it must be written
/// over, and what else to do in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a transition takes effect only when it is written"]
pub struct Transition {
    pub(super) subscription: Subscription,
    pub(super) from: SubscriptionStatus,
    pub(super) command: Option<CommandKind>,
    pub(super) expected_version: u64,
    pub(super) at: DateTime<Utc>,
    pub(super) effects: Effects,
}

impl Transition {
    /// Adopts a provider's snapshot: no command of the host's, so the table does not decide.
    pub(crate) fn adopted(before: &Subscription, after: Subscription, now: DateTime<Utc>) -> Self {
        let effects = [
            Effect::of_status(before.status, &after),
            None,
            Effect::of_plan(&before.plan, &after.plan),
        ];

        Self {
            subscription: after,
            from: before.status,
            command: None,
            expected_version: before.version,
            at: now,
            effects,
        }
    }

    /// Returns the instant at which it was made.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Returns the subscription as it is from now on.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Takes the subscription as it is from now on.
    pub fn into_subscription(self) -> Subscription {
        self.subscription
    }

    /// Takes the subscription to write, with the version that it was made from.
    pub fn into_change(self) -> RowChange<Subscription> {
        RowChange::update(self.expected_version, self.subscription)
    }

    /// Returns the transition with the end of the paid time in its subscription: that of the row of
    /// paid time that is written in the same transaction.
    pub fn with_paid_until(mut self, paid_until: Option<DateTime<Utc>>) -> Self {
        self.subscription.paid_until = paid_until;
        self
    }

    /// Returns the version that the stored row must still have. If it has another, load again and
    /// apply again.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// Returns the status before.
    pub fn from(&self) -> SubscriptionStatus {
        self.from
    }

    /// Returns the status from now on. It may be the same.
    pub fn to(&self) -> SubscriptionStatus {
        self.subscription.status
    }

    /// Returns the row of the table that was applied; `None` where a provider's snapshot was
    /// adopted.
    pub fn command(&self) -> Option<CommandKind> {
        self.command
    }

    /// Returns the fact that service ended and nothing was given back, to be recorded in the
    /// subscription's [paid time](crate::paid_time) in the same transaction: of
    /// [`CancelNow`](super::Command::CancelNow). An end at a period's end is none, since nothing is
    /// left of what was paid.
    ///
    /// Record it whether or not anything was paid: a payment may be heard of later.
    ///
    /// ```
    /// use bailiwick::Subscription;
    /// use bailiwick::paid_time::{Fact, PaidTime};
    /// use bailiwick::payment_method::PaymentMethod;
    /// use bailiwick::subscription::Command;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let now = "2027-03-10T00:00:00Z".parse()?;
    ///     let method = PaymentMethod::BankTransfer;
    ///     let subscription = Subscription::new(1.into(), 7.into(), 3.into(), method, now);
    ///     let ended = subscription.apply(Command::CancelNow, now)?;
    ///
    ///     // The row as it was loaded, or this one where none is stored.
    ///     let paid_time = PaidTime::new(7.into(), 1.into());
    ///     let change = paid_time.record(ended.stop())?.ok_or("it is recorded already")?;
    ///     assert!(matches!(change.row().facts(), [Fact::Stop(stop)] if stop.at == now));
    ///     Ok(())
    /// }
    /// ```
    pub fn stop(&self) -> Option<Fact> {
        let ends = self.command == Some(CommandKind::CancelNow);

        ends.then(|| {
            let id = &self.subscription.id;
            let micros = self.at.timestamp_micros();
            Fact::Stop(EndOfService {
                key: format!("stop/{id}/{micros}").into(),
                at: self.at,
                made: self.at,
            })
        })
    }

    /// Returns what else to do in the same transaction.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().flatten()
    }
}

/// A command that a subscription refuses, and the reason. Nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) status: SubscriptionStatus,
    pub(super) command: CommandKind,
    pub(super) reason: RefusalReason,
    pub(super) until: Option<DateTime<Utc>>,
}

impl Refusal {
    /// Returns the subscription's status.
    pub fn status(&self) -> SubscriptionStatus {
        self.status
    }

    /// Returns the row of the table that was looked up.
    pub fn command(&self) -> CommandKind {
        self.command
    }

    /// Returns the reason.
    pub fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// Returns the instant from which it is no longer too early; `None` if waiting does not help.
    pub fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.until
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            command,
            reason,
            until,
        } = self;
        write!(
            f,
            "cannot apply {} to a subscription that is {status}: {reason}",
            command.as_str()
        )?;

        match until {
            Some(until) => {
                let until = until.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                write!(f, " until {until}")
            }
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

impl Explained for Refusal {
    fn code(&self) -> Code {
        Code::TransitionRefused
    }
}

/// The reason of a refusal, before the status and the command are added.
pub(super) struct Stop {
    pub(super) reason: RefusalReason,
    pub(super) until: Option<DateTime<Utc>>,
}

impl From<RefusalReason> for Stop {
    fn from(reason: RefusalReason) -> Self {
        Self {
            reason,
            until: None,
        }
    }
}

/// Refuses a command that comes before an end and its slack are over. Without an end there is
/// nothing to wait for.
pub(super) fn check_over(
    end: Option<DateTime<Utc>>,
    slack: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let Some(end) = end else { return Ok(()) };

    match end.checked_add_signed(slack.max(TimeDelta::zero())) {
        Some(limit) if limit <= now => Ok(()),
        until => Err(Stop {
            reason: RefusalReason::TooEarly,
            until,
        }),
    }
}
