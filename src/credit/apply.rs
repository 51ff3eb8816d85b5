//! The effect of each event on a wallet: the one place in which a wallet changes.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::WalletError;
use super::event::Event;
use super::funds::{Funds, Lapse};
use super::grant::{CauseKind, Grant};
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
use super::sums::{add, take};
use super::wallet::Wallet;
use crate::money::Credits;

impl Wallet {
    /// Applies an event. The wallet is spoiled if this fails, so the caller must drop it.
    pub(super) fn apply(&mut self, event: &Event, at: DateTime<Utc>) -> Result<(), WalletError> {
        match event {
            Event::Granted { grant } => self.fund(grant, at),
            Event::TookEffect { grant } => self.take_effect(grant),
            Event::Held { hold } => self.pin(hold),
            Event::Drawn { hold, amount } => self.draw_slices(hold, *amount),
            Event::Settled {
                hold,
                captured,
                beyond,
                debt,
                ..
            } => {
                self.end_hold(hold, *captured, at)?;
                self.charge(beyond, *debt)
            }
            Event::SettledLate { slices, debt, .. } => self.charge(slices, *debt),
            Event::Released { hold } | Event::HoldExpired { hold } => {
                // The draws are spent already, so they are all that is captured.
                let drawn = self
                    .open_hold(hold)
                    .map_or(Credits::ZERO, |hold| hold.drawn);
                self.end_hold(hold, drawn, at)
            }
            Event::GrantExpired { grant, amount } => self.expire(grant, *amount),
            Event::Revoked { grant, amount } => self.revoke_funds(grant, *amount),
            Event::RolledOver { grant, amount, .. } => self.roll_over(grant, *amount, at),
            Event::Aligned {
                schedule,
                terms,
                memory_from,
            } => {
                self.keep_time(schedule, *terms, *memory_from, at);
                Ok(())
            }
            Event::Allotted {
                key,
                amount,
                expires_at,
            } => self.allot(key, *amount, *expires_at),
            Event::Lowered {
                key,
                amount,
                free,
                unlapsed,
                debt,
                expires_at,
            } => self.lower(key, *amount, [*free, *unlapsed, *debt], *expires_at),
            Event::CarriedOver {
                key,
                amount,
                lapsed,
                expires_at,
            } => self.carry(key, *amount, *lapsed, *expires_at, at),
            Event::DebtRepaid { slices } => self.repay(slices),
        }
    }

    /// Adds a grant, at its place in the order of spending.
    fn fund(&mut self, grant: &Grant, at: DateTime<Utc>) -> Result<(), WalletError> {
        // The host passed no outcome for a grant that was made before.
        if self.grants.iter().any(|funds| funds.grant.id == grant.id) {
            return Err(WalletError::mismatch("wallet", "outcome"));
        }

        let funds = Funds::new(grant, at);
        let part = if funds.scheduled {
            &mut self.balance.scheduled
        } else {
            &mut self.balance.free
        };
        add(part, grant.amount)?;
        add(&mut self.balance.granted, grant.amount)?;

        self.put(funds);

        Ok(())
    }

    /// Puts a grant at its place in the order of spending.
    pub(super) fn put(&mut self, funds: Funds) {
        let place = self
            .grants
            .partition_point(|other| other.grant.burn_order(&funds.grant).is_lt());
        self.grants.insert(place, funds);
    }

