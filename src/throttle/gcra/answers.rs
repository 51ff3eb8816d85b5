//! What was decided about the quotas of a set.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};

use super::decision::{Asked, Decision, GcraState, Verdict};
use super::states::Slot;
use crate::quota::{Quota, QuotaSet};

/// A quota, and what is left to drain once its state is written.
pub(in crate::throttle) type Told = Option<(Quota, i64)>;

/// What is told of quotas where nothing may be allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::throttle) struct Inline([Told; QuotaSet::MAX]);

impl Deref for Inline {
    type Target = [Told];

    fn deref(&self) -> &[Told] {
        &self.0
    }
}

impl DerefMut for Inline {
    fn deref_mut(&mut self) -> &mut [Told] {
        &mut self.0
    }
}

/// What is told of a key's quotas in process. It is moved from hand to hand, so it is no larger
/// than most need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::throttle) enum Brief {
    One([Told; 1]),
    More(Box<[Told; QuotaSet::MAX]>),
}

impl Brief {
    #[inline]
    pub(in crate::throttle) fn of(quotas: &[Quota]) -> Self {
        if quotas.len() > 1 {
            Self::More(Box::default())
        } else {
            Self::One([None])
        }
    }
}

impl Deref for Brief {
    type Target = [Told];

    #[inline]
    fn deref(&self) -> &[Told] {
        match self {
            Self::One(told) => told,
            Self::More(told) => &**told,
        }
    }
}

impl DerefMut for Brief {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Told] {
        match self {
            Self::One(told) => told,
            Self::More(told) => &mut **told,
        }
    }
}

/// What was decided about the quotas of a set, without the states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::throttle) struct Answers<B = Brief> {
    pub(in crate::throttle) now: i64,
    pub(in crate::throttle) cost: u32,
    pub(in crate::throttle) verdict: Verdict,
    pub(in crate::throttle) must_store: bool,
    pub(in crate::throttle) told: B,
}

impl Answers {
    /// What a shared store decided and wrote: each quota, and what is left to drain.
    pub(in crate::throttle) fn of_store(
        now: i64,
        cost: u32,
        verdict: Verdict,
        quotas: &[Quota],
        backlogs: &[i64],
    ) -> Self {
        let mut told = Brief::of(quotas);
        for (place, own) in told
            .iter_mut()
            .zip(quotas.iter().copied().zip(backlogs.iter().copied()))
        {
            *place = Some(own);
        }
        Self {
            now,
            cost,
            verdict,
            must_store: false,
            told,
        }
    }
}

impl<B: Deref<Target = [Told]>> Answers<B> {
    pub(in crate::throttle) fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(in crate::throttle) fn must_store(&self) -> bool {
        self.must_store
    }

    pub(in crate::throttle) fn cost(&self) -> u32 {
        self.cost
    }

    /// The slots as the decision left them.
    pub(in crate::throttle) fn slots(&self) -> Vec<Option<Slot>> {
        let told = self.told.iter().flatten();
        told.map(|(quota, backlog)| {
            let state =
                GcraState::from_parts(self.now.saturating_add(*backlog), quota.interval_nanos());
            Slot::new(quota.seconds(), state)
        })
        .collect()
    }

    pub(in crate::throttle) fn iter(&self) -> impl Iterator<Item = Decision> {
        let is_charged = self.verdict == Verdict::Allowed;
        self.told.iter().flatten().map(move |(quota, backlog)| {
            // What was charged is in the backlog already.
            let cost = if is_charged { 0 } else { self.cost };
            Asked::again(quota, *backlog, self.now, cost).answer(false)
        })
    }

    pub(in crate::throttle) fn retry_after_seconds(&self) -> Option<u64> {
        let waits = self
            .iter()
            .filter_map(|decision| decision.retry_after_seconds());
        if self.verdict == Verdict::Exceeded {
            waits.max()
        } else {
            None
        }
    }

    pub(in crate::throttle) fn retry_at(&self) -> Option<DateTime<Utc>> {
        let times = self.iter().filter_map(|decision| decision.retry_at());
        if self.verdict == Verdict::Exceeded {
            times.max()
        } else {
            None
        }
    }
}

impl<B: DerefMut<Target = [Told]>> Answers<B> {
    /// Charges one quota if all of them allow it, and writes its slot if that is to be stored.
    #[inline]
    pub(in crate::throttle) fn take(
        &mut self,
        place: usize,
        own: Asked<'_>,
        slot: &mut Option<Slot>,
    ) {
        let answer = own.answer(self.verdict == Verdict::Allowed);
        if answer.must_store() {
            *slot = Slot::new(answer.quota().seconds(), answer.state());
            self.must_store = true;
        }
        if let Some(told) = self.told.get_mut(place) {
            *told = Some((*answer.quota(), answer.backlog()));
        }
    }
}
