//! The charge: a row that says what an account owes, what a payment brings, and how it was reckoned.

use std::fmt::{self, Write};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::purpose::{ChargeFor, CreditPack, NextPeriod, PlanChange};
use crate::change::{RowChange, RowError};
use crate::id::{AccountId, ChargeId, Identifier, PlanId, SubscriptionId, UserId};
use crate::money::Money;
use crate::period::{Interval, IntervalUnit};

/// The state of a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum ChargeState {
    /// It waits for its payment.
    Open,
    /// It was paid, or nothing was to be paid.
    Paid {
        /// The payment: that of a transfer or a provider, or the charge's own key if nothing was to
        /// be paid.
        payment: Arc<str>,
        /// The instant at which the money was received.
        received: DateTime<Utc>,
    },
    /// It is no longer owed. Money for it is kept as the account's deposit.
    Void {
        /// The instant at which that was decided.
        at: DateTime<Utc>,
        /// The operator's reason; `None` where the account withdrew it.
        reason: Option<String>,
    },
}

/// A charge of an account: a row that is unique by its identifier, and by its
/// [reference](Self::reference). Displayed, it is a sentence that says how it was reckoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Charge {
    /// Its identifier, which the host makes.
    pub id: ChargeId,
    /// The account that owes it.
    pub account: AccountId,
    /// Its purpose.
    pub purpose: ChargeFor,
    /// The amount to pay.
    pub amount: Money,
    /// The person who opened it; `None` for an API key, or for the host's own job.
    pub opened_by: Option<UserId>,
    /// The instant at which it was opened.
    pub opened_at: DateTime<Utc>,
    /// The first instant at which money that is received for it no longer pays it.
    pub valid_until: DateTime<Utc>,
    /// Its state.
    pub state: ChargeState,
    /// The number of payments for it that were taken back.
    #[serde(default)]
    pub retractions: u32,
    /// The row's version: a change is written only over the version that it was made from.
    pub version: u64,
}

impl Charge {
    /// Returns the text that a payer writes on the transfer: printable ASCII characters without
    /// spaces. That of an integer or a UUID has at most 35 characters, which is what a SEPA transfer
    /// carries as its end-to-end identification.
    ///
    /// Letters are in upper case, so the texts of two identifiers may be one. The store holds them
    /// unique.
    ///
    /// ```
    /// use bailiwick::charge::Charge;
    ///
    /// fn instructions(charge: &Charge) -> String {
    ///     // "Please transfer 20 EUR, and write CH-7."
    ///     format!("Please transfer {}, and write {}.", charge.amount, charge.reference())
    /// }
    /// ```
    pub fn reference(&self) -> String {
        let mut text = self.id.to_string();
        if matches!(self.id.identifier(), Identifier::Uuid(_)) {
            text = text.replace('-', "");
        }

        format!("CH-{}", text.to_ascii_uppercase())
    }

    /// Returns the amount that a change to a smaller plan left over: it is added to the account's
    /// deposit. Zero for every other charge.
    pub fn credited(&self) -> Money {
        match &self.purpose {
            ChargeFor::Downgrade(change) => change.reckoning.credit(),
            _ => Money::zero(self.amount.currency()),
        }
    }

    /// Returns whether money that is received at an instant pays it.
    pub fn is_payable_at(&self, received: DateTime<Utc>) -> bool {
        self.state == ChargeState::Open && received < self.valid_until
    }

    /// Returns the sentence that says how it was reckoned, with the names of plans that a customer
    /// knows.
    ///
    /// ```
    /// use bailiwick::charge::Charge;
    ///
    /// fn explain(charge: &Charge) -> String {
    ///     // "20 EUR: 30 EUR for Pro from 2027-06-21 to 2027-07-01, less 10 EUR of Basic not used"
    ///     charge.sentence(|plan| if *plan == 4.into() { "Pro" } else { "Basic" }.to_owned())
    /// }
    /// ```
    pub fn sentence(&self, name: impl Fn(&PlanId) -> String) -> String {
        match &self.purpose {
            ChargeFor::Upgrade(change) => upgrade(self.amount, change, name),
            ChargeFor::Downgrade(change) => downgrade(self.credited(), change, name),
            ChargeFor::Period(next) => period(self.amount, next, name),
            ChargeFor::CreditPack(pack) => credit_pack(self.amount, pack),
        }
    }

