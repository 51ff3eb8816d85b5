//! The payment of a charge, by money that the room of transfers or of providers has established.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::NotPayable;
use super::opening::next_account;
use super::purpose::{ChargeFor, CreditPack, NextPeriod, PlanChange};
use super::row::{Charge, ChargeState};
use super::spans::spans;
use crate::account::Account;
use crate::change::{RowChange, RowError};
use crate::credit::{Cause, DueGrant, GrantTerms};
use crate::id::{PlanId, SubscriptionId};
use crate::money::Money;
use crate::paid_time::{BilledPeriod, Fact, PaidTime, RecordError, Span};
use crate::payment_method::PaymentMethod;
use crate::policy::Policy;
use crate::subscription::{Command, RecordedPayment, Subscription};

/// Money that was received, as the room that establishes it describes it: a confirmed transfer, or a
/// provider's one-off payment.
#[derive(Clone, Debug)]
pub(crate) struct ChargePayment {
    /// The key of the payment: a [`Void`](crate::paid_time::Void) of it leaves out the time that it
    /// paid.
    pub(crate) payment: Arc<str>,
    /// The instant at which the money was received, so that its credits live from then.
    pub(crate) received: DateTime<Utc>,
    /// The instant by which it was there, and which decides whether the charge was still valid. A
    /// transfer is confirmed later than it was booked, and that is no fault of the payer's.
    pub(crate) arrived: DateTime<Utc>,
    /// The way it was paid.
    pub(crate) method: PaymentMethod,
    /// The payment's identifier outside Stripe.
    pub(crate) external_id: Option<String>,
    /// The money that may pay the charge: what was received, the deposit before it, and the part
    /// that the policy writes off.
    pub(crate) amount: Money,
}

/// The rows that are loaded before a charge is paid.
#[derive(Clone, Debug)]
pub(crate) struct ChargePaymentFacts {
    /// The account.
    pub(crate) account: Account,
    /// Its subscription. A pack of credits needs none.
    pub(crate) subscription: Option<Subscription>,
    /// The subscription's paid time.
    pub(crate) paid_time: Option<PaidTime>,
}

/// Everything that the payment of a charge changes, for the change set of the room that established
/// the money.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub(crate) struct ChargePaid {
    /// The charge to update.
    pub(crate) charge: RowChange<Charge>,
    /// The account to update: always, so that no two payments are recorded at once.
    pub(crate) account: RowChange<Account>,
    /// The account's plan from now on; `None` where the charge is for no subscription.
    pub(crate) plan: Option<PlanId>,
    /// The subscription to update.
    pub(crate) subscription: Option<RowChange<Subscription>>,
    /// The paid time to insert or update.
    pub(crate) paid_time: Option<RowChange<PaidTime>>,
    /// The credits to grant.
    pub(crate) grants: Vec<DueGrant>,
    /// The part of the money that is left over.
    pub(crate) left: Money,
}

/// The subscription and the paid time that a payment leaves.
struct Served {
    subscription: RowChange<Subscription>,
    paid_time: Option<RowChange<PaidTime>>,
}

/// The answer of one step: a value, or the reason why the money pays nothing.
type Step<T> = Result<Result<T, NotPayable>, RecordError>;

/// Returns the reason from the function around it.
macro_rules! payable {
    ($step:expr) => {
        match $step {
            Ok(value) => value,
            Err(reason) => return Ok(Err(reason)),
        }
    };
}

