//! A change in the making. What time alone decides comes first, then the command's own events.

use chrono::{DateTime, Utc};

use super::balance::Balance;
use super::change::Change;
use super::error::WalletError;
use super::event::Event;
use super::ledger::LedgerEntry;
use super::outcome::OutcomeWrite;
use super::wallet::Wallet;
use crate::money::Credits;

/// A change in the making: the wallet after each event, and the entries that say how it came there.
pub(super) struct Draft {
    pub(super) wallet: Wallet,
    pub(super) now: DateTime<Utc>,
    expected_version: u64,
    entries: Vec<LedgerEntry>,
}

impl Draft {
    /// Advances the wallet to `now`, boundary by boundary. A `now` before the wallet's time is the
    /// wallet's time.
    pub(super) fn begin(wallet: Wallet, now: DateTime<Utc>) -> Result<Self, WalletError> {
        let now = now.max(wallet.as_of);
        let mut draft = Self {
            expected_version: wallet.version,
            wallet,
            now,
            entries: Vec::new(),
        };
        while let Some(at) = draft.wallet.next_boundary().filter(|at| *at <= now) {
            draft.record_due(at)?;
            // What was due has happened, so the next instant is a later one; else this would go on
            // for ever.
            if draft.wallet.next_boundary().is_some_and(|next| next <= at) {
                return Err(WalletError::Inexact);
            }
        }
        draft.wallet.as_of = now;
        Ok(draft)
    }

    /// Records what is due at an instant, and repays debt from what has become free by it, until
    /// nothing more comes of either: a repayment can use up the grant that a rollover was waiting
    /// for.
    fn record_due(&mut self, at: DateTime<Utc>) -> Result<(), WalletError> {
        loop {
            while let Some(event) = self.wallet.due_at(at) {
                self.record(at, event.clone())?;
                // Every event removes its own cause; one that does not would go on for ever.
                if self.wallet.due_at(at) == Some(event) {
                    return Err(WalletError::Inexact);
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
        self.wallet.sequence = self
            .wallet
            .sequence
            .checked_add(1)
            .ok_or(WalletError::AmountOverflow)?;
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

    /// Whether anything was repaid.
    fn repay(&mut self, at: DateTime<Utc>) -> Result<bool, WalletError> {
        if self.wallet.balance().debt.is_zero() || self.wallet.balance().free.is_zero() {
            return Ok(false);
        }
        let slices = self.wallet.slices(self.wallet.balance().debt);
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
        self.wallet.version = self
            .expected_version
            .checked_add(1)
            .ok_or(WalletError::AmountOverflow)?;
        let Self {
            wallet,
            expected_version,
            entries,
            ..
        } = self;
        Ok(Change {
            expected_version,
            wallet,
            entries,
            outcome,
            result,
        })
    }
}

impl Wallet {
    /// Applies what time alone has decided up to `now`: holds and grants that ran out, grants that
    /// took effect, debt that could be repaid. No host needs to call it, since every command begins
    /// with it.
    pub fn advance(self, now: DateTime<Utc>) -> Result<Change, WalletError> {
        Draft::begin(self, now)?.finish(None, ())
    }

    /// The balance at `now`, without writing anything.
    pub fn balance_at(&self, now: DateTime<Utc>) -> Result<Balance, WalletError> {
        Ok(Draft::begin(self.clone(), now)?.wallet.balance)
    }

    /// The first instant, from `now` on, at which an amount is available by time alone: because
    /// scheduled credits take effect, or holds run out. `None` if that never happens without
    /// another grant.
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
