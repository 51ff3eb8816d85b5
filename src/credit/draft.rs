//! A change in the making: first the events that time alone decides, then the command's own.

use chrono::{DateTime, Utc};

use super::balance::Balance;
use super::change::Change;
use super::error::WalletError;
use super::event::Event;
use super::ledger::LedgerEntry;
use super::outcome::OutcomeWrite;
use super::wallet::Wallet;
use crate::change::{RowChange, RowError};
use crate::money::Credits;

/// A change in the making: the wallet after each event, and the entries that say how it came there.
pub(super) struct Draft {
    pub(super) wallet: Wallet,
    pub(super) now: DateTime<Utc>,
    expected_version: u64,
    before: Credits,
    entries: Vec<LedgerEntry>,
}

impl Draft {
    /// Advances the wallet to `now`, boundary by boundary. A `now` before the wallet's time is the
    /// wallet's time.
    pub(super) fn begin(wallet: Wallet, now: DateTime<Utc>) -> Result<Self, WalletError> {
        // The caller's clock may be behind the one by which the wallet was written.
        let now = now.max(wallet.as_of);
        let mut draft = Self {
            expected_version: wallet.version,
            before: wallet.balance.available(),
            wallet,
            now,
            entries: Vec::new(),
        };

        while let Some(at) = draft.wallet.next_boundary().filter(|at| *at <= now) {
            draft.record_due(at)?;
            // The events of one boundary remove it, so the next one is later; otherwise this would
            // go on for ever.
            if draft.wallet.next_boundary().is_some_and(|next| next <= at) {
                return Err(STILL_DUE);
            }
        }
        draft.wallet.as_of = now;

        Ok(draft)
    }

    /// Records what is due at an instant, and repays debt from what has become free by it, until
    /// neither leads to anything more: a repayment can use up the grant that a rollover was waiting
    /// for.
    pub(super) fn record_due(&mut self, at: DateTime<Utc>) -> Result<(), WalletError> {
        loop {
            while let Some(event) = self.wallet.due_at(at) {
                self.record(at, event.clone())?;
                // Every event removes its own cause; one that does not would go on for ever.
                if self.wallet.due_at(at) == Some(event) {
                    return Err(STILL_DUE);
                }
            }

            if !self.repay(at)? {
                return Ok(());
            }
        }
    }

    /// Applies an event and enters it into the ledger.
    pub(super) fn record(&mut self, at: DateTime<Utc>, event: Event) -> Result<(), WalletError> {
        self.wallet.apply(&event, at)?;
        // An event only moves credits between parts, or adds the same amount on both sides.
        debug_assert!(self.wallet.balance.adds_up());

        self.wallet.sequence = self
            .wallet
            .sequence
            .checked_add(1)
            .ok_or(RowError::Overflow {
                of: "number of the ledger's next entry",
            })?;
        self.entries.push(LedgerEntry {
            account: self.wallet.account().clone(),
            sequence: self.wallet.sequence,
            at,
            recorded_at: self.now,
            event,
            balance: self.wallet.balance(),
        });

        Ok(())
    }

    /// Repays debt from free credits, and returns whether there was anything to repay.
    pub(super) fn repay(&mut self, at: DateTime<Utc>) -> Result<bool, WalletError> {
        let balance = self.wallet.balance();
        if balance.debt.is_zero() || balance.free.is_zero() {
            return Ok(false);
        }

        let slices = self.wallet.slices(balance.debt);
        // A balance that says free credits where no grant has any would be repaid from for ever.
        if slices.is_empty() {
            return Err(WalletError::inexact("no grant has what is free"));
        }
        self.record(at, Event::DebtRepaid { slices })?;

        Ok(true)
    }

    /// Ends the command: what it has made due happens, debt is repaid from what has become free,
    /// and the version moves on.
    pub(super) fn finish<T>(
        mut self,
        outcome: Option<OutcomeWrite>,
        result: T,
    ) -> Result<Change<T>, WalletError> {
        self.record_due(self.now)?;
        // Debt is repaid as soon as anything is free.
        debug_assert_eq!(self.wallet.balance.check(), Ok(()));

        let Self {
            wallet,
            expected_version,
            before,
            entries,
            ..
        } = self;
        let row = RowChange::next(expected_version, "wallet", |version| Wallet {
            version,
            ..wallet
        })?;

        Ok(Change {
            before,
            row,
            entries,
            outcome,
            result,
        })
    }
}

const STILL_DUE: WalletError = WalletError::inexact("what fell due is still due after it happened");

impl Wallet {
    /// Applies what time alone has decided up to `now`: holds and grants that ran out, grants that
    /// took effect, debt that could be repaid. No host needs to call it, since every command begins
    /// with it.
    ///
    /// # Errors
    /// [`WalletError`], if a sum or the version leaves its range.
    pub fn advance(self, now: DateTime<Utc>) -> Result<Change, WalletError> {
        Draft::begin(self, now)?.finish(None, ())
    }

    /// Returns the balance at `now`, without writing anything.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn balance_at(&self, now: DateTime<Utc>) -> Result<Balance, WalletError> {
        Ok(Draft::begin(self.clone(), now)?.wallet.balance)
    }

    /// Returns the first instant, from `now` on, at which an amount is available by time alone:
    /// because scheduled credits take effect, or holds run out. `None` if that never happens
    /// without another grant.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn covered_at(
        &self,
        amount: Credits,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, WalletError> {
        let mut wallet = Draft::begin(self.clone(), now)?.wallet;

        while !wallet.balance().covers(amount) {
            // Every boundary ends a hold, or changes a grant for good, so there are only so many.
            let Some(at) = wallet.next_boundary() else {
                return Ok(None);
            };
            wallet = Draft::begin(wallet, at)?.wallet;
        }

        Ok(Some(wallet.as_of()))
    }
}
