//! The states of all quotas of one key, as a store keeps them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::slot::Slot;
use super::state::GcraState;
use crate::quota::{QuotaError, QuotaSet};

/// The states of all quotas of one key. They are stored together, under one key and one guard.
///
/// A state belongs to the quota of the same period. Where a plan change leaves a quota without a
/// state, the quota takes over the state of the shortest period that no quota of the new plan
/// claims. So usage is carried from plan to plan even if their periods differ. A state that the new
/// plan has no use for is kept and goes on draining, so that changing back does not refill it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Slot>", into = "Vec<Slot>")]
pub struct GcraStates(pub(super) [Option<Slot>; QuotaSet::MAX]);

impl GcraStates {
    /// Restores states from their stored parts, each with the period of its quota in seconds.
    ///
    /// # Errors
    /// [`QuotaError::Set`] if there are more than [`QuotaSet::MAX`], or a period is zero or comes
    /// twice.
    pub fn from_parts(
        parts: impl IntoIterator<Item = (u32, GcraState)>,
    ) -> Result<Self, QuotaError> {
        // One more than fits is enough to tell that there are too many.
        let slots = parts
            .into_iter()
            .map(|(seconds, state)| Slot::new(seconds, state).ok_or(QuotaError::Set))
            .take(QuotaSet::MAX.saturating_add(1))
            .collect::<Result<Vec<Slot>, QuotaError>>()?;
        Self::try_from(slots)
    }

    /// Returns each period in seconds, with its state.
    pub fn iter(&self) -> impl Iterator<Item = (u32, GcraState)> {
        self.0
            .iter()
            .flatten()
            .map(|slot| (slot.seconds.get(), slot.state()))
    }

    /// Returns whether nothing is left to drain at `now`, so that a store may drop the states: see
    /// [`GcraState::is_drained_at`].
    pub fn is_drained_at(&self, now: DateTime<Utc>) -> bool {
        self.iter().all(|(_, state)| state.is_drained_at(now))
    }
}

impl TryFrom<Vec<Slot>> for GcraStates {
    type Error = QuotaError;

    fn try_from(mut stored: Vec<Slot>) -> Result<Self, QuotaError> {
        stored.sort_by_key(|slot| slot.seconds);
        let is_distinct = stored
            .iter()
            .zip(stored.iter().skip(1))
            .all(|(a, b)| a.seconds != b.seconds);
        if stored.len() > QuotaSet::MAX || !is_distinct {
            return Err(QuotaError::Set);
        }

        // In ascending order of period, as quotas are, so that a decision rarely moves one.
        let mut states = Self::default();
        for (place, slot) in states.0.iter_mut().zip(stored) {
            *place = Some(slot);
        }
        Ok(states)
    }
}

impl From<GcraStates> for Vec<Slot> {
    fn from(states: GcraStates) -> Self {
        states.0.into_iter().flatten().collect()
    }
}
