//! The end of something that was paid for: an instant, and a length that the policy adds to it.

use chrono::{DateTime, TimeDelta, Utc};

/// An instant plus a length. The sum is computed only where it decides or is asked for: calendar
/// arithmetic costs as much as all the rest of the gate's decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    end: DateTime<Utc>,
    /// Never negative: a policy has no such lengths.
    extra: TimeDelta,
}

impl Deadline {
    pub(super) fn new(end: DateTime<Utc>, extra: TimeDelta) -> Self {
        debug_assert!(extra >= TimeDelta::zero(), "a policy only adds time");
        Self { end, extra }
    }

    /// Creates the deadline that is an instant itself.
    pub(super) fn at(instant: DateTime<Utc>) -> Self {
        Self::new(instant, TimeDelta::zero())
    }

    /// Returns true if the deadline is still ahead at `now`.
    #[inline]
    pub(super) fn is_ahead(self, now: DateTime<Utc>) -> bool {
        // The first comparison nearly always decides, and needs no sum.
        now < self.end || now < self.instant()
    }

    /// Returns the first instant at which it is over. Where the sum leaves the calendar, this is
    /// the calendar's last instant, since a host may write "for ever" as the latest date it has.
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
