//! The states of one key as the map in process holds them.

use std::num::NonZeroU32;

use super::answers::Answers;
use super::gcra::{Asked, Limits, Outcome, Slot, Usage, Verdict, refund_slots};
use crate::quota::{Quota, QuotaSet};

/// The states of one key in process. Most keys have one quota, and take no more memory than that
/// needs.
#[derive(Clone)]
pub(super) enum Held {
    One(HeldOne),
    Several(Box<HeldSeveral>),
}

/// One slot, and the greatest burst that it was charged under.
///
/// Its state was written under no greater burst, so a backlog that this burst cannot explain comes
/// from a clock that was set back. The fields of the slot are spelled out: so the burst takes the
/// four bytes after the period that a slot within would leave empty.
#[derive(Clone, Copy)]
pub(super) struct HeldOne {
    seconds: NonZeroU32,
    largest_burst: u32,
    tat: i64,
    t: i64,
}

/// The slots of several quotas, and the greatest burst that any of them was charged under.
#[derive(Clone)]
pub(super) struct HeldSeveral {
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
    /// Returns the answer to a key that is new, and the states to hold, if there are any.
    #[inline]
    pub(super) fn first(quotas: &[Quota], now: i64, cost: u32) -> (Answers, Option<Self>) {
        let mut slots = [None; QuotaSet::MAX];
        let largest_burst = largest(quotas);

        let answers = Answers::decide(limits(largest_burst), quotas, &mut slots, now, cost);
        // A refused key has no state: holding it would only take memory.
        let held = if answers.must_store() {
            Self::of(slots, largest_burst)
        } else {
            None
        };
        (answers, held)
    }

    /// Packs slots; `None` if all are empty.
    fn of(slots: [Option<Slot>; QuotaSet::MAX], largest_burst: u32) -> Option<Self> {
        match slots {
            [None, None, None, None] => None,
            [Some(Slot { seconds, tat, t }), None, None, None] => Some(Self::One(HeldOne {
                seconds,
                largest_burst,
                tat,
                t,
            })),
            slots => Some(Self::Several(Box::new(HeldSeveral {
                slots,
                largest_burst,
            }))),
        }
    }

    /// Decides, and keeps the new states if they have to be stored.
    #[inline]
    pub(super) fn decide(&mut self, quotas: &[Quota], now: i64, cost: u32) -> Answers {
        if let (Self::One(held), [quota]) = (&mut *self, quotas) {
            return held.decide(quota, now, cost);
        }
        self.decide_several(quotas, now, cost)
    }

    /// Decides in every other case: several quotas, or several states from another plan.
    fn decide_several(&mut self, quotas: &[Quota], now: i64, cost: u32) -> Answers {
        let (mut slots, largest_burst) = self.slots_under(quotas);
        let answers = Answers::decide(limits(largest_burst), quotas, &mut slots, now, cost);
        if answers.must_store() {
            self.keep(slots, largest_burst);
        }
        answers
    }

    /// Decides about no cells, and changes nothing.
    pub(super) fn peek(&self, quotas: &[Quota], now: i64) -> Answers {
        let (mut slots, largest_burst) = self.slots_under(quotas);
        Answers::decide(limits(largest_burst), quotas, &mut slots, now, 0)
    }

    /// Gives cells back, and returns the answer of a peek after that.
    pub(super) fn refund(&mut self, quotas: &[Quota], charged: &Answers, now: i64) -> Answers {
        let (mut slots, largest_burst) = self.slots_under(quotas);
        let limits = limits(largest_burst);

        // The answer to the charge tells of the states that it left, so no one has to keep them.
        let then = charged.slots();
        refund_slots(limits, quotas, &mut slots, &then, now, charged.cost());

        let answers = Answers::decide(limits, quotas, &mut slots, now, 0);
        self.keep(slots, largest_burst);
        answers.into_peek()
    }

    /// Unpacks the slots, with the greatest burst that they were charged under or would be now.
    fn slots_under(&self, quotas: &[Quota]) -> ([Option<Slot>; QuotaSet::MAX], u32) {
        let (slots, largest_burst) = match self {
            Self::One(held) => ([Some(held.slot()), None, None, None], held.largest_burst),
            Self::Several(held) => (held.slots, held.largest_burst),
        };
        (slots, largest_burst.max(largest(quotas)))
    }

    /// Keeps slots in place of those that are held.
    fn keep(&mut self, slots: [Option<Slot>; QuotaSet::MAX], largest_burst: u32) {
        match self {
            Self::Several(held) => {
                **held = HeldSeveral {
                    slots,
                    largest_burst,
                }
            }
            Self::One(_) => {
                let held = Self::of(slots, largest_burst);
                debug_assert!(held.is_some(), "a decision removes no state");
                if let Some(held) = held {
                    *self = held;
                }
            }
        }
    }

    /// Returns whether the states are drained, even on clocks that are behind this one by the skew:
    /// only then is their absence the same to every caller.
    ///
    /// A backlog that no burst explains is cut first, as a decision would cut it, so that a clock
    /// that ran ahead does not keep a key for good.
    pub(super) fn is_drained(&mut self, now: i64) -> bool {
        let cut = |tat: &mut i64, t: i64, largest_burst: u32| {
            // No quota is at hand here, but its burst is among those that were charged.
            let limits = limits(largest_burst);
            let longest = now.saturating_add(limits.longest_backlog(0, t));
            if *tat > longest.saturating_add(limits.max_skew()) {
                *tat = longest;
            }
            *tat <= now.saturating_sub(limits.max_skew())
        };

        match self {
            Self::One(HeldOne {
                tat,
                t,
                largest_burst,
                ..
            }) => cut(tat, *t, *largest_burst),
            // Each is cut, whether or not another has drained.
            Self::Several(held) => {
                let mut is_drained = true;
                for slot in held.slots.iter_mut().flatten() {
                    is_drained &= cut(&mut slot.tat, slot.t, held.largest_burst);
                }
                is_drained
            }
        }
    }
}

impl HeldOne {
    /// Decides as [`Answers::decide`] does for one slot and one quota, whose period the slot takes
    /// over. It is written out because most checks come here.
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
            // The only state goes to the only quota, whatever period it was charged under.
            let seconds = NonZeroU32::new(quota.seconds()).unwrap_or(self.seconds);
            *self = Self {
                seconds,
                largest_burst,
                tat: state.tat_nanos(),
                t: state.interval_nanos(),
            };
        }

        let outcome = Outcome {
            now,
            cost,
            verdict,
            must_store,
        };
        let usage = Usage {
            quota: *quota,
            backlog: answer.backlog(),
        };
        Answers::of_one(outcome, usage)
    }

    fn slot(self) -> Slot {
        Slot {
            seconds: self.seconds,
            tat: self.tat,
            t: self.t,
        }
    }
}
