//! One decision about the quotas of a key, in the shapes that it takes on its way.
//!
//! A decision reads states and leaves two facts: the states to keep, and the answer to the client.
//! Each is held in more than one shape, because it is kept in more than one place:
//!
//! | the states | held by | why this shape |
//! |---|---|---|
//! | `GcraState` | a host | one quota's two numbers |
//! | `Slot` | an element of the next two | a `GcraState`, and which quota of a set it belongs to |
//! | `GcraStates` | a host's store | up to four slots, with a stored form |
//! | `Held` | the map in process | the slots in fewer bytes, and their greatest burst |
//!
//! | the answer | held by | why this shape |
//! |---|---|---|
//! | `Usage` | an element of the next three | one quota, and the time left to drain |
//! | `Outcome` | the next two | the verdict on all quotas together |
//! | `Decisions` | a host | an outcome, its usages and the states to write; never allocates |
//! | `Answers` | the next | an outcome and its usages without states: small, since often moved |
//! | `Report` | a passage or a refusal | the answers, and the scope and dialect for the headers |
//!
//! An outcome and one usage together give back the public `Decision` about that quota.

use chrono::{DateTime, Utc};

use super::gcra::{Decision, Limits, Outcome, Slot, Usage, Verdict, decide_slots};
use crate::quota::{Quota, QuotaSet};

/// The usages of a key's quotas. One quota needs no allocation; several share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Usages {
    One([Option<Usage>; 1]),
    Several(Box<[Option<Usage>; QuotaSet::MAX]>),
}

impl Usages {
    /// Creates a list that is long enough for these quotas and holds no usage yet.
    #[inline]
    fn with_room_for(quotas: &[Quota]) -> Self {
        if quotas.len() > 1 {
            Self::Several(Box::default())
        } else {
            Self::One([None])
        }
    }

    #[inline]
    fn as_slice(&self) -> &[Option<Usage>] {
        match self {
            Self::One(usages) => usages,
            Self::Several(usages) => &**usages,
        }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [Option<Usage>] {
        match self {
            Self::One(usages) => usages,
            Self::Several(usages) => &mut **usages,
        }
    }
}

/// The answer about a key's quotas, without their states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    outcome: Outcome,
    usages: Usages,
}

impl Answers {
    /// Decides, and writes the new states into the slots if they have to be stored.
    #[inline]
    pub(super) fn decide(
        limits: Limits,
        quotas: &[Quota],
        slots: &mut [Option<Slot>],
        now: i64,
        cost: u32,
    ) -> Self {
        let mut usages = Usages::with_room_for(quotas);
        let outcome = decide_slots(limits, quotas, slots, usages.as_mut_slice(), now, cost);
        Self { outcome, usages }
    }

    /// Puts together an answer about a key's only quota.
    #[inline]
    pub(super) fn of_one(outcome: Outcome, usage: Usage) -> Self {
        Self {
            outcome,
            usages: Usages::One([Some(usage)]),
        }
    }

    /// Puts together the decision of a shared store: its outcome, and the time left to drain of
    /// each quota.
    pub(super) fn of_store(outcome: Outcome, quotas: &[Quota], backlogs: &[i64]) -> Self {
        debug_assert_eq!(quotas.len(), backlogs.len(), "each quota has a backlog");

        let mut usages = Usages::with_room_for(quotas);
        let told = quotas.iter().zip(backlogs);
        for (usage, (quota, backlog)) in usages.as_mut_slice().iter_mut().zip(told) {
            *usage = Some(Usage {
                quota: *quota,
                backlog: *backlog,
            });
        }
        Self { outcome, usages }
    }

    /// Returns the same answer with nothing to store, as a peek tells it.
    pub(super) fn into_peek(mut self) -> Self {
        self.outcome.must_store = false;
        self
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.outcome.verdict
    }

    pub(super) fn must_store(&self) -> bool {
        self.outcome.must_store
    }

    pub(super) fn cost(&self) -> u32 {
        self.outcome.cost
    }

    /// Returns the slots as the decision left them.
    pub(super) fn slots(&self) -> Vec<Option<Slot>> {
        let usages = self.usages.as_slice().iter().flatten();
        usages.map(|usage| usage.slot(self.outcome.now)).collect()
    }

    /// Returns each quota's own decision, by ascending period.
    pub(super) fn iter(&self) -> impl Iterator<Item = Decision> {
        self.outcome.decisions(self.usages.as_slice())
    }

    pub(super) fn retry_after_seconds(&self) -> Option<u64> {
        self.outcome.retry_after_seconds(self.usages.as_slice())
    }

    pub(super) fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.outcome.retry_at(self.usages.as_slice())
    }
}
