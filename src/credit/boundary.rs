//! The boundaries of a wallet: the instants at which time alone changes it, and the events there.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::event::Event;
use super::funds::Funds;
use super::grant::CauseKind;
use super::wallet::Wallet;
use crate::money::Credits;

impl Wallet {
    /// Returns the next instant at which time alone changes the wallet.
    pub(super) fn next_boundary(&self) -> Option<DateTime<Utc>> {
        let holds = self.holds.iter().map(|hold| hold.expires_at);
        let grants = self.grants.iter().filter_map(Funds::boundary);

        // A rollover waits for the end of the grant before, even if all that is left of that is
        // pinned.
        let rollovers = self.grants.iter().filter_map(Funds::due_rollover);
        let ends = rollovers.filter_map(|rollover| self.end_of(&rollover.from)?);

        let windows = self
            .recurring
            .iter()
            .filter_map(|recurring| Some(recurring.next.as_ref()?.window.start));

        holds.chain(grants).chain(ends).chain(windows).min()
    }

    /// Returns the next event at one instant: first holds run out, then grants run out, then grants
    /// take effect, then a period takes over from the one before.
    pub(super) fn due_at(&self, at: DateTime<Utc>) -> Option<Event> {
        // Of several holds, the one with the first key: the order must not depend on how the host
        // stores them.
        if let Some(hold) = self
            .holds
            .iter()
            .filter(|hold| hold.expires_at <= at)
            .min_by_key(|hold| &hold.key)
        {
            return Some(Event::HoldExpired {
                hold: hold.key.clone(),
            });
        }

        let expired = |funds: &&Funds| !funds.free.is_zero() && funds.grant.is_expired_at(at);
        if let Some(funds) = self.grants.iter().find(expired) {
            if let Some(event) = self.carry_over(funds, at) {
                return Some(event);
            }
            return Some(Event::GrantExpired {
                grant: funds.grant.id.clone(),
                amount: funds.free,
            });
        }

        let begins = |funds: &&Funds| funds.scheduled && funds.grant.effective_at <= at;
        if let Some(funds) = self.grants.iter().find(begins) {
            return Some(Event::TookEffect {
                grant: funds.grant.id.clone(),
            });
        }

        self.due_window(at).or_else(|| self.due_rollover(at))
    }

    /// Returns the first window of paid time that has begun and has not brought its credits.
    fn due_window(&self, at: DateTime<Utc>) -> Option<Event> {
        let recurring = self.recurring.iter().find(|recurring| {
            let next = recurring.next.as_ref();
            next.is_some_and(|target| target.window.start <= at)
        })?;
        let target = recurring.next.as_ref()?;

        // Time alone must never fail, so a window brings no more than a wallet can count.
        let room = Credits::MAX.saturating_sub(self.balance.granted);
        Some(Event::Allotted {
            key: recurring.key(target.window, false),
            amount: target.amount.saturating_sub(target.late).min(room),
            expires_at: target.expires_at,
        })
    }

    /// Returns the rollover of a window's credits that have run out, if they go over into the next
    /// window of the same subscription.
    fn carry_over(&self, funds: &Funds, at: DateTime<Utc>) -> Option<Event> {
        if funds.grant.cause != CauseKind::PaidTime {
            return None;
        }
        let (recurring, key) = self.window_of(&funds.grant.id)?;
        let most = recurring.terms.rollover.filter(|_| !key.late)?;
        if recurring.has_carried(key.window) {
            return None;
        }

        // The window that ran when they expired, even if they were heard of only later.
        let next = recurring.schedule.window_at(funds.grant.expires_at?)?;
        let target = recurring.target(next).ok()?;
        let amount = funds.free.min(most);
        let goes_over = !amount.is_zero() && !target.amount.is_zero() && at < target.expires_at;
        goes_over.then(|| Event::CarriedOver {
            key,
            amount,
            lapsed: funds.free.saturating_sub(amount),
            expires_at: target.expires_at,
        })
    }

    /// Returns when the last grant of a month ends, those that were added to it included: never, if
    /// one of them does not. `None` if the wallet has none of them, or only such as were taken
    /// back.
    fn end_of(&self, root: &Arc<str>) -> Option<Option<DateTime<Utc>>> {
        let month = self
            .grants
            .iter()
            .filter(|funds| funds.grant.root() == root && !funds.revoked);

        month
            .map(|funds| funds.grant.expires_at)
            .reduce(|end, other| Some(end?.max(other?)))
    }

    /// Returns the rollover into a grant that is in effect, once the grant before has nothing left
    /// that could still be spent.
    fn due_rollover(&self, at: DateTime<Utc>) -> Option<Event> {
        let lives = |from: &Arc<str>| {
            self.end_of(from)
                .is_some_and(|end| end.is_none_or(|end| at < end))
        };

        self.grants.iter().find_map(|funds| {
            let rollover = funds
                .due_rollover()
                .filter(|rollover| !lives(&rollover.from))?;
            let lapse = self
                .lapses
                .iter()
                .find(|lapse| lapse.grant == rollover.from);
            let left = lapse.map_or(Credits::ZERO, |lapse| lapse.left);

            // Time alone must never fail, so no more rolls over than a wallet can count.
            let room = Credits::MAX.saturating_sub(self.balance.granted);
            Some(Event::RolledOver {
                grant: funds.grant.id.clone(),
                left,
                amount: rollover.amount(left).min(room),
            })
        })
    }
}
