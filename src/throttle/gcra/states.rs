//! Several quotas of one scope, decided together: all are charged, or none is.

use std::num::NonZeroU32;
use std::ops::DerefMut;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::answers::{Answers, Brief, Inline, Told};
use super::decision::{Asked, Decision, GcraState, Limits, Verdict, nanos};
use crate::quota::{Quota, QuotaError, QuotaSet};

/// A quota's state, and the period that tells it from the other quotas of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::throttle) struct Slot {
    pub(in crate::throttle) seconds: NonZeroU32,
    pub(in crate::throttle) tat: i64,
    pub(in crate::throttle) t: i64,
}

impl Slot {
    pub(in crate::throttle) fn new(seconds: u32, state: GcraState) -> Option<Self> {
        Some(Self {
            seconds: NonZeroU32::new(seconds)?,
            tat: state.tat_nanos(),
            t: state.interval_nanos(),
        })
    }

    pub(in crate::throttle) fn state(self) -> GcraState {
        GcraState::from_parts(self.tat, self.t)
    }
}

/// The states of all quotas of one key. They are stored together, under the one key and one guard.
///
/// A state belongs to the quota of the same period. Where a plan change leaves a quota without one,
/// it takes over the state of the shortest period that no quota of the new plan claims; so usage is
/// carried from plan to plan whatever their periods. A state that the new plan has no use for is
/// kept and goes on draining, so that changing back does not refill it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Slot>", into = "Vec<Slot>")]
pub struct GcraStates([Option<Slot>; QuotaSet::MAX]);

impl GcraStates {
    /// States as they were stored, each with the period of its quota in seconds. Fails with
    /// [`QuotaError::Set`] if they are more than [`QuotaSet::MAX`], or a period is zero or comes
    /// twice.
    pub fn from_parts(
        parts: impl IntoIterator<Item = (u32, GcraState)>,
    ) -> Result<Self, QuotaError> {
        let slots = parts
            .into_iter()
            .map(|(seconds, state)| Slot::new(seconds, state).ok_or(QuotaError::Set));
        Self::try_from(
            slots
                .take(QuotaSet::MAX.saturating_add(1))
                .collect::<Result<Vec<Slot>, QuotaError>>()?,
        )
    }

    /// Each period in seconds, with its state.
    pub fn iter(&self) -> impl Iterator<Item = (u32, GcraState)> {
        self.0
            .iter()
            .flatten()
            .map(|slot| (slot.seconds.get(), slot.state()))
    }

    /// Whether nothing is left to drain at `now`, so that a store may drop the states: see
    /// [`GcraState::is_drained_at`].
    pub fn is_drained_at(&self, now: DateTime<Utc>) -> bool {
        self.iter().all(|(_, state)| state.is_drained_at(now))
    }
}

/// Moves each quota's state to the quota's own place; what no quota claims comes after them.
#[inline]
fn align(slots: &mut [Option<Slot>], quotas: &[Quota]) {
    if !slots
        .iter()
        .zip(quotas)
        .all(|(slot, quota)| is_own(slot, quota))
    {
        move_slots(slots, quotas);
    }
}

fn is_own(slot: &Option<Slot>, quota: &Quota) -> bool {
    slot.is_some_and(|slot| slot.seconds.get() == quota.seconds())
}

#[cold]
fn move_slots(slots: &mut [Option<Slot>], quotas: &[Quota]) {
    for (place, quota) in quotas.iter().enumerate() {
        if let Some(found) = slots.iter().position(|slot| is_own(slot, quota)) {
            slots.swap(place, found);
        }
    }
    let is_claimed = |place: usize, slot: &Option<Slot>| {
        quotas.get(place).is_some_and(|quota| is_own(slot, quota))
    };
    for (place, quota) in quotas.iter().enumerate() {
        if slots.get(place).is_some_and(|slot| is_claimed(place, slot)) {
            continue;
        }
        let free = slots
            .iter()
            .enumerate()
            .filter(|(place, slot)| !is_claimed(*place, slot));
        let shortest = free
            .filter_map(|(place, slot)| slot.map(|slot| (slot.seconds, place)))
            .min();
        if let (Some((_, found)), Some(seconds)) = (shortest, NonZeroU32::new(quota.seconds())) {
            slots.swap(place, found);
            if let Some(Some(slot)) = slots.get_mut(place) {
                slot.seconds = seconds;
            }
        }
    }
}

impl TryFrom<Vec<Slot>> for GcraStates {
    type Error = QuotaError;

    fn try_from(mut stored: Vec<Slot>) -> Result<Self, QuotaError> {
        stored.sort_by_key(|slot| slot.seconds);
        let distinct = stored
            .iter()
            .zip(stored.iter().skip(1))
            .all(|(a, b)| a.seconds != b.seconds);
        if stored.len() > QuotaSet::MAX || !distinct {
            return Err(QuotaError::Set);
        }
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

/// The explained answer about all quotas of a set, with the states to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decisions {
    answers: Answers<Inline>,
    states: GcraStates,
}

impl Decisions {
    /// `Allowed` if every quota allows it, `CostExceedsBurst` if the cells are more than one of
    /// them can ever allow.
    pub fn verdict(&self) -> Verdict {
        self.answers.verdict
    }

