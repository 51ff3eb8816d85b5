//! The generic cell rate algorithm as a pure decision over a state of two numbers that any store
//! can hold.
//!
//! The algorithm is that of ITU-T I.371 in its virtual-scheduling form. `T` is the emission
//! interval, the time that one cell takes to drain; `tat` is the theoretical arrival time, at which
//! all that was charged has drained. A request of `cost` cells passes if and only if `max(tat, now)
//! + cost * T - now <= burst * T`.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::quota::{Quota, QuotaSet, ThrottleScope};

/// Nanoseconds in a second.
pub(in crate::throttle) const SECOND: i64 = 1_000_000_000;
/// No quota takes longer to drain than 400 days: see [`Quota::window_nanos`].
const MAX_WINDOW: i64 = 400 * 86_400 * SECOND;
/// Times are taken within these bounds, some four years short of what 64 bits can hold (the years
/// 1682 and 2257), so that a full burst never runs into the end of time.
const LATEST: i64 = i64::MAX - 4 * MAX_WINDOW;
const EARLIEST: i64 = i64::MIN + 4 * MAX_WINDOW;
/// No backlog is taken to last beyond this, so that there is room to charge another burst.
const LAST: i64 = i64::MAX - MAX_WINDOW;

/// An instant in nanoseconds since the epoch.
pub(in crate::throttle) fn nanos(now: DateTime<Utc>) -> i64 {
    let beyond = || {
        if now.timestamp() < 0 {
            EARLIEST
        } else {
            LATEST
        }
    };
    now.timestamp_nanos_opt()
        .unwrap_or_else(beyond)
        .clamp(EARLIEST, LATEST)
}

/// Whole seconds, rounded up.
pub(in crate::throttle) fn seconds_up(nanos: i64) -> i64 {
    nanos.saturating_add(SECOND - 1).div_euclid(SECOND)
}

/// What is stored of a quota: the theoretical arrival time, and the emission interval under which
/// it was written.
///
/// A state is a fact from the host's store, so it may be anything: what no quota could have written
/// is found corrupt and put right by the next decision.
///
/// ```
/// use bailiwick::throttle::gcra::GcraState;
/// let state = GcraState::from_parts(1_767_225_600_000_000_000, 1_000_000_000);
/// assert_eq!((state.tat_nanos(), state.interval_nanos()), (1_767_225_600_000_000_000, 1_000_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcraState {
    tat: i64,
    t: i64,
}

impl GcraState {
    /// A state as it was stored: nanoseconds since the epoch, and the emission interval in
    /// nanoseconds.
    pub const fn from_parts(tat_nanos: i64, interval_nanos: i64) -> Self {
        Self {
            tat: tat_nanos,
            t: interval_nanos,
        }
    }

    /// The theoretical arrival time, in nanoseconds since the epoch.
    pub const fn tat_nanos(self) -> i64 {
        self.tat
    }

    /// The emission interval under which the state was written, in nanoseconds.
    pub const fn interval_nanos(self) -> i64 {
        self.t
    }

    /// Whether nothing is left to drain at `now`. A drained state decides as no state does, so a
    /// store may drop it; where clocks differ, only once it is drained on all of them.
    pub fn is_drained_at(self, now: DateTime<Utc>) -> bool {
        self.tat <= nanos(now)
    }
}

/// What a sound state can look like: the greatest burst that any plan has for the throttle scope,
/// and how far the clocks of the service's nodes differ at most. A state further in the future is
/// corrupt, or from a clock that was set back.
///
/// The greatest burst has to be known, since a state that was written under a larger plan is not
/// corrupt. The default knows none, and takes a state for corrupt that drains for longer than 400
/// days, the longest that any quota may take; its skew is one second. It also cuts there what a
/// much slower plan would take longer to drain, so a host whose plans differ by so much says what
/// the greatest burst is: [`of_plans`](Self::of_plans).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    largest_burst: Option<u32>,
    max_skew: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest_burst: None,
            max_skew: SECOND,
        }
    }
}

