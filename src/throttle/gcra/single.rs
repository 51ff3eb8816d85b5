//! One quota, decided alone.

use chrono::{DateTime, Utc};

use super::asked::Asked;
use super::decision::{Decision, Verdict};
use super::limits::Limits;
use super::state::GcraState;
use super::time::nanos;
use crate::quota::Quota;

/// Decides under the default [`Limits`]: see [`decide_within`].
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::throttle::gcra;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let quota = Quota::new(1, 10)?; // one in ten seconds
///     let now = "2026-01-01T00:00:00Z".parse()?;
///
///     let first = gcra::decide(&quota, None, now, 1);
///     assert!(first.is_allowed());
///     let second = gcra::decide(&quota, Some(first.state()), now, 1);
///     assert_eq!(second.retry_after_seconds(), Some(10));
///     Ok(())
/// }
/// ```
#[inline]
pub fn decide(quota: &Quota, stored: Option<GcraState>, now: DateTime<Utc>, cost: u32) -> Decision {
    decide_within(&Limits::default(), quota, stored, now, cost)
}

/// Decides whether `cost` cells pass a quota at `now`, from the state that is stored (`None` if
/// there is none).
///
/// A cost of zero charges nothing: it is a peek, which passes unless the backlog is longer than the
/// burst.
///
/// - A stored state of another emission interval is carried over cell by cell: see [`reprice`].
/// - A stored state that no burst within the limits explains is taken as a backlog of the greatest
///   burst. So a corrupt state, or a clock that was set back, blocks for no longer than that burst
///   and the skew take to drain.
#[inline]
pub fn decide_within(
    limits: &Limits,
    quota: &Quota,
    stored: Option<GcraState>,
    now: DateTime<Utc>,
    cost: u32,
) -> Decision {
    let asked = Asked::new(*limits, quota, stored, nanos(now), cost);
    asked.answer(asked.verdict() == Verdict::Allowed)
}

/// Carries a state over to another quota, so that the same number of cells is left to drain:
/// `ceil(backlog * T_new / T_old)`.
///
/// The result is never cut to the new burst, so a change of plan and back refills no bucket. Every
/// decision does this by itself. A host that lets its tenants change plans at will calls it at each
/// change, and writes the state.
pub fn reprice(limits: &Limits, quota: &Quota, stored: GcraState, now: DateTime<Utc>) -> GcraState {
    // Asked for no cells, a decision only carries the state over.
    Asked::new(*limits, quota, Some(stored), nanos(now), 0)
        .answer(false)
        .state()
}

/// Gives back `cost` cells that were charged and not used, unless they have drained since.
///
/// `charged` is the state as their charge left it. All that passes in a window, less all that is
/// given back in it, keeps the quota's bound. The host must give back only cells that it charged,
/// and only once.
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::throttle::gcra;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let quota = Quota::new(2, 20)?; // two in twenty seconds
///     let now = "2026-01-01T00:00:00Z".parse()?;
///
///     let charged = gcra::decide(&quota, None, now, 2).state();
///     let state = gcra::refund(&gcra::Limits::default(), &quota, charged, charged, now, 1);
///     assert_eq!(gcra::decide(&quota, Some(state), now, 0).remaining(), 1);
///     Ok(())
/// }
/// ```
pub fn refund(
    limits: &Limits,
    quota: &Quota,
    stored: GcraState,
    charged: GcraState,
    now: DateTime<Utc>,
    cost: u32,
) -> GcraState {
    Asked::new(*limits, quota, Some(stored), nanos(now), cost).refunded(charged)
}