    /// Whether the cells pass, and so were charged to every quota.
    pub fn is_allowed(&self) -> bool {
        self.verdict() == Verdict::Allowed
    }

    /// Each quota's own decision, by ascending period. Where one refuses, none is charged.
    pub fn iter(&self) -> impl Iterator<Item = Decision> {
        self.answers.iter()
    }

    /// The states to write, in place of those that were read.
    pub fn states(&self) -> &GcraStates {
        &self.states
    }

    /// Whether the states have to be written: see [`Decision::must_store`].
    pub fn must_store(&self) -> bool {
        self.answers.must_store
    }

    /// The earliest instant at which the same cells pass if no others come between. `None` if they
    /// pass now or never.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.answers.retry_at()
    }

    /// Seconds until [`retry_at`](Self::retry_at), rounded up, as `Retry-After` states them.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.answers.retry_after_seconds()
    }
}

/// Decides whether `cost` cells pass all the quotas of a set, from the states that are stored
/// (`None` if there are none). They are charged to all of the quotas, or to none. Each quota is
/// decided as [`decide_within`](super::gcra::decide_within) does, without allocating.
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::quota::QuotaSet;
/// use bailiwick::throttle::gcra;
/// let quotas = QuotaSet::try_from(vec![Quota::new(2, 1)?, Quota::new(3, 86_400)?])?; // two a second, three a day
/// let now = "2026-01-01T00:00:00Z".parse()?;
/// let two = gcra::decide_all(&gcra::Limits::default(), &quotas, None, now, 2);
/// assert!(two.is_allowed());
/// let again = gcra::decide_all(&gcra::Limits::default(), &quotas, Some(two.states()), now, 2);
/// assert_eq!(again.retry_after_seconds(), Some(28_800), "the day has one left");
/// assert_eq!(again.iter().map(|quota| quota.remaining()).collect::<Vec<u32>>(), [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decide_all(
    limits: &Limits,
    quotas: &QuotaSet,
    stored: Option<&GcraStates>,
    now: DateTime<Utc>,
    cost: u32,
) -> Decisions {
    let mut states = stored.copied().unwrap_or_default();
    let answers = decide_slots(
        *limits,
        quotas.as_slice(),
        &mut states.0,
        nanos(now),
        cost,
        Inline::default(),
    );
    Decisions { answers, states }
}

/// Decides, and writes into the slots what is to be stored. There are at least as many slots as
/// quotas.
#[inline]
pub(in crate::throttle) fn decide_slots<B: DerefMut<Target = [Told]>>(
    limits: Limits,
    quotas: &[Quota],
    slots: &mut [Option<Slot>],
    now: i64,
    cost: u32,
    told: B,
) -> Answers<B> {
    align(slots, quotas);
    let ask =
        |quota, slot: &Option<Slot>| Asked::new(limits, quota, slot.map(Slot::state), now, cost);
    let mut answers = Answers {
        now,
        cost,
        verdict: Verdict::Allowed,
        must_store: false,
        told,
    };
    // Most scopes have one quota, which need not be asked twice.
    if let ([quota], [slot, ..]) = (quotas, &mut *slots) {
        let own = ask(quota, slot);
        answers.verdict = own.verdict();
        answers.take(0, own, slot);
        return answers;
    }
    for (quota, slot) in quotas.iter().zip(&*slots) {
        let own = ask(quota, slot).verdict();
        if answers.verdict != Verdict::CostExceedsBurst && own != Verdict::Allowed {
            answers.verdict = own;
        }
    }
    for (place, (quota, slot)) in quotas.iter().zip(slots).enumerate() {
        answers.take(place, ask(quota, slot), slot);
    }
    answers
}

/// Gives cells back to every quota, and writes into the slots what is left. `charged` are the slots
/// as the charge left them; a quota that was not charged then is given nothing back.
pub(in crate::throttle) fn refund_slots(
    limits: Limits,
    quotas: &[Quota],
    slots: &mut [Option<Slot>],
    charged: &[Option<Slot>],
    now: i64,
    cost: u32,
) -> Answers {
    align(slots, quotas);
    for (quota, slot) in quotas.iter().zip(&mut *slots) {
        let then = charged
            .iter()
            .find(|then| is_own(then, quota))
            .copied()
            .flatten();
        if let (Some(held), Some(then)) = (&slot, then) {
            let state =
                Asked::new(limits, quota, Some(held.state()), now, cost).refunded(then.state());
            *slot = Slot::new(quota.seconds(), state);
        }
    }
    Answers {
        must_store: true,
        ..decide_slots(limits, quotas, slots, now, 0, Brief::of(quotas))
    }
}

/// Gives back what `cost` cells have left to drain, to all the quotas of a set: see
/// [`refund`](super::gcra::refund). `charged` are the states as their charge left them. The result
/// is to be written, in place of what was read.
pub fn refund_all(
    limits: &Limits,
    quotas: &QuotaSet,
    stored: &GcraStates,
    charged: &GcraStates,
    now: DateTime<Utc>,
    cost: u32,
) -> GcraStates {
    let mut states = *stored;
    let _ = refund_slots(
        *limits,
        quotas.as_slice(),
        &mut states.0,
        &charged.0,
        nanos(now),
        cost,
    );
    states
}