    /// Frees a grant that was scheduled.
    fn take_effect(&mut self, grant: &Arc<str>) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, grant)?;
        if !funds.scheduled {
            return Err(WalletError::inexact("a grant takes effect twice"));
        }
        funds.scheduled = false;
        funds.free = funds.grant.amount;

        take(&mut self.balance.scheduled, funds.grant.amount)?;
        add(&mut self.balance.free, funds.grant.amount)
    }

    /// Sets the slices of a new hold aside.
    fn pin(&mut self, hold: &HoldRecord) -> Result<(), WalletError> {
        // The host passed no outcome for a hold that was made before.
        if self.open_hold(&hold.key).is_some() {
            return Err(WalletError::mismatch("wallet", "outcome"));
        }

        for slice in &hold.slices {
            let funds = find(&mut self.grants, &slice.grant)?;
            take(&mut funds.free, slice.amount)?;
            add(&mut funds.held, slice.amount)?;
            take(&mut self.balance.free, slice.amount)?;
            add(&mut self.balance.held, slice.amount)?;
        }
        self.holds.push(hold.clone());

        Ok(())
    }

    /// Spends a part of a hold, slice by slice in order. The rest stays set aside.
    fn draw_slices(&mut self, key: &IdempotencyKey, amount: Credits) -> Result<(), WalletError> {
        let hold = self
            .holds
            .iter_mut()
            .find(|hold| hold.key == *key)
            .ok_or(NO_HOLD)?;

        let mut missing = amount;
        for slice in &mut hold.slices {
            let part = slice.amount.min(missing);
            take(&mut slice.amount, part)?;
            take(&mut missing, part)?;
            take(&mut find(&mut self.grants, &slice.grant)?.held, part)?;
        }
        // An empty slice would name a grant that may be dropped below.
        hold.slices.retain(|slice| !slice.amount.is_zero());
        add(&mut hold.drawn, amount)?;

        take(&mut self.balance.held, amount)?;
        add(&mut self.balance.spent, amount)?;
        self.drop_spent();

        if missing.is_zero() {
            Ok(())
        } else {
            Err(WalletError::inexact("more is drawn than was held"))
        }
    }

    /// Ends a hold: `captured` of it is spent in all, what was drawn before included, slice by
    /// slice in order. The rest goes back to its own grants. Where a grant has expired meanwhile,
    /// it repays debt and then lapses; where one was taken back, it is revoked.
    fn end_hold(
        &mut self,
        key: &IdempotencyKey,
        captured: Credits,
        at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        let drawn = self.open_hold(key).ok_or(NO_HOLD)?.drawn;
        let more = captured
            .checked_sub(drawn)
            .ok_or(WalletError::inexact("less is captured than was drawn"))?;
        self.draw_slices(key, more)?;

        let place = self
            .holds
            .iter()
            .position(|hold| hold.key == *key)
            .ok_or(NO_HOLD)?;
        for Slice { grant, amount } in self.holds.swap_remove(place).slices {
            let funds = find(&mut self.grants, &grant)?;
            take(&mut funds.held, amount)?;
            take(&mut self.balance.held, amount)?;

            // A grant that was taken back and has expired too counts as taken back.
            if funds.revoked {
                add(&mut self.balance.revoked, amount)?;
            } else if funds.grant.is_expired_at(at) {
                // Debt comes first, as it does with credits that still live.
                let repaid = amount.min(self.balance.debt);
                take(&mut self.balance.debt, repaid)?;

                let lapsed = amount.saturating_sub(repaid);
                add(&mut self.balance.expired, lapsed)?;
                self.remember_lapse(&grant, lapsed)?;
            } else {
                add(&mut funds.free, amount)?;
                add(&mut self.balance.free, amount)?;
            }
        }
        self.drop_spent();

        Ok(())
    }

    /// Charges free credits, and a debt beyond them.
    fn charge(&mut self, slices: &[Slice], debt: Credits) -> Result<(), WalletError> {
        self.spend_free(slices)?;
        for slice in slices {
            add(&mut self.balance.spent, slice.amount)?;
        }

        // Debt counts as spent too, so that the parts of the balance add up.
        add(&mut self.balance.spent, debt)?;
        add(&mut self.balance.debt, debt)
    }

    /// Ends the free part of a grant; if the grant was a period's, remembers it for the next one.
    fn expire(&mut self, grant: &Arc<str>, amount: Credits) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, grant)?;
        take(&mut funds.free, amount)?;
        take(&mut self.balance.free, amount)?;
        add(&mut self.balance.expired, amount)?;

        if funds.grant.cause == CauseKind::PaidTime {
            self.remember_lapse(grant, amount)?;
        } else if funds.is_periodic() {
            let root = funds.grant.root().clone();
            match self.lapses.iter_mut().find(|lapse| lapse.grant == root) {
                Some(lapse) => add(&mut lapse.left, amount)?,
                None => self.lapses.push(Lapse {
                    grant: root,
                    left: amount,
                }),
            }

            // The oldest go first.
            let too_many = self.lapses.len().saturating_sub(Lapse::MAX);
            self.lapses.drain(..too_many);
        }
        self.drop_spent();

        Ok(())
    }

    /// Takes back what is free or scheduled of a grant. What holds pin of it follows when they
    /// return it.
    fn revoke_funds(&mut self, grant: &Arc<str>, amount: Credits) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, grant)?;
        if funds.scheduled {
            take(&mut self.balance.scheduled, amount)?;
        } else {
            take(&mut funds.free, amount)?;
            take(&mut self.balance.free, amount)?;
        }

        // The mark stays until all that holds pin has come back through `end_hold`.
        funds.scheduled = false;
        funds.revoked = true;
        funds.rolls_over = false;
        add(&mut self.balance.revoked, amount)?;
        self.drop_spent();

        Ok(())
    }

    /// Grants again what the period before had left, on the terms of the new period's grant.
    fn roll_over(
        &mut self,
        into: &Arc<str>,
        amount: Credits,
        at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, into)?;
        funds.rolls_over = false;
        let rollover = funds
            .grant
            .rollover
            .as_ref()
            .ok_or(WalletError::inexact("a grant has no rollover"))?;
        // No rest is granted twice, even if another period names the same one.
        self.lapses.retain(|lapse| lapse.grant != rollover.from);

        let grant = Grant {
            // No key has a space, so no other grant has this identifier.
            id: format!("{into} rollover").into(),
            cause: CauseKind::Rollover,
            amount,
            effective_at: at,
            rollover: None,
            raises: None,
            ..funds.grant.clone()
        };
        self.drop_spent();

        if amount.is_zero() {
            Ok(())
        } else {
            self.fund(&grant, at)
        }
    }

    /// Repays debt from free credits.
    fn repay(&mut self, slices: &[Slice]) -> Result<(), WalletError> {
        self.spend_free(slices)?;
        slices
            .iter()
            .try_for_each(|slice| take(&mut self.balance.debt, slice.amount))
    }

    fn spend_free(&mut self, slices: &[Slice]) -> Result<(), WalletError> {
        for slice in slices {
            let funds = find(&mut self.grants, &slice.grant)?;
            take(&mut funds.free, slice.amount)?;
            take(&mut self.balance.free, slice.amount)?;
        }
        self.drop_spent();

        Ok(())
    }

    pub(super) fn drop_spent(&mut self) {
        self.grants.retain(|funds| !funds.is_spent());
    }
}

const NO_HOLD: WalletError = WalletError::inexact("a hold is not there");

fn find<'a>(grants: &'a mut [Funds], id: &Arc<str>) -> Result<&'a mut Funds, WalletError> {
    grants
        .iter_mut()
        .find(|funds| funds.grant.id == *id)
        .ok_or(WalletError::inexact("a grant is not there"))
}
