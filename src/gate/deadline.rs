//! Until when something paid for lasts: an instant, and a length that the policy adds to it.

use chrono::{DateTime, TimeDelta, Utc};

/// The sum is worked out only where it decides or is asked for: calendar arithmetic costs as much
/// as all the rest of the gate's decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    end: DateTime<Utc>,
    /// Never negative: a policy has no such lengths.
    extra: TimeDelta,
}

impl Deadline {
    pub(super) fn new(end: DateTime<Utc>, extra: TimeDelta) -> Self {
        Self { end, extra }
    }

    /// Whether it is still ahead at `now`.
    #[inline]
    pub(super) fn is_ahead(self, now: DateTime<Utc>) -> bool {
        now < self.end || now < self.instant()
    }

    /// The first instant at which it is over; the calendar's last one where the sum leaves it,
    /// since a host may write "for ever" as the latest date that it has.
    #[inline]
    pub(super) fn instant(self) -> DateTime<Utc> {
        if self.extra.is_zero() {
            return self.end;
        }
        self.end
            .checked_add_signed(self.extra)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}
