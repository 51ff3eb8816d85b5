//! The allotment of money: the periods that it pays for, the part that is kept and the part that is
//! noted.

use super::deposit::Deposit;
use super::error::ConfirmError;
use crate::change::RowError;
use crate::money::Money;
use crate::policy::{Overpayment, Policy};

/// The most periods that one transfer pays for.
const MAX_PERIODS: u32 = 120;

/// The fault of a sum of a transfer and a deposit that leaves its range.
const OVERFLOW: RowError = RowError::Overflow {
    of: "sum of the transfer and the deposit",
};

/// The parts of a transfer's money and of the deposit before it: `applied + noted + kept` is the
/// sum of both and of what is written off.
pub(super) struct Split {
    /// The number of periods that are paid.
    pub(super) periods: u32,
    /// The price of those periods.
    pub(super) applied: Money,
    /// The part for somebody to give back.
    pub(super) noted: Money,
    /// The deposit from now on.
    pub(super) kept: Money,
    /// The part of the price of the last period that did not arrive, and is forgiven.
    pub(super) written_off: Money,
}

impl Split {
    /// Keeps all of a transfer as a deposit, since there is nothing that it pays for. The price is
    /// what it does not pay.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Nothing`], [`ConfirmError::DepositCurrency`],
    /// [`ConfirmError::Row`].
    pub(super) fn keep(
        amount: Money,
        deposit: Option<&Deposit>,
        price: Money,
    ) -> Result<Self, ConfirmError> {
        if amount.is_zero() {
            return Err(ConfirmError::Nothing);
        }

        // A price of zero is in no currency.
        let zero = Money::zero(amount.currency());
        let price = if price.is_zero() { zero } else { price };
        let before = kept_before(deposit, price)?;
        let kept = before.checked_add(amount).ok_or(OVERFLOW)?;

        Ok(Self {
            periods: 0,
            applied: zero,
            noted: zero,
            kept,
            written_off: zero,
        })
    }

    /// Returns the money that was there to pay: the transfer, the deposit before it, and what is
    /// written off.
    pub(super) fn sum(&self) -> Result<Money, RowError> {
        self.applied
            .checked_add(self.noted)
            .and_then(|parts| parts.checked_add(self.kept))
            .ok_or(OVERFLOW)
    }
}

impl Policy {
    /// Returns the most periods of a price that one transfer opens.
    pub(super) fn max_periods(&self, price: Money) -> u32 {
        match self.overpayment {
            // A free plan has no period to pay for.
            _ if price.is_zero() => 0,
            Overpayment::NextPeriods => MAX_PERIODS,
            Overpayment::Note | Overpayment::Deposit => 1,
        }
    }

    /// Splits a transfer, with the deposit before it, into its parts. The price is what is due once,
    /// such as that of a period, and is paid at most `most` times.
    ///
    /// # Errors
    /// In this order: [`ConfirmError::Currency`], [`ConfirmError::Nothing`],
    /// [`ConfirmError::DepositCurrency`], [`ConfirmError::Row`].
    pub(super) fn split(
        &self,
        price: Money,
        most: u32,
        amount: Money,
        deposit: Option<&Deposit>,
    ) -> Result<Split, ConfirmError> {
        if amount.currency() != price.currency() {
            return Err(ConfirmError::Currency { amount, price });
        }
        if amount.is_zero() {
            return Err(ConfirmError::Nothing);
        }

        let before = kept_before(deposit, price)?;
        let sum = before.checked_add(amount).ok_or(OVERFLOW)?;

        let zero = Money::zero(price.currency());
        let mut left = sum;
        let mut applied = zero;
        let mut periods: u32 = 0;
        while periods < most
            && let Some(rest) = left.checked_sub(price)
        {
            left = rest;
            applied = applied.checked_add(price).ok_or(OVERFLOW)?;
            periods = periods.saturating_add(1);
        }

        let mut written_off = zero;
        if periods < most
            && let Some(missing) = self.tolerated(price, left)
        {
            written_off = missing;
            left = zero;
            applied = applied.checked_add(price).ok_or(OVERFLOW)?;
            periods = periods.saturating_add(1);
        }

        // A part of a price is kept until the rest arrives; only what is above one is noted, and
        // never more than this transfer brought.
        let is_reached = periods > 0 || price.is_zero();
        let noted = if is_reached && self.overpayment == Overpayment::Note {
            left.lesser(amount).ok_or(OVERFLOW)?
        } else {
            zero
        };
        let kept = left.checked_sub(noted).ok_or(OVERFLOW)?;

        debug_assert_eq!(
            applied
                .checked_add(noted)
                .and_then(|parts| parts.checked_add(kept)),
            sum.checked_add(written_off),
            "every cent is in one part"
        );
        Ok(Split {
            periods,
            applied,
            noted,
            kept,
            written_off,
        })
    }

    /// Returns the part of a price that a sum misses, if the policy forgives so little. It makes no
    /// price free: nothing is forgiven of a price that is not above the tolerance.
    fn tolerated(&self, price: Money, sum: Money) -> Option<Money> {
        let tolerance = self.transfer_tolerance?;
        // In another currency, the tolerance is for other prices.
        let above = price.checked_sub(tolerance)?;
        let missing = price.checked_sub(sum)?;

        (!above.is_zero() && tolerance.checked_sub(missing).is_some()).then_some(missing)
    }
}

/// Returns the deposit before a transfer, in the currency of the price.
fn kept_before(deposit: Option<&Deposit>, price: Money) -> Result<Money, ConfirmError> {
    // A deposit of zero is in no currency.
    let Some(deposit) = deposit.filter(|deposit| !deposit.amount.is_zero()) else {
        return Ok(Money::zero(price.currency()));
    };

    if deposit.amount.currency() == price.currency() {
        Ok(deposit.amount)
    } else {
        Err(ConfirmError::DepositCurrency {
            deposit: deposit.amount,
            price,
        })
    }
}
