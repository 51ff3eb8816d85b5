//! Instants and spans as whole nanoseconds, within bounds that no sum here can leave.

use chrono::{DateTime, Utc};

/// Nanoseconds in a second.
pub(in crate::throttle) const SECOND: i64 = 1_000_000_000;
/// The longest time that a full burst takes to drain, 400 days: see
/// [`Quota::window_nanos`](crate::quota::Quota::window_nanos).
pub(super) const MAX_WINDOW: i64 = 400 * 86_400 * SECOND;
/// Times are taken within these bounds, some four years short of what 64 bits can hold (the years
/// 1682 and 2257), so that a full burst never runs into the end of time.
const LATEST: i64 = i64::MAX - 4 * MAX_WINDOW;
const EARLIEST: i64 = i64::MIN + 4 * MAX_WINDOW;
/// No backlog is taken to last beyond this, so that there is room to charge another burst.
pub(super) const LAST: i64 = i64::MAX - MAX_WINDOW;

/// Returns an instant as nanoseconds since the epoch, cut to the years 1682 to 2257.
#[inline]
pub(in crate::throttle) fn nanos(now: DateTime<Utc>) -> i64 {
    // chrono's years reach further than nanoseconds in 64 bits do.
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

/// Returns whole seconds, rounded up.
pub(in crate::throttle) fn seconds_up(nanos: i64) -> i64 {
    nanos.saturating_add(SECOND - 1).div_euclid(SECOND)
}