impl Limits {
    /// The limits of a throttle scope over all plans of a service, and over those that accounts may
    /// still be on.
    ///
    /// ```
    /// # use bailiwick::{Plan, throttle_scope};
    /// # use bailiwick::throttle::gcra::Limits;
    /// # let plans: Vec<Plan> = vec![];
    /// let limits = Limits::of_plans(&plans, throttle_scope!("ai"));
    /// # let _ = limits;
    /// ```
    pub fn of_plans<'a>(plans: impl IntoIterator<Item = &'a Plan>, scope: ThrottleScope) -> Self {
        let quotas = plans
            .into_iter()
            .filter_map(|plan| plan.quotas.get(&scope))
            .flat_map(QuotaSet::as_slice);
        Self::default().with_largest_burst(quotas.map(Quota::burst).max().unwrap_or_default())
    }

    /// The greatest burst of any plan for the scope. The burst of the quota at hand is always
    /// allowed.
    pub const fn with_largest_burst(self, cells: u32) -> Self {
        Self {
            largest_burst: Some(cells),
            ..self
        }
    }

    /// How far clocks differ at most; a negative difference counts as none, and none beyond 400
    /// days.
    pub fn with_max_skew(self, skew: TimeDelta) -> Self {
        let skew = skew
            .num_nanoseconds()
            .unwrap_or(if skew < TimeDelta::zero() {
                0
            } else {
                MAX_WINDOW
            });
        Self {
            max_skew: skew.clamp(0, MAX_WINDOW),
            ..self
        }
    }

    pub(in crate::throttle) const fn max_skew(self) -> i64 {
        self.max_skew
    }

    /// The greatest burst that a state can have been written under, if it is known.
    pub(in crate::throttle) fn greatest_burst(self, own_burst: u32) -> Option<u32> {
        self.largest_burst.map(|largest| largest.max(own_burst))
    }

    /// The longest backlog that charging alone can leave, at an emission interval of `t`.
    pub(in crate::throttle) fn longest_backlog(self, own_burst: u32, t: i64) -> i64 {
        self.greatest_burst(own_burst)
            .map_or(MAX_WINDOW, |burst| i64::from(burst).saturating_mul(t))
    }
}

/// How a decision came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The cells pass.
    Allowed,
    /// Not now; [`Decision::retry_at`] says when.
    Exceeded,
    /// More cells than the quota's burst: they can never pass at once.
    CostExceedsBurst,
}

/// The explained answer about one quota, with the state to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    quota: Quota,
    now: i64,
    /// What is left to drain, once the state to write is written.
    backlog: i64,
    /// How long until the cells would pass; zero if they pass now or never.
    wait: i64,
    verdict: Verdict,
    must_store: bool,
}

impl Decision {
    /// How it came out.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether the cells pass.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }

    /// The quota that was asked.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// The state to write. It replaces the one that was read, under the store's guard against
    /// concurrent writers.
    pub fn state(&self) -> GcraState {
        GcraState {
            tat: self.now.saturating_add(self.backlog),
            t: self.quota.interval_nanos(),
        }
    }

    /// Whether the state has to be written. It has to after a refusal too, where the state was
    /// carried over to another quota or found corrupt: unwritten, it would be found so again, and
    /// the time to retry would recede for ever.
    pub const fn must_store(&self) -> bool {
        self.must_store
    }

    /// Cells that would pass at once after this decision.
    pub fn remaining(&self) -> u32 {
        let free = self
            .quota
            .window_nanos()
            .saturating_sub(self.backlog)
            .max(0);
        free.checked_div(self.quota.interval_nanos())
            .and_then(|cells| u32::try_from(cells).ok())
            .unwrap_or_default()
            .min(self.quota.burst())
    }

