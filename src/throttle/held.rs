//! The states of one key as the map in process holds them.

use std::num::NonZeroU32;

use super::gcra::{Answers, Brief};
use super::gcra::{Asked, Limits, Verdict};
use super::gcra::{Slot, decide_slots, refund_slots};
use crate::quota::{Quota, QuotaSet};

/// The states of one key in process. Most have one quota, and need no more room than that.
#[derive(Clone)]
pub(super) enum Held {
    One(OneHeld),
    More(Box<MoreHeld>),
}

/// A slot, and the greatest burst that it was charged under. Its state was written under no greater
/// one, so what that cannot explain comes from a clock that was set back.
#[derive(Clone, Copy)]
pub(super) struct OneHeld {
    seconds: NonZeroU32,
    largest_burst: u32,
    tat: i64,
    t: i64,
}

#[derive(Clone)]
pub(super) struct MoreHeld {
    slots: [Option<Slot>; QuotaSet::MAX],
    largest_burst: u32,
}

fn limits(largest_burst: u32) -> Limits {
    Limits::default().with_largest_burst(largest_burst)
}

fn largest(quotas: &[Quota]) -> u32 {
    quotas.iter().map(Quota::burst).max().unwrap_or_default()
}

impl Held {
    /// The answer to a key that is new, and what is to be held of it, if anything is.
    #[inline]
    pub(super) fn first(quotas: &[Quota], now: i64, cost: u32) -> (Answers, Option<Self>) {
        let mut slots = [None; QuotaSet::MAX];
        let answers = decide_slots(
            limits(largest(quotas)),
            quotas,
            &mut slots,
            now,
            cost,
            Brief::of(quotas),
        );
        let held = if answers.must_store() {
            Self::of(slots, largest(quotas))
        } else {
            None
        };
        (answers, held)
    }

    fn of(slots: [Option<Slot>; QuotaSet::MAX], largest_burst: u32) -> Option<Self> {
        match slots {
            [None, None, None, None] => None,
            [Some(Slot { seconds, tat, t }), None, None, None] => Some(Self::One(OneHeld {
                seconds,
                largest_burst,
                tat,
                t,
            })),
            slots => Some(Self::More(Box::new(MoreHeld {
                slots,
                largest_burst,
            }))),
        }
    }

    /// Decides, and keeps what is to be stored.
    #[inline]
    pub(super) fn decide(&mut self, quotas: &[Quota], now: i64, cost: u32) -> Answers {
        if let (Self::One(held), [quota]) = (&mut *self, quotas) {
            return held.decide(quota, now, cost);
        }
        self.update(quotas, |limits, slots| {
            decide_slots(limits, quotas, slots, now, cost, Brief::of(quotas))
        })
    }

    /// The answer to nothing: what is left.
    pub(super) fn peek(&self, quotas: &[Quota], now: i64) -> Answers {
        let (mut slots, largest_burst) = self.slots();
        decide_slots(
            limits(largest_burst.max(largest(quotas))),
            quotas,
            &mut slots,
            now,
            0,
            Brief::of(quotas),
        )
    }

    /// Gives cells back, and tells what is left then.
    pub(super) fn refund(&mut self, quotas: &[Quota], charged: &Answers, now: i64) -> Answers {
        let (then, cost) = (charged.slots(), charged.cost());
        // What is told of it equals a peek.
        Answers {
            must_store: false,
            ..self.update(quotas, |limits, slots| {
                refund_slots(limits, quotas, slots, &then, now, cost)
            })
        }
    }

    fn update(
        &mut self,
        quotas: &[Quota],
        change: impl FnOnce(Limits, &mut [Option<Slot>]) -> Answers,
    ) -> Answers {
        let (mut slots, largest_burst) = self.slots();
        let largest_burst = largest_burst.max(largest(quotas));
        let answers = change(limits(largest_burst), &mut slots);
        if answers.must_store() {
            match self {
                Self::More(held) => {
                    **held = MoreHeld {
                        slots,
                        largest_burst,
                    }
                }
                Self::One(_) => {
                    *self = Self::of(slots, largest_burst).unwrap_or_else(|| self.clone())
                }
            }
        }
        answers
    }

    fn slots(&self) -> ([Option<Slot>; QuotaSet::MAX], u32) {
        match self {
            Self::One(held) => ([Some(held.slot()), None, None, None], held.largest_burst),
            Self::More(held) => (held.slots, held.largest_burst),
        }
    }

    /// Whether the states are drained, on clocks that are behind this one by the skew too: only
    /// then is their absence the same to every caller. What no burst explains is cut first, as a
    /// decision would, so that a clock that ran ahead does not keep a key for good.
    pub(super) fn is_drained(&mut self, now: i64) -> bool {
        let cut = |tat: &mut i64, t: i64, largest_burst: u32| {
            let limits = limits(largest_burst);
            let longest = now.saturating_add(limits.longest_backlog(0, t));
            if *tat > longest.saturating_add(limits.max_skew()) {
                *tat = longest;
            }
            *tat <= now.saturating_sub(limits.max_skew())
        };
        match self {
            Self::One(OneHeld {
                tat,
                t,
                largest_burst,
                ..
            }) => cut(tat, *t, *largest_burst),
            // Each is cut, whether or not another has drained.
            Self::More(held) => {
                let mut is_drained = true;
                for slot in held.slots.iter_mut().flatten() {
                    is_drained &= cut(&mut slot.tat, slot.t, held.largest_burst);
                }
                is_drained
            }
        }
    }
}

impl OneHeld {
    /// As [`decide_slots`] does for one slot and one quota, whose period the slot takes over; put
    /// together at once, since most checks come here.
    #[inline(always)]
    fn decide(&mut self, quota: &Quota, now: i64, cost: u32) -> Answers {
        let largest_burst = self.largest_burst.max(quota.burst());
        let own = Asked::new(
            limits(largest_burst),
            quota,
            Some(self.slot().state()),
            now,
            cost,
        );
        let verdict = own.verdict();
        let answer = own.answer(verdict == Verdict::Allowed);
        let must_store = answer.must_store();
        if must_store {
            let state = answer.state();
            let seconds = NonZeroU32::new(quota.seconds()).unwrap_or(self.seconds);
            *self = Self {
                seconds,
                largest_burst,
                tat: state.tat_nanos(),
                t: state.interval_nanos(),
            };
        }
        Answers {
            now,
            cost,
            verdict,
            must_store,
            told: Brief::One([Some((*quota, answer.backlog()))]),
        }
    }

    fn slot(self) -> Slot {
        Slot {
            seconds: self.seconds,
            tat: self.tat,
            t: self.t,
        }
    }
}
