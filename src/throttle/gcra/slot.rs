//! The state of one quota among those of a set, and how states find the quotas of another set.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::state::GcraState;
use crate::quota::Quota;

/// A quota's state, and the period that tells it from the other quotas of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::throttle) struct Slot {
    pub(in crate::throttle) seconds: NonZeroU32,
    pub(in crate::throttle) tat: i64,
    pub(in crate::throttle) t: i64,
}

impl Slot {
    /// Creates a slot; `None` if the period is zero, which that of a quota never is.
    #[inline]
    pub(in crate::throttle) fn new(seconds: u32, state: GcraState) -> Option<Self> {
        Some(Self {
            seconds: NonZeroU32::new(seconds)?,
            tat: state.tat_nanos(),
            t: state.interval_nanos(),
        })
    }

    #[inline]
    pub(in crate::throttle) fn state(self) -> GcraState {
        GcraState::from_parts(self.tat, self.t)
    }
}

/// Moves each quota's state to the quota's own position; states that no quota claims come after
/// them.
#[inline]
pub(super) fn align(slots: &mut [Option<Slot>], quotas: &[Quota]) {
    debug_assert!(slots.len() >= quotas.len(), "each quota has a slot");

    if !slots
        .iter()
        .zip(quotas)
        .all(|(slot, quota)| is_own(slot, quota))
    {
        move_slots(slots, quotas);
    }
}

/// Returns whether a slot holds the state of this quota: one of the same period.
#[inline]
pub(super) fn is_own(slot: &Option<Slot>, quota: &Quota) -> bool {
    slot.is_some_and(|slot| slot.seconds.get() == quota.seconds())
}

#[cold]
fn move_slots(slots: &mut [Option<Slot>], quotas: &[Quota]) {
    // First, quotas that have a state of their own take it.
    for (position, quota) in quotas.iter().enumerate() {
        if let Some(found) = slots.iter().position(|slot| is_own(slot, quota)) {
            slots.swap(position, found);
        }
    }

    // Then each of the others takes over the shortest period that is left, so that no usage is
    // lost.
    let is_claimed = |position: usize, slot: &Option<Slot>| {
        quotas
            .get(position)
            .is_some_and(|quota| is_own(slot, quota))
    };
    for (position, quota) in quotas.iter().enumerate() {
        if slots
            .get(position)
            .is_some_and(|slot| is_claimed(position, slot))
        {
            continue;
        }

        let free = slots
            .iter()
            .enumerate()
            .filter(|(position, slot)| !is_claimed(*position, slot));
        let shortest = free
            .filter_map(|(position, slot)| slot.map(|slot| (slot.seconds, position)))
            .min();

        if let (Some((_, found)), Some(seconds)) = (shortest, NonZeroU32::new(quota.seconds())) {
            slots.swap(position, found);
            if let Some(Some(slot)) = slots.get_mut(position) {
                slot.seconds = seconds;
            }
        }
    }
}
