//! A grant as it stands in a wallet: what of it is free, what holds pin, and what it will do by
//! itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::grant::{CauseKind, Grant, Rollover};
use crate::money::Credits;

/// A grant as it stands in a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Funds {
    pub(super) grant: Grant,
    pub(super) scheduled: bool,
    /// Taken back: what holds return of it is revoked.
    pub(super) revoked: bool,
    /// Whether what rolls over into it is still to come.
    pub(super) rolls_over: bool,
    pub(super) free: Credits,
    pub(super) held: Credits,
}

/// What a period's grants had left when they expired, until the next period takes it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lapse {
    /// The first of them.
    pub(super) grant: Arc<str>,
    pub(super) left: Credits,
}

impl Lapse {
    /// Lapses that a wallet remembers: a period takes over from the one before, so more than a few
    /// are of no use.
    pub(super) const MAX: usize = 4;
}

impl Funds {
    pub(super) fn new(grant: &Grant, at: DateTime<Utc>) -> Self {
        let scheduled = at < grant.effective_at;
        let free = if scheduled {
            Credits::ZERO
        } else {
            grant.amount
        };
        let rolls_over = grant.rollover.is_some();
        Self {
            grant: grant.clone(),
            scheduled,
            revoked: false,
            rolls_over,
            free,
            held: Credits::ZERO,
        }
    }

    /// The next instant at which the grant changes by itself.
    pub(super) fn boundary(&self) -> Option<DateTime<Utc>> {
        if self.scheduled {
            Some(self.grant.effective_at)
        } else {
            self.grant.expires_at.filter(|_| !self.free.is_zero())
        }
    }

    /// What is still to roll over into the grant, once it is in effect.
    pub(super) fn due_rollover(&self) -> Option<&Rollover> {
        self.grant
            .rollover
            .as_ref()
            .filter(|_| self.rolls_over && !self.scheduled)
    }

    /// Whether what is left of it at its end is remembered for the next period.
    pub(super) fn is_periodic(&self) -> bool {
        self.grant.cause == CauseKind::Period
    }

    /// Whether its parts can be parts of it: what is scheduled is neither free nor held, and lives
    /// at all.
    pub(super) fn is_sound(&self) -> bool {
        let used = self.free.checked_add(self.held);
        !self.grant.amount.is_zero()
            && !self.grant.is_expired_at(self.grant.effective_at)
            && (!self.revoked || (self.free.is_zero() && !self.scheduled && !self.rolls_over))
            && (!self.rolls_over || self.grant.rollover.is_some())
            && used.is_some_and(|used| {
                used <= self.grant.amount && (!self.scheduled || used.is_zero())
            })
    }

    pub(super) fn is_spent(&self) -> bool {
        !self.scheduled && !self.rolls_over && self.free.is_zero() && self.held.is_zero()
    }
}