    /// The earliest instant at which the same cells pass if no others come between. `None` if they
    /// pass now or never.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        (self.verdict == Verdict::Exceeded).then(|| self.after(self.wait))
    }

    /// Seconds until [`retry_at`](Self::retry_at), rounded up, as `Retry-After` states them.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        (self.verdict == Verdict::Exceeded)
            .then(|| u64::try_from(seconds_up(self.wait)).unwrap_or_default())
    }

    /// When one cell more than [`remaining`](Self::remaining) would pass; `None` if the whole burst
    /// would.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.until_next().map(|wait| self.after(wait))
    }

    /// When everything has drained, so that the whole burst would pass again.
    pub fn reset_at(&self) -> DateTime<Utc> {
        self.after(self.backlog)
    }

    pub(in crate::throttle) fn wait(&self) -> i64 {
        self.wait
    }

    pub(in crate::throttle) fn backlog(&self) -> i64 {
        self.backlog
    }

    pub(in crate::throttle) fn until_next(&self) -> Option<i64> {
        let cells = i64::from(self.remaining()).saturating_add(1);
        let needed = cells.saturating_mul(self.quota.interval_nanos());
        (self.backlog > 0).then(|| {
            self.backlog
                .saturating_sub(self.quota.window_nanos())
                .saturating_add(needed)
        })
    }

    fn after(&self, wait: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.now.saturating_add(wait))
    }
}

/// Decides under the default [`Limits`]: see [`decide_within`].
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::throttle::gcra;
/// let quota = Quota::new(1, 10)?; // one in ten seconds
/// let now = "2026-01-01T00:00:00Z".parse()?;
/// let first = gcra::decide(&quota, None, now, 1);
/// assert!(first.is_allowed());
/// let second = gcra::decide(&quota, Some(first.state()), now, 1);
/// assert_eq!(second.retry_after_seconds(), Some(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
///   burst, so that a corrupt state, or a clock that was set back, blocks for no longer than that
///   burst and the skew take to drain.
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

/// Carries a state over to another quota: what is left to drain is the same number of cells,
/// `ceil(backlog * T_new / T_old)`, never cut to the new burst, so that no change of plan and back
/// refills a bucket. Every decision does this by itself; a host that lets its tenants change plans
/// at will calls it at each change, and writes the state.
pub fn reprice(limits: &Limits, quota: &Quota, stored: GcraState, now: DateTime<Utc>) -> GcraState {
    Asked::new(*limits, quota, Some(stored), nanos(now), 0)
        .answer(false)
        .state()
}

/// Gives back `cost` cells that were charged and not used, as far as they have not drained since.
/// `charged` is the state as their charge left it. What passes in a window, less what is given back
/// in it, keeps the quota's bound. The host gives back what it charged, once.
///
/// ```
/// use bailiwick::Quota;
/// use bailiwick::throttle::gcra;
/// let quota = Quota::new(2, 20)?; // two in twenty seconds
/// let now = "2026-01-01T00:00:00Z".parse()?;
/// let charged = gcra::decide(&quota, None, now, 2).state();
/// let state = gcra::refund(&gcra::Limits::default(), &quota, charged, charged, now, 1);
/// assert_eq!(gcra::decide(&quota, Some(state), now, 0).remaining(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

/// A quota that was asked for some cells, before it is known whether they are charged.
#[derive(Clone, Copy, Debug)]
pub(in crate::throttle) struct Asked<'a> {
    quota: &'a Quota,
    now: i64,
    backlog: i64,
    is_changed: bool,
    cost: u32,
}

impl<'a> Asked<'a> {
    #[inline]
    pub(in crate::throttle) fn new(
        limits: Limits,
        quota: &'a Quota,
        stored: Option<GcraState>,
        now: i64,
        cost: u32,
    ) -> Self {
        let (backlog, is_changed) = match stored {
            Some(state) if state.tat > now => carried_over(limits, quota, state, now),
            _ => (0, false),
        };
        Self {
            quota,
            now,
            backlog,
            is_changed,
            cost,
        }
    }

    /// The same question about a backlog that was found before.
    pub(in crate::throttle) fn again(quota: &'a Quota, backlog: i64, now: i64, cost: u32) -> Self {
        Self {
            quota,
            now,
            backlog,
            is_changed: false,
            cost,
        }
    }