impl Policy {
    /// Pays a charge. Where the money does not pay it, nothing changes, and the caller keeps the
    /// money as a deposit. Whether this payment was counted before is settled before it comes here.
    ///
    /// # Errors
    /// [`RecordError::Row`] for rows that do not belong together, a sum or a version; any other
    /// [`RecordError`] if the paid time takes no more facts.
    pub(crate) fn pay_charge(
        &self,
        charge: Charge,
        payment: &ChargePayment,
        facts: ChargePaymentFacts,
        now: DateTime<Utc>,
    ) -> Result<Result<ChargePaid, NotPayable>, RecordError> {
        if charge.account != facts.account.id {
            return Err(mismatch("charge", "account").into());
        }
        let left = payable!(left_over(&charge, payment));

        let mut grants = Vec::new();
        let (served, pays_period) = match &charge.purpose {
            // A downgrade is paid from the start.
            ChargeFor::Downgrade(_) => return Ok(Err(NotPayable::Paid)),
            ChargeFor::Upgrade(change) => {
                let (subscription, paid_time) = payable!(rows(&facts, &change.subscription)?);
                let served =
                    self.pay_upgrade(&charge, change, payment, subscription, paid_time, now)?;
                (Some(payable!(served)), false)
            }
            ChargeFor::Period(next) => {
                let (subscription, paid_time) = payable!(rows(&facts, &next.subscription)?);
                let served =
                    self.pay_period(&charge, next, payment, subscription, paid_time, now)?;
                (Some(payable!(served)), true)
            }
            ChargeFor::CreditPack(pack) => {
                grants.extend(due_of_pack(&charge, pack, now)?);
                (None, false)
            }
        };

        let account = if pays_period {
            paid_account(&facts.account, payment.method)?
        } else {
            next_account(&facts.account)?
        };
        let charge = charge.into_state(ChargeState::Paid {
            payment: payment.payment.clone(),
            received: payment.received,
        })?;
        let (subscription, paid_time) = match served {
            Some(served) => (Some(served.subscription), served.paid_time),
            None => (None, None),
        };

        Ok(Ok(ChargePaid {
            charge,
            account,
            plan: subscription
                .as_ref()
                .map(|change| change.row().plan.clone()),
            subscription,
            paid_time,
            grants,
            left,
        }))
    }

    /// Changes the plan, unless it changed with the opening, and records the time of the new one.
    fn pay_upgrade(
        &self,
        charge: &Charge,
        change: &PlanChange,
        payment: &ChargePayment,
        subscription: &Subscription,
        paid_time: PaidTime,
        now: DateTime<Utc>,
    ) -> Step<Served> {
        let last = self.advanced(subscription, &[], now);
        if !is_as_quoted(charge, change, &last) || !is_time_as_quoted(change, &paid_time) {
            return Ok(Err(NotPayable::Changed));
        }

        let plan = change.to.clone();
        let changed = if change.applied {
            Subscription {
                unpaid_plan: None,
                ..last
            }
        } else {
            match last.apply(Command::ChangePlan { plan }, now) {
                Ok(transition) => transition.into_subscription(),
                Err(refusal) => return Ok(Err(NotPayable::Refused(refusal.reason()))),
            }
        };

        let time = spans(charge, change, &payment.payment, payment.received);
        serve(subscription.version, changed, paid_time, time).map(Ok)
    }

    /// Opens the period that was paid for, and records its time.
    fn pay_period(
        &self,
        charge: &Charge,
        next: &NextPeriod,
        payment: &ChargePayment,
        subscription: &Subscription,
        paid_time: PaidTime,
        now: DateTime<Utc>,
    ) -> Step<Served> {
        let last = self.advanced(subscription, &[], now);
        if *last.next_plan() != next.plan {
            return Ok(Err(NotPayable::Changed));
        }

        let recorded = RecordedPayment {
            interval: next.interval,
            slack: self.longest_admission(),
            method: payment.method,
            external_id: payment.external_id.clone(),
        };
        let paid = match last.record_payment(recorded, now) {
            Ok(transition) => transition.into_subscription(),
            Err(refusal) => return Ok(Err(NotPayable::Refused(refusal.reason()))),
        };

        let span = paid.current_period.map(|period| {
            Fact::Span(Span {
                key: charge.key_of_part(0).into(),
                payment: payment.payment.clone(),
                period: BilledPeriod::Whole(period),
                from: period.start,
                grid: next.grid,
                amount: next.credits,
                made: charge.opened_at,
                received: payment.received,
            })
        });
        serve(subscription.version, paid, paid_time, span).map(Ok)
    }
}

impl Charge {
    /// Opens a paid charge again, whose payment was taken back. Its next payment has keys of its own.
    /// The caller voids the payment's time and takes back its grants.
    pub(crate) fn reopen(self) -> Result<RowChange<Self>, RowError> {
        let retractions = self.retractions.checked_add(1).ok_or(RowError::Overflow {
            of: "number of retractions of the charge",
        })?;

        Self {
            retractions,
            ..self
        }
        .into_state(ChargeState::Open)
    }
}