    /// Returns the subscription that it is for; `None` for a pack of credits.
    pub(crate) fn subscription(&self) -> Option<&SubscriptionId> {
        match &self.purpose {
            ChargeFor::Upgrade(change) | ChargeFor::Downgrade(change) => Some(&change.subscription),
            ChargeFor::Period(next) => Some(&next.subscription),
            ChargeFor::CreditPack(_) => None,
        }
    }

    /// Returns whether it was paid by a payment.
    pub(crate) fn is_paid_by(&self, name: &str) -> bool {
        matches!(&self.state, ChargeState::Paid { payment, .. } if **payment == *name)
    }

    /// Returns the key under which paid time records it, before the number of a part.
    pub(super) fn key(&self) -> String {
        format!("charge/{}/{}", self.retractions, self.id)
    }

    /// Returns the key of one part of its time.
    pub(super) fn key_of_part(&self, number: usize) -> String {
        // The number comes before the identifier, which may hold any character.
        format!("charge/{}/{number}/{}", self.retractions, self.id)
    }

    /// Returns the change to another state.
    pub(super) fn into_state(self, state: ChargeState) -> Result<RowChange<Self>, RowError> {
        RowChange::next(self.version, "charge", |version| Self {
            state,
            version,
            ..self
        })
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(|plan| format!("plan {plan}")))
    }
}

fn upgrade(amount: Money, change: &PlanChange, name: impl Fn(&PlanId) -> String) -> String {
    let (from, to) = (name(&change.from), name(&change.to));
    let (unused, charge) = (change.reckoning.unused, change.reckoning.charge);

    format!(
        "{amount}: {charge} for {to} {}, less {unused} of {from} not used",
        days(change)
    )
}

fn downgrade(credited: Money, change: &PlanChange, name: impl Fn(&PlanId) -> String) -> String {
    let (from, to) = (name(&change.from), name(&change.to));
    let (unused, charge) = (change.reckoning.unused, change.reckoning.charge);

    format!(
        "{credited} for the deposit: {unused} of {from} not used, less {charge} for {to} {}",
        days(change)
    )
}

/// Returns the days of a change's time, such as "from 2027-06-21 to 2027-07-01".
fn days(change: &PlanChange) -> String {
    let time = change.time();
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d");

    format!("from {} to {}", day(time.start), day(time.end))
}

fn period(amount: Money, next: &NextPeriod, name: impl Fn(&PlanId) -> String) -> String {
    let (length, plan) = (length(next.interval), name(&next.plan));

    format!("{amount}: the next {length} of {plan}")
}

fn credit_pack(amount: Money, pack: &CreditPack) -> String {
    let CreditPack {
        name,
        price: _,
        credits,
        expires_after,
    } = pack;
    let mut text = format!("{amount}: {credits} credits of {name}, which ");

    // Writing to a text cannot fail.
    let _ = match expires_after {
        Some(interval) => write!(text, "live for {}", counted(*interval)),
        None => write!(text, "do not expire"),
    };
    text
}

/// Returns the length of a period in words, such as "month" or "3 months".
fn length(interval: Interval) -> String {
    if interval.count.get() == 1 {
        unit(interval).to_owned()
    } else {
        counted(interval)
    }
}

/// Returns an interval in words, such as "1 month" or "3 months".
fn counted(interval: Interval) -> String {
    let count = interval.count.get();
    let plural = if count == 1 { "" } else { "s" };

    format!("{count} {}{plural}", unit(interval))
}

fn unit(interval: Interval) -> &'static str {
    match interval.unit {
        IntervalUnit::Day => "day",
        IntervalUnit::Week => "week",
        IntervalUnit::Month => "month",
        IntervalUnit::Year => "year",
    }
}
