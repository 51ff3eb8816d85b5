//! Payments at a provider for the host's own charges: one row by the provider's identifier, which
//! pays once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::PaymentError;
use super::placing::payment_key;
use super::report::ProviderCharge;
use crate::account::Account;
use crate::change::{Answer, RowChange, RowError};
use crate::charge::{Charge, ChargePaid, ChargePayment, ChargePaymentFacts, NotPayable};
use crate::credit::DueGrant;
use crate::id::{AccountId, ChargeId, PlanId};
use crate::money::Money;
use crate::paid_time::PaidTime;
use crate::payment_method::{PaymentMethod, Provider};
use crate::policy::Policy;
use crate::subscription::Subscription;

/// The rows that a host loads before it records a payment for a charge, in one transaction.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct ProviderChargeFacts {
    /// The charge that the report names.
    pub charge: Charge,
    /// The account of the charge.
    pub account: Account,
    /// Its subscription, if it has one. A pack of credits needs none.
    pub subscription: Option<Subscription>,
    /// The paid time of that subscription; [`PaidTime::new`] where none is stored.
    pub paid_time: Option<PaidTime>,
    /// The row of the same provider and payment, if there is one.
    pub prior: Option<PaidCharge>,
}

/// A payment for a charge that was recorded: a row that is unique by (provider, payment).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PaidCharge {
    /// The provider that received it.
    pub provider: Provider,
    /// The provider's identifier of the payment.
    pub payment: String,
    /// The account of the charge.
    pub account: AccountId,
    /// The charge that it named.
    pub charge: ChargeId,
    /// The amount.
    pub amount: Money,
    /// The part of it that paid for nothing, for the desk to give back: at a provider, nothing
    /// becomes a deposit.
    pub left: Money,
    /// The [label](NotPayable::label) of the reason why it did not pay the charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_payable: Option<String>,
    /// The time at which it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl PaidCharge {
    /// Returns whether this row is the record of the same payment, for the same charge.
    fn is_of(&self, payment: &ProviderCharge, charge: &Charge) -> bool {
        self.provider == payment.provider
            && self.payment == payment.payment
            && self.account == charge.account
            && self.charge == charge.id
            && self.amount == payment.amount
    }
}

/// Everything that a payment for a charge changes, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct ProviderChargeChange {
    record: PaidCharge,
    paid: Option<ChargePaid>,
    not_payable: Option<NotPayable>,
}

impl ProviderChargeChange {
    /// Returns the row to insert, under UNIQUE (provider, payment). A clash means: load again and
    /// ask again.
    pub fn record(&self) -> &PaidCharge {
        &self.record
    }

    /// Returns the reason why the charge was not paid, for the desk: nothing but the record is to
    /// be written then.
    pub fn not_payable(&self) -> Option<NotPayable> {
        self.not_payable
    }

    /// Returns the charge to update.
    pub fn charge(&self) -> Option<&RowChange<Charge>> {
        self.paid.as_ref().map(|paid| &paid.charge)
    }

    /// Returns the account to update.
    pub fn account(&self) -> Option<&RowChange<Account>> {
        self.paid.as_ref().map(|paid| &paid.account)
    }

    /// Returns the account's plan from now on; `None` if it stays.
    pub fn plan(&self) -> Option<&PlanId> {
        self.paid.as_ref()?.plan.as_ref()
    }

    /// Returns the subscription to update.
    pub fn subscription(&self) -> Option<&RowChange<Subscription>> {
        self.paid.as_ref()?.subscription.as_ref()
    }

    /// Returns the paid time to insert or update. The host aligns the wallet with it in the same
    /// transaction: see [`Wallet::align`](crate::Wallet::align).
    pub fn paid_time(&self) -> Option<&RowChange<PaidTime>> {
        self.paid.as_ref()?.paid_time.as_ref()
    }

    /// Returns the credits of a pack: see [`Wallet::grant_due`](crate::Wallet::grant_due).
    pub fn grants(&self) -> &[DueGrant] {
        self.paid.as_ref().map_or(&[], |paid| &paid.grants)
    }
}