    /// The state once the cells were given back: of those that were charged, what has not drained
    /// since. `charged` is the state as that charge left it.
    pub(in crate::throttle) fn refunded(&self, charged: GcraState) -> GcraState {
        let t = self.quota.interval_nanos();
        let left = charged.tat.saturating_sub(self.now).max(0);
        let left = if charged.t == t || charged.t <= 0 {
            left
        } else {
            scale_down(left, t, charged.t)
        };
        let cells = t.saturating_mul(self.cost.into()).min(left);
        let backlog = self.backlog.saturating_sub(cells).max(0);
        GcraState {
            tat: self.now.saturating_add(backlog),
            t,
        }
    }

    /// How long the backlog would be with the cells in it. Within the burst, so only asked once the
    /// cost is.
    fn charged(&self) -> i64 {
        self.backlog
            .saturating_add(self.quota.interval_nanos().saturating_mul(self.cost.into()))
    }

    #[inline]
    pub(in crate::throttle) fn verdict(&self) -> Verdict {
        if self.cost > self.quota.burst() {
            Verdict::CostExceedsBurst
        } else if self.charged() <= self.quota.window_nanos() {
            Verdict::Allowed
        } else {
            Verdict::Exceeded
        }
    }

    /// The answer; the cells are charged if all the quotas that they were asked of agreed.
    #[inline]
    pub(in crate::throttle) fn answer(self, is_charged: bool) -> Decision {
        let verdict = self.verdict();
        let wait = if verdict == Verdict::Exceeded {
            self.charged().saturating_sub(self.quota.window_nanos())
        } else {
            0
        };
        Decision {
            quota: *self.quota,
            now: self.now,
            backlog: if is_charged {
                self.charged()
            } else {
                self.backlog
            },
            wait,
            verdict,
            must_store: self.is_changed || (is_charged && self.cost > 0),
        }
    }
}

/// The backlog of a state that is not drained, and whether it is another than the one that was
/// stored.
#[inline]
fn carried_over(limits: Limits, quota: &Quota, state: GcraState, now: i64) -> (i64, bool) {
    let backlog = state.tat.saturating_sub(now);
    if state.t == quota.interval_nanos() && backlog <= quota.window_nanos() {
        return (backlog, false);
    }
    let (backlog, is_changed) = mended(limits, quota, backlog, state.t);
    (backlog.min(LAST.saturating_sub(now)), is_changed)
}

/// The backlog of a state of another interval, or of one that is longer than the quota's own burst
/// explains.
#[cold]
fn mended(limits: Limits, quota: &Quota, backlog: i64, t_old: i64) -> (i64, bool) {
    let (t_new, burst) = (quota.interval_nanos(), quota.burst());
    if !(1..=MAX_WINDOW).contains(&t_old) {
        return (limits.longest_backlog(burst, t_new), true);
    }
    let longest = limits.longest_backlog(burst, t_old);
    let is_corrupt = backlog > longest.saturating_add(limits.max_skew);
    let cells = backlog.min(longest);
    // What exceeds the longest backlog is the difference of two clocks: time, and not cells to be
    // repriced.
    let skew = if is_corrupt {
        0
    } else {
        backlog.saturating_sub(cells)
    };
    if t_old == t_new {
        return (cells.saturating_add(skew), is_corrupt);
    }
    let repriced = scale_up(cells, t_new, t_old).min(limits.longest_backlog(burst, t_new));
    (repriced.saturating_add(skew), true)
}

/// `ceil(nanos * numerator / denominator)`, held within 64 bits.
fn scale_up(nanos: i64, numerator: i64, denominator: i64) -> i64 {
    let denominator = i128::from(denominator);
    i128::from(nanos)
        .checked_mul(numerator.into())
        .and_then(|product| product.checked_add(denominator.saturating_sub(1)))
        .and_then(|sum| sum.checked_div(denominator))
        .and_then(|scaled| i64::try_from(scaled).ok())
        .unwrap_or(i64::MAX)
}

/// `floor(nanos * numerator / denominator)`, held within 64 bits.
fn scale_down(nanos: i64, numerator: i64, denominator: i64) -> i64 {
    i128::from(nanos)
        .checked_mul(numerator.into())
        .and_then(|product| product.checked_div(denominator.into()))
        .and_then(|scaled| i64::try_from(scaled).ok())
        .unwrap_or(i64::MAX)
}