/// Returns the part of the money that the charge leaves over, if the money pays it.
fn left_over(charge: &Charge, payment: &ChargePayment) -> Result<Money, NotPayable> {
    match charge.state {
        ChargeState::Open => {}
        ChargeState::Paid { .. } => return Err(NotPayable::Paid),
        ChargeState::Void { .. } => return Err(NotPayable::Void),
    }
    if !charge.is_payable_at(payment.arrived) {
        return Err(NotPayable::Expired);
    }

    payment
        .amount
        .checked_sub(charge.amount)
        .ok_or(NotPayable::Short)
}

/// Returns the subscription that a charge is for, and its paid time. An account that has subscribed
/// anew has another one.
fn rows<'a>(
    facts: &'a ChargePaymentFacts,
    id: &SubscriptionId,
) -> Step<(&'a Subscription, PaidTime)> {
    let ChargePaymentFacts {
        account,
        subscription,
        paid_time,
    } = facts;
    let Some(subscription) = subscription.as_ref().filter(|found| found.id == *id) else {
        return Ok(Err(NotPayable::Changed));
    };
    if subscription.account != account.id {
        return Err(mismatch("subscription", "account").into());
    }

    let paid_time = match paid_time {
        Some(paid_time) => paid_time.clone(),
        None => PaidTime::new(account.id.clone(), id.clone()),
    };
    if *paid_time.account() != account.id || paid_time.subscription() != id {
        return Err(mismatch("paid time", "subscription").into());
    }

    Ok(Ok((subscription, paid_time)))
}

/// Returns whether a subscription still is what a change was quoted for, and is paid here.
fn is_as_quoted(charge: &Charge, change: &PlanChange, subscription: &Subscription) -> bool {
    if subscription.run_by().is_some() {
        return false;
    }
    let unpaid = subscription.unpaid_plan.as_ref();
    if change.applied {
        return subscription.plan == change.to
            && unpaid.is_some_and(|unpaid| unpaid.charge == charge.id);
    }

    // A further period that was paid since was paid at the former plan's price.
    let end = subscription.current_period.map(|period| period.end);
    subscription.plan == change.from && end == Some(change.time().end)
}

/// Returns whether the paid time still is what a change was quoted for: no other plan has begun in
/// it since, and nothing of it was given back.
fn is_time_as_quoted(change: &PlanChange, paid_time: &PaidTime) -> bool {
    let schedule = paid_time.schedule();

    change.times.iter().all(|time| {
        let pieces = || {
            let pieces = schedule.pieces().iter();
            pieces.filter(|piece| piece.period == time.period)
        };
        // Time that was paid before there was a record of it has no piece.
        let end = pieces().map(|piece| piece.paid.end).max();
        let is_whole = end.is_none_or(|end| end == time.period.end);

        is_whole && pieces().all(|piece| piece.paid.start <= time.from)
    })
}

/// Records time, and writes its end into the subscription. However many commands were carried out,
/// the row changes in one step.
fn serve(
    version: u64,
    changed: Subscription,
    paid_time: PaidTime,
    time: impl IntoIterator<Item = Fact>,
) -> Result<Served, RecordError> {
    let known = paid_time.paid_until();
    let paid_time = paid_time.record(time)?;
    let paid_until = paid_time
        .as_ref()
        .map_or(known, |change| change.row().paid_until());

    let subscription = RowChange::next(version, "subscription", |version| Subscription {
        paid_until,
        version,
        ..changed
    })?;
    Ok(Served {
        subscription,
        paid_time,
    })
}

/// Returns the credits of a pack that is paid now.
fn due_of_pack(
    charge: &Charge,
    pack: &CreditPack,
    now: DateTime<Utc>,
) -> Result<Option<DueGrant>, RowError> {
    let expires_at = pack
        .expires_after
        .map(|life| {
            life.after(now, 1).ok_or(RowError::Overflow {
                of: "life of the credits",
            })
        })
        .transpose()?;
    let terms = GrantTerms {
        expires_at,
        ..GrantTerms::forever(pack.credits)
    };

    let cause = Cause::charge(&charge.account, &charge.id, charge.retractions);
    Ok(DueGrant::new(cause, terms))
}

/// Returns the account after a period was paid: active, and on this method.
fn paid_account(account: &Account, method: PaymentMethod) -> Result<RowChange<Account>, RowError> {
    RowChange::next(account.version, "account", |version| Account {
        status: account.status.after_payment(),
        payment_method: method,
        version,
        ..account.clone()
    })
}

fn mismatch(left: &'static str, right: &'static str) -> RowError {
    RowError::Mismatch { left, right }
}