impl Policy {
    /// Records a payment that a provider received for one of the host's own
    /// [charges](crate::charge): once for each payment, whatever event reported it and however
    /// often. The charge must have been valid when the money was received.
    ///
    /// Money that does not pay the charge is recorded with the reason, and nothing else changes.
    /// That money, and what is above the charge, is for the desk to give back at the provider: it
    /// becomes no deposit.
    ///
    /// # Errors
    /// In this order: [`PaymentError::ComingSoon`]; [`PaymentError::Row`] for a charge that the
    /// report does not name, or for a row of another payment; [`PaymentError::Conflict`];
    /// [`PaymentError::Row`] for a charge of another account; [`PaymentError::PaidTime`] and
    /// [`PaymentError::Row`] for the other rows and for a version.
    ///
    /// ```
    /// use bailiwick::Policy;
    /// use bailiwick::change::Answer;
    /// use bailiwick::chrono::{DateTime, Utc};
    /// use bailiwick::provider::{PaymentError, ProviderCharge, ProviderChargeFacts};
    ///
    /// fn record(
    ///     policy: &Policy,
    ///     payment: &ProviderCharge,
    ///     facts: ProviderChargeFacts,
    ///     now: DateTime<Utc>,
    /// ) -> Result<(), PaymentError> {
    ///     match policy.record_charge_payment(payment, facts, now)? {
    ///         // Write every part of the change, align the wallet, and grant what is due.
    ///         Answer::Fresh(change) => println!("{} credit grants", change.grants().len()),
    ///         // It was recorded before: write nothing.
    ///         Answer::Replayed(record) => println!("recorded at {}", record.recorded_at),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn record_charge_payment(
        &self,
        payment: &ProviderCharge,
        facts: ProviderChargeFacts,
        now: DateTime<Utc>,
    ) -> Result<Answer<ProviderChargeChange, PaidCharge>, PaymentError> {
        let ProviderChargeFacts {
            charge,
            account,
            subscription,
            paid_time,
            prior,
        } = facts;
        let method = payment.provider.payment_method();
        if !self.is_enabled(method) {
            return Err(PaymentError::ComingSoon(method));
        }
        if charge.id.to_string() != payment.charge {
            let (left, right) = ("charge", "payment");
            return Err(RowError::Mismatch { left, right }.into());
        }

        if let Some(prior) = prior {
            return if prior.is_of(payment, &charge) {
                Ok(Answer::Replayed(prior))
            } else {
                Err(PaymentError::Conflict(payment.payment.clone()))
            };
        }
        if charge.account != account.id {
            let (left, right) = ("charge", "account");
            return Err(RowError::Mismatch { left, right }.into());
        }

        let money = ChargePayment {
            payment: payment_key(payment.provider, &payment.payment),
            received: payment.at,
            arrived: payment.at,
            method,
            external_id: external_id(payment),
            amount: payment.amount,
        };
        let rows = ChargePaymentFacts {
            account,
            subscription,
            paid_time,
        };
        let record = PaidCharge {
            provider: payment.provider,
            payment: payment.payment.clone(),
            account: charge.account.clone(),
            charge: charge.id.clone(),
            amount: payment.amount,
            left: payment.amount,
            not_payable: None,
            recorded_at: now,
        };

        Ok(Answer::Fresh(
            match self.pay_charge(charge, &money, rows, now)? {
                Ok(paid) => ProviderChargeChange {
                    record: PaidCharge {
                        left: paid.left,
                        ..record
                    },
                    paid: Some(paid),
                    not_payable: None,
                },
                Err(reason) => ProviderChargeChange {
                    record: PaidCharge {
                        not_payable: Some(reason.label().to_owned()),
                        ..record
                    },
                    paid: None,
                    not_payable: Some(reason),
                },
            },
        ))
    }
}

/// Returns the identifier that a subscription keeps of a payment outside Stripe.
fn external_id(payment: &ProviderCharge) -> Option<String> {
    let is_outside = payment.provider.payment_method() != PaymentMethod::Stripe;

    is_outside.then(|| payment.payment.clone())
}
