//! Several quotas of one scope, decided together: all are charged, or none is.

use chrono::{DateTime, Utc};

use super::asked::Asked;
use super::decision::{Decision, Verdict};
use super::limits::Limits;
use super::outcome::{Outcome, Usage};
use super::slot::{Slot, align, is_own};
use super::states::GcraStates;
use super::time::nanos;
use crate::quota::{Quota, QuotaSet};

/// The explained answer about all quotas of a set, with the states to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decisions {
    outcome: Outcome,
    usages: [Option<Usage>; QuotaSet::MAX],
    states: GcraStates,
}

impl Decisions {
    /// Returns the result: `Allowed` if every quota allows the cells, `CostExceedsBurst` if they
    /// are more than one of them can ever allow.
    pub fn verdict(&self) -> Verdict {
        self.outcome.verdict
    }

    /// Returns whether the cells pass, and so were charged to every quota.
    pub fn is_allowed(&self) -> bool {
        self.verdict() == Verdict::Allowed
    }

    /// Returns each quota's own decision, by ascending period. Where one refuses, none is charged.
    pub fn iter(&self) -> impl Iterator<Item = Decision> {
        self.outcome.decisions(&self.usages)
    }

    /// Returns the states to write, in place of those that were read.
    pub fn states(&self) -> &GcraStates {
        &self.states
    }

    /// Returns whether the states have to be written: see [`Decision::must_store`].
    pub fn must_store(&self) -> bool {
        self.outcome.must_store
    }

    /// Returns the earliest instant at which the same cells pass if no others come between. `None`
    /// if they pass now or never.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.outcome.retry_at(&self.usages)
    }

    /// Returns the seconds until [`retry_at`](Self::retry_at), rounded up, as `Retry-After` states
    /// them.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.outcome.retry_after_seconds(&self.usages)
    }
}

/// Decides whether `cost` cells pass all the quotas of a set, from the states that are stored
/// (`None` if there are none).
///
/// The cells are charged to all of the quotas, or to none. Each quota is decided as
/// [`decide_within`](crate::throttle::gcra::decide_within) does, without allocating.
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::quota::QuotaSet;
/// use bailiwick::throttle::gcra::{Limits, decide_all};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // Two a second, three a day.
///     let quotas = QuotaSet::try_from(vec![Quota::new(2, 1)?, Quota::new(3, 86_400)?])?;
///     let now = "2026-01-01T00:00:00Z".parse()?;
///
///     let two = decide_all(&Limits::default(), &quotas, None, now, 2);
///     assert!(two.is_allowed());
///     let again = decide_all(&Limits::default(), &quotas, Some(two.states()), now, 2);
///     assert_eq!(again.retry_after_seconds(), Some(28_800), "the day has one left");
///     Ok(())
/// }
/// ```
pub fn decide_all(
    limits: &Limits,
    quotas: &QuotaSet,
    stored: Option<&GcraStates>,
    now: DateTime<Utc>,
    cost: u32,
) -> Decisions {
    let mut states = stored.copied().unwrap_or_default();
    let mut usages = [None; QuotaSet::MAX];

    let outcome = decide_slots(
        *limits,
        quotas.as_slice(),
        &mut states.0,
        &mut usages,
        nanos(now),
        cost,
    );
    Decisions {
        outcome,
        usages,
        states,
    }
}

/// Decides, writes each quota's usage into `usages`, and its new state into its slot if that has to
/// be stored. There are at least as many slots and usages as quotas.
// Inlined, so that each caller's slots and usages are written where it wants them.
#[inline(always)]
pub(in crate::throttle) fn decide_slots(
    limits: Limits,
    quotas: &[Quota],
    slots: &mut [Option<Slot>],
    usages: &mut [Option<Usage>],
    now: i64,
    cost: u32,
) -> Outcome {
    debug_assert!(usages.len() >= quotas.len(), "each quota's usage is told");
    align(slots, quotas);

    let ask =
        |quota, slot: &Option<Slot>| Asked::new(limits, quota, slot.map(Slot::state), now, cost);
    let mut outcome = Outcome {
        now,
        cost,
        verdict: Verdict::Allowed,
        must_store: false,
    };

    // Most scopes have one quota, which need not be asked twice.
    if let ([quota], [slot, ..], [usage, ..]) = (quotas, &mut *slots, &mut *usages) {
        let own = ask(quota, slot);
        outcome.verdict = own.verdict();
        charge(&mut outcome, own, slot, usage);
        return outcome;
    }

    // No quota is charged before all have agreed. A cost that can never pass outweighs one that
    // only has to wait.
    for (quota, slot) in quotas.iter().zip(&*slots) {
        let own = ask(quota, slot).verdict();
        if outcome.verdict != Verdict::CostExceedsBurst && own != Verdict::Allowed {
            outcome.verdict = own;
        }
    }
    for ((quota, slot), usage) in quotas.iter().zip(slots).zip(usages) {
        charge(&mut outcome, ask(quota, slot), slot, usage);
    }
    outcome
}

/// Charges one quota if all of them allowed it, and writes its slot if that is to be stored.
#[inline]
fn charge(
    outcome: &mut Outcome,
    own: Asked<'_>,
    slot: &mut Option<Slot>,
    usage: &mut Option<Usage>,
) {
    let answer = own.answer(outcome.verdict == Verdict::Allowed);

    if answer.must_store() {
        *slot = Slot::new(answer.quota().seconds(), answer.state());
        outcome.must_store = true;
    }
    *usage = Some(Usage {
        quota: *answer.quota(),
        backlog: answer.backlog(),
    });
}

/// Gives `cost` cells back to all the quotas of a set, unless they have drained since: see
/// [`refund`](crate::throttle::gcra::refund).
///
/// `charged` are the states as their charge left them. The result is to be written in place of the
/// states that were read.
pub fn refund_all(
    limits: &Limits,
    quotas: &QuotaSet,
    stored: &GcraStates,
    charged: &GcraStates,
    now: DateTime<Utc>,
    cost: u32,
) -> GcraStates {
    let mut states = *stored;
    let mut usages = [None; QuotaSet::MAX];
    let quotas = quotas.as_slice();
    let now = nanos(now);

    refund_slots(*limits, quotas, &mut states.0, &charged.0, now, cost);
    // A refund touches no state that was not charged; a decision about no cells mends those too.
    decide_slots(*limits, quotas, &mut states.0, &mut usages, now, 0);
    states
}

/// Gives cells back to every quota, and writes the new states into the slots. `charged` are the
/// slots as the charge left them; a quota that was not charged then gets nothing back.
pub(in crate::throttle) fn refund_slots(
    limits: Limits,
    quotas: &[Quota],
    slots: &mut [Option<Slot>],
    charged: &[Option<Slot>],
    now: i64,
    cost: u32,
) {
    align(slots, quotas);

    for (quota, slot) in quotas.iter().zip(&mut *slots) {
        // By the period, since the plan may have changed in between.
        let then = charged
            .iter()
            .find(|then| is_own(then, quota))
            .copied()
            .flatten();
        if let (Some(held), Some(then)) = (&slot, then) {
            let asked = Asked::new(limits, quota, Some(held.state()), now, cost);
            *slot = Slot::new(quota.seconds(), asked.refunded(then.state()));
        }
    }
}
