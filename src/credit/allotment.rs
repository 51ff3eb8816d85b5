//! The effect of the events of paid time on a wallet.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::WalletError;
use super::funds::Funds;
use super::grant::{CauseKind, Grant};
use super::recurring::{AlignTerms, Recurring, WindowKey};
use super::sums::{add, take};
use super::wallet::Wallet;
use crate::money::Credits;
use crate::paid_time::Schedule;

impl Wallet {
    /// Takes over what was paid for a subscription. Windows that ended until `memory_from` are
    /// forgotten.
    pub(super) fn keep_time(
        &mut self,
        schedule: &Schedule,
        terms: AlignTerms,
        memory_from: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) {
        let subscription = schedule.subscription();
        let is_kept = |recurring: &Recurring| {
            recurring.schedule.subscription() == subscription || !recurring.is_over(at)
        };
        // What it had forgotten stays so, even if the time for disputes becomes longer.
        let dropped = self.recurring.iter().filter(|one| !is_kept(one));
        self.memory_from = dropped
            .map(|one| one.memory_from)
            .max()
            .max(self.memory_from);
        self.recurring.retain(is_kept);
        let forgotten = self.memory_from;

        match self
            .recurring
            .iter_mut()
            .find(|recurring| recurring.schedule.subscription() == subscription)
        {
            Some(recurring) => recurring.align(schedule.clone(), terms, memory_from, at),
            None => {
                let memory_from = memory_from.max(forgotten);
                self.recurring
                    .push(Recurring::new(schedule.clone(), terms, memory_from, at));
            }
        }
    }

    /// Frees credits that a window brings: its first, or more of them.
    pub(super) fn allot(
        &mut self,
        key: &WindowKey,
        amount: Credits,
        expires_at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        let recurring = self.recurring_mut(key)?;
        recurring.bring(key.window, key.late, amount)?;
        let priority = recurring.terms.priority;

        add(&mut self.balance.granted, amount)?;
        add(&mut self.balance.free, amount)?;

        let id = key.grant_id();
        let place = self.grants.iter().position(|funds| funds.grant.id == id);
        let before = place.map(|place| self.grants.remove(place));
        let (mut total, mut free, held) = before.map_or(
            <(Credits, Credits, Credits)>::from([Credits::ZERO; 3]),
            |funds| (funds.grant.amount, funds.free, funds.held),
        );
        add(&mut total, amount)?;
        add(&mut free, amount)?;

        self.put(Funds {
            free,
            held,
            ..Funds::new(
                &Grant {
                    id,
                    cause: CauseKind::PaidTime,
                    amount: total,
                    priority,
                    effective_at: key.window.start,
                    expires_at: Some(expires_at),
                    rollover: None,
                    raises: None,
                },
                key.window.start,
            )
        });
        self.drop_spent();

        Ok(())
    }

    /// Takes back what a window had brought: what is free of it, what had run out, and the rest as
    /// a debt.
    pub(super) fn lower(
        &mut self,
        key: &WindowKey,
        amount: Credits,
        [free, unlapsed, debt]: [Credits; 3],
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), WalletError> {
        self.recurring_mut(key)?
            .take(key.window, key.late, amount, unlapsed)?;

        let id = key.grant_id();
        match self.grants.iter().position(|funds| funds.grant.id == id) {
            Some(place) => {
                let mut funds = self.grants.remove(place);
                take(&mut funds.free, free)?;
                funds.grant.expires_at = expires_at.or(funds.grant.expires_at);
                self.put(funds);
            }
            None if free.is_zero() => {}
            None => return Err(WalletError::inexact("a grant is not there")),
        }

        take(&mut self.balance.free, free)?;
        take(&mut self.balance.expired, unlapsed)?;
        add(&mut self.balance.debt, debt)?;
        add(&mut self.balance.revoked, amount)?;
        self.drop_spent();

        Ok(())
    }

    /// Carries a part of a window's credits over, and lets the rest run out.
    pub(super) fn carry(
        &mut self,
        key: &WindowKey,
        amount: Credits,
        lapsed: Credits,
        expires_at: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        let id = key.grant_id();
        let funds = self
            .grants
            .iter_mut()
            .find(|funds| funds.grant.id == id)
            .ok_or(WalletError::inexact("a grant is not there"))?;
        take(&mut funds.free, amount)?;
        take(&mut funds.free, lapsed)?;
        let carried = Grant {
            // No key has a space, so no other grant has this identifier.
            id: format!("{id} rollover").into(),
            cause: CauseKind::Rollover,
            amount,
            effective_at: at,
            expires_at: Some(expires_at),
            ..funds.grant.clone()
        };

        take(&mut self.balance.free, lapsed)?;
        add(&mut self.balance.expired, lapsed)?;
        self.remember_lapse(&id, lapsed)?;
        if let Some(remembered) = self.recurring_mut(key)?.remembered(key.window, key.late) {
            remembered.carried = true;
        }
        // It was granted with the window that it comes from.
        self.put(Funds::new(&carried, at));
        self.drop_spent();

        Ok(())
    }

    /// Remembers what ran out of a window, since a later fact may take it back.
    pub(super) fn remember_lapse(
        &mut self,
        grant: &Arc<str>,
        amount: Credits,
    ) -> Result<(), WalletError> {
        let Some((_, key)) = self.window_of(grant) else {
            return Ok(());
        };
        match self.recurring_mut(&key)?.remembered(key.window, key.late) {
            Some(remembered) => add(&mut remembered.lapsed, amount),
            None => Ok(()),
        }
    }

    fn recurring_mut(&mut self, key: &WindowKey) -> Result<&mut Recurring, WalletError> {
        self.recurring
            .iter_mut()
            .find(|recurring| *recurring.schedule.subscription() == key.subscription)
            .ok_or(WalletError::inexact("a subscription has no paid time"))
    }
}
