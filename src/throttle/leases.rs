//! Concurrency limits as pure functions, for hosts that keep leases in a store of their own.
//!
//! A *lease* is the right to be one of the requests that run at once. A host reads the leases of a
//! key, asks for one more, and writes the result in their place:
//!
//! ```
//! use bailiwick::quota::ConcurrencyLimit;
//! use bailiwick::throttle::leases::{Leases, acquire};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let limit = ConcurrencyLimit::new(1, 30)?; // one at once, for at most half a minute
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!     let stored = Leases::default(); // read from the host's store
//!
//!     let first = acquire(&limit, &stored, &"request-1".parse()?, now);
//!     assert!(first.is_granted());
//!     let stored = first.leases().clone(); // written to the host's store
//!
//!     let second = acquire(&limit, &stored, &"request-2".parse()?, now);
//!     assert_eq!(second.retry_at(), Some("2026-01-01T00:00:30Z".parse()?));
//!
//!     // The first request ends, and returns its lease.
//!     let stored = stored.release(&"request-1".parse()?);
//!     assert!(acquire(&limit, &stored, &"request-2".parse()?, now).is_granted());
//!     Ok(())
//! }
//! ```
//!
//! The order that a host must keep: read, decide and write under the store's guard against
//! concurrent writers, both when it acquires and when it releases. Two requests that read the same
//! leases would both be granted the last one.
//!
//! - [`Leases`]: the leases of one key, as a store keeps them.
//! - [`acquire`]: asks for a lease, under a [`ConcurrencyLimit`].
//! - [`Acquisition`]: its answer, with the leases to write.
//! - [`Leases::release`]: returns a lease.
//!
//! A [`Throttle`](crate::throttle::Throttle) does all of this in the memory of one process.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::gcra::{Limits, SECOND, nanos};
use crate::id::LeaseId;
use crate::quota::{ConcurrencyLimit, QuotaError};

/// The leases of one key, as a store keeps them. They are a fact, and prove nothing. There are at
/// most [`ConcurrencyLimit::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<HeldLease>", into = "Vec<HeldLease>")]
pub struct Leases(Vec<HeldLease>);

/// One lease, from and until an instant in nanoseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldLease {
    id: LeaseId,
    since: i64,
    until: i64,
}

impl Leases {
    /// Returns the number of leases that are held at `now`.
    pub fn count_at(&self, now: DateTime<Utc>) -> usize {
        let now = nanos(now);
        self.0
            .iter()
            .filter_map(|held| held.clone().at(now))
            .count()
    }

    /// Returns a lease: removes it from the others. A lease that is not there has ended already.
    #[must_use]
    pub fn release(mut self, id: &LeaseId) -> Self {
        self.0.retain(|held| held.id != *id);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<HeldLease>> for Leases {
    type Error = QuotaError;

    fn try_from(held: Vec<HeldLease>) -> Result<Self, QuotaError> {
        if held.len() > usize::from(ConcurrencyLimit::MAX) {
            Err(QuotaError::Concurrency)
        } else {
            Ok(Self(held))
        }
    }
}

impl From<Leases> for Vec<HeldLease> {
    fn from(leases: Leases) -> Self {
        leases.0
    }
}

impl HeldLease {
    /// Returns the lease as it counts at `now`; `None` if it has ended.
    ///
    /// A lease that begins later than the clocks of nodes can differ comes from a clock that was
    /// set back, and begins anew. None lasts longer than a lease can.
    fn at(self, now: i64) -> Option<Self> {
        // A stored lease may say anything, so its length is cut to one that a lease can have.
        let longest = i64::from(ConcurrencyLimit::MAX_SECONDS).saturating_mul(SECOND);
        let length = self.until.saturating_sub(self.since).clamp(0, longest);

        let is_ahead = self.since > now.saturating_add(Limits::default().max_skew());
        let since = if is_ahead { now } else { self.since };
        let until = since.saturating_add(length);

        (until > now).then_some(Self {
            since,
            until,
            ..self
        })
    }
}

/// The answer to a request for a lease, with the leases to write whether it was granted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Acquisition {
    leases: Leases,
    /// When the lease ends; where it was refused, when enough of the others have ended.
    until: i64,
    is_granted: bool,
}

impl Acquisition {
    /// Returns whether the lease is held now.
    pub fn is_granted(&self) -> bool {
        self.is_granted
    }

    /// Returns the leases to write, in place of those that were read.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Returns the instant at which the lease ends, exclusively; `None` if it was refused.
    pub fn held_until(&self) -> Option<DateTime<Utc>> {
        self.is_granted
            .then(|| DateTime::from_timestamp_nanos(self.until))
    }

    /// Returns the latest instant at which a lease becomes free; `None` if the lease is held. One
    /// may be returned before.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        (!self.is_granted).then(|| DateTime::from_timestamp_nanos(self.until))
    }
}

/// Asks for a lease. It is granted while fewer than the limit are held.
///
/// If the lease is held already, it is renewed, and lasts from now on. Leases that have ended do
/// not count, whether or not anybody removed them. A plan that allows fewer takes no lease away; it
/// grants none until enough have ended.
///
/// ```
/// use bailiwick::quota::ConcurrencyLimit;
/// use bailiwick::throttle::leases::{Leases, acquire};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let limit = ConcurrencyLimit::new(4, 120)?; // four at once, two minutes each
///     let now = "2026-01-01T00:00:00Z".parse()?;
///
///     let acquisition = acquire(&limit, &Leases::default(), &"request-1".parse()?, now);
///     assert_eq!(acquisition.held_until(), Some("2026-01-01T00:02:00Z".parse()?));
///     Ok(())
/// }
/// ```
pub fn acquire(
    limit: &ConcurrencyLimit,
    stored: &Leases,
    id: &LeaseId,
    now: DateTime<Utc>,
) -> Acquisition {
    let now = nanos(now);
    let until = now.saturating_add(i64::from(limit.seconds()).saturating_mul(SECOND));
    let at_once = usize::from(limit.at_once());

    let mut held: Vec<HeldLease> = stored
        .0
        .iter()
        .filter_map(|held| held.clone().at(now))
        .collect();

    // A request that asks again, because its answer was lost, takes no second lease.
    if let Some(own) = held.iter_mut().find(|held| held.id == *id) {
        own.since = now;
        own.until = until;
        return Acquisition {
            leases: Leases(held),
            until,
            is_granted: true,
        };
    }

    if held.len() >= at_once {
        // Under a smaller limit than they were granted by, several have to end.
        let mut ends: Vec<i64> = held.iter().map(|held| held.until).collect();
        ends.sort_unstable();
        let free = ends.get(held.len().saturating_sub(at_once)).copied();
        debug_assert!(free.is_some(), "a limit is at least one");

        return Acquisition {
            leases: Leases(held),
            until: free.unwrap_or(until),
            is_granted: false,
        };
    }

    held.push(HeldLease {
        id: id.clone(),
        since: now,
        until,
    });
    Acquisition {
        leases: Leases(held),
        until,
        is_granted: true,
    }
}
