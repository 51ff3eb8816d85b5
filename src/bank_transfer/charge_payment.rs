//! The payment of a charge by the transfer that names it.

use chrono::{DateTime, NaiveTime, Utc};

use super::allotment::Split;
use super::deposit::Deposit;
use super::error::ConfirmError;
use super::opening::{Opened, paid_account};
use super::transfer::BankTransfer;
use crate::account::Account;
use crate::change::RowChange;
use crate::charge::{Charge, ChargeFor, ChargePaid, ChargePayment, ChargePaymentFacts, NotPayable};
use crate::credit::DueGrant;
use crate::payment_method::PaymentMethod;
use crate::policy::Policy;

/// The rows after a transfer, whatever it paid.
pub(super) struct Paid {
    /// The parts of the money.
    pub(super) split: Split,
    /// The account to write.
    pub(super) account: RowChange<Account>,
    /// The subscription and its paid time.
    pub(super) opened: Opened,
    /// The credits to grant.
    pub(super) grants: Vec<DueGrant>,
    /// The charge to write, if it was paid.
    pub(super) charge: Option<RowChange<Charge>>,
    /// The reason why the charge that was named was not paid.
    pub(super) not_payable: Option<NotPayable>,
}

impl Policy {
    /// Pays the charge that a transfer names, with the deposit before it; or keeps all of the money,
    /// and says why.
    pub(super) fn pay_named_charge(
        &self,
        charge: Charge,
        transfer: &BankTransfer,
        retractions: u32,
        rows: ChargePaymentFacts,
        deposit: Option<&Deposit>,
        now: DateTime<Utc>,
    ) -> Result<Paid, ConfirmError> {
        let due = charge.amount;
        let amount = transfer.amount();
        let split = self.split(due, 1, amount, deposit)?;
        let payment = ChargePayment {
            payment: transfer.payment(retractions).into(),
            received: now,
            arrived: arrived(transfer, now),
            method: PaymentMethod::BankTransfer,
            external_id: Some(transfer.transaction().to_string()),
            amount: split.sum()?,
        };

        let before = rows.account.clone();
        let paid = match self.pay_charge(charge, &payment, rows, now)? {
            Ok(paid) => paid,
            Err(reason) => {
                return Ok(Paid {
                    split: Split::keep(amount, deposit, due)?,
                    account: paid_account(&before, false)?,
                    opened: Opened::default(),
                    grants: Vec::new(),
                    charge: None,
                    not_payable: Some(reason),
                });
            }
        };

        let ChargePaid {
            charge,
            account,
            plan: _,
            subscription,
            paid_time,
            grants,
            left,
        } = paid;
        debug_assert_eq!(
            split.noted.checked_add(split.kept),
            Some(left),
            "what the charge leaves over is noted or kept"
        );

        let opens_period = matches!(charge.row().purpose, ChargeFor::Period(_));
        let period = subscription
            .as_ref()
            .and_then(|change| change.row().current_period);
        Ok(Paid {
            split: Split {
                periods: u32::from(opens_period),
                ..split
            },
            account,
            opened: Opened {
                until: period.filter(|_| opens_period).map(|period| period.end),
                subscription,
                paid_time,
            },
            grants,
            charge: Some(charge),
            not_payable: None,
        })
    }
}

/// Returns the instant by which a transfer was there: the start of the day on which it was booked.
fn arrived(transfer: &BankTransfer, now: DateTime<Utc>) -> DateTime<Utc> {
    let booked = transfer
        .booked_on()
        .map(|day| day.and_time(NaiveTime::MIN).and_utc());

    booked.map_or(now, |booked| booked.min(now))
}
