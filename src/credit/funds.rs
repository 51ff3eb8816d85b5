//! A grant as it stands in a wallet: what of it is free, what holds pin, and what it will do by
//! itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::WalletError;
use super::grant::{CauseKind, Grant, Rollover};
use crate::money::Credits;

/// A grant as it stands in a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Funds {
    pub(super) grant: Grant,
    pub(super) scheduled: bool,
    /// Set once it was taken back: credits that holds return to it are revoked.
    pub(super) revoked: bool,
    /// Set while its rollover is still to come.
    pub(super) rolls_over: bool,
    pub(super) free: Credits,
    pub(super) held: Credits,
}

/// The credits that a period's grants had left when they expired, until the next period takes them
/// over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lapse {
    /// The first grant of the period.
    pub(super) grant: Arc<str>,
    pub(super) left: Credits,
}

impl Lapse {
    /// The number of lapses that a wallet remembers: a period takes over from the one before, so
    /// more than a few are of no use.
    pub(super) const MAX: usize = 4;
}

impl Funds {
    /// Creates the state of a grant that was just made.
    pub(super) fn new(grant: &Grant, at: DateTime<Utc>) -> Self {
        let scheduled = at < grant.effective_at;
        let free = if scheduled {
            Credits::ZERO
        } else {
            grant.amount
        };

        Self {
            grant: grant.clone(),
            scheduled,
            revoked: false,
            rolls_over: grant.rollover.is_some(),
            free,
            held: Credits::ZERO,
        }
    }

    /// Returns the next instant at which the grant changes by itself.
    pub(super) fn boundary(&self) -> Option<DateTime<Utc>> {
        if self.scheduled {
            Some(self.grant.effective_at)
        } else {
            self.grant.expires_at.filter(|_| !self.free.is_zero())
        }
    }

    /// Returns the rollover that is still to come into this grant, once the grant is in effect.
    pub(super) fn due_rollover(&self) -> Option<&Rollover> {
        self.grant
            .rollover
            .as_ref()
            .filter(|_| self.rolls_over && !self.scheduled)
    }

    /// Returns whether the next period may take over what is left of it at its end.
    pub(super) fn is_periodic(&self) -> bool {
        self.grant.cause == CauseKind::Period
    }

    /// Checks that the state is one that a grant can have.
    pub(super) fn check(&self) -> Result<(), WalletError> {
        let used = self.free.checked_add(self.held);
        let is_idle = self.free.is_zero() && !self.scheduled && !self.rolls_over;

        let checks = [
            ("a grant has no amount", !self.grant.amount.is_zero()),
            (
                "a grant expires before it takes effect",
                !self.grant.is_expired_at(self.grant.effective_at),
            ),
            (
                "a grant that was taken back is free, scheduled or waiting for a rollover",
                !self.revoked || is_idle,
            ),
            (
                "a grant waits for a rollover that it does not have",
                !self.rolls_over || self.grant.rollover.is_some(),
            ),
            (
                "more of a grant is free and held than its amount",
                used.is_some_and(|used| used <= self.grant.amount),
            ),
            (
                "a part of a scheduled grant is free or held",
                !self.scheduled || used == Some(Credits::ZERO),
            ),
        ];

        WalletError::check(&checks)
    }

    /// Returns whether nothing is left of it, now or later.
    pub(super) fn is_spent(&self) -> bool {
        !self.scheduled && !self.rolls_over && self.free.is_zero() && self.held.is_zero()
    }
}
