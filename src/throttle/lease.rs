//! How many requests may be at work at once: leases that end by themselves. A pure decision over a
//! small state that lives anywhere, and a bounded map of such states in process.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::gcra::{Limits, nanos};
use super::scopes::ScopeNumber;
use crate::id::{AccountId, LeaseId};
use crate::quota::{ConcurrencyLimit, QuotaError};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// The leases of one key, as a store keeps them: a fact, proof of nothing. At most
/// [`ConcurrencyLimit::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Held>", into = "Vec<Held>")]
pub struct Leases(Vec<Held>);

/// One lease: since when and until when, in nanoseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    id: LeaseId,
    since: i64,
    until: i64,
}

impl Leases {
    /// How many leases are held at `now`.
    pub fn count_at(&self, now: DateTime<Utc>) -> usize {
        let now = nanos(now);
        self.0
            .iter()
            .filter_map(|held| held.clone().at(now))
            .count()
    }

    /// The leases without one of them: it was returned. One that is not there has ended already.
    #[must_use]
    pub fn release(mut self, id: &LeaseId) -> Self {
        self.0.retain(|held| held.id != *id);
        self
    }
}

impl TryFrom<Vec<Held>> for Leases {
    type Error = QuotaError;

    fn try_from(held: Vec<Held>) -> Result<Self, QuotaError> {
        if held.len() > usize::from(ConcurrencyLimit::MAX) {
            Err(QuotaError::Concurrency)
        } else {
            Ok(Self(held))
        }
    }
}

impl From<Leases> for Vec<Held> {
    fn from(leases: Leases) -> Self {
        leases.0
    }
}

impl Held {
    /// The lease as it counts at `now`; `None` if it has ended. One that began later than the
    /// clocks of nodes differ is from a clock that was set back, and begins anew; none lasts longer
    /// than a lease can.
    fn at(self, now: i64) -> Option<Self> {
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

/// What came of asking for a lease, with the leases to write either way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Acquisition {
    leases: Leases,
    /// Until when the lease is held; where it was refused, when enough of the others have ended.
    until: i64,
    is_granted: bool,
}

impl Acquisition {
    /// Whether the lease is held now.
    pub fn is_granted(&self) -> bool {
        self.is_granted
    }

    /// The leases to write, in place of those that were read.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Until when the lease is held, exclusively; `None` if it was refused.
    pub fn held_until(&self) -> Option<DateTime<Utc>> {
        self.is_granted
            .then(|| DateTime::from_timestamp_nanos(self.until))
    }

    /// When a place is free at the latest; `None` if the lease is held. One may be returned before.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        (!self.is_granted).then(|| DateTime::from_timestamp_nanos(self.until))
    }
}

/// Asks for a lease. It is granted while fewer than the limit are held, or if it is held already:
/// then it is renewed, and lasts from now on. What has ended no longer counts, whether or not
/// anybody swept.
///
/// A plan that allows fewer takes no lease away; it grants none until enough have ended.
///
/// ```
/// use bailiwick::quota::ConcurrencyLimit;
/// use bailiwick::throttle::leases;
/// let (limit, now) = (ConcurrencyLimit::new(1, 30)?, "2026-01-01T00:00:00Z".parse()?);
/// let first = concurrency::acquire(&limit, &Default::default(), &"request-1".parse()?, now);
/// assert!(first.is_granted());
/// let second = concurrency::acquire(&limit, first.leases(), &"request-2".parse()?, now);
/// assert_eq!(second.retry_at(), Some("2026-01-01T00:00:30Z".parse()?));
/// let returned = second.leases().clone().release(&"request-1".parse()?);
/// assert!(concurrency::acquire(&limit, &returned, &"request-2".parse()?, now).is_granted());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn acquire(
    limit: &ConcurrencyLimit,
    stored: &Leases,
    id: &LeaseId,
    now: DateTime<Utc>,
) -> Acquisition {
    let now = nanos(now);
    let mut held: Vec<Held> = stored
        .0
        .iter()
        .filter_map(|held| held.clone().at(now))
        .collect();
    let until = now.saturating_add(i64::from(limit.seconds()).saturating_mul(SECOND));
    if let Some(own) = held.iter_mut().find(|held| held.id == *id) {
        (own.since, own.until) = (now, until);
        return Acquisition {
            leases: Leases(held),
            until,
            is_granted: true,
        };
    }
    if held.len() >= usize::from(limit.at_once()) {
        // Under a smaller limit than they were granted by, several have to end.
        let mut ends: Vec<i64> = held.iter().map(|held| held.until).collect();
        ends.sort_unstable();
        let free = ends
            .get(held.len().saturating_sub(limit.at_once().into()))
            .copied()
            .unwrap_or(until);
        return Acquisition {
            leases: Leases(held),
            until: free,
            is_granted: false,
        };
    }
    held.push(Held {
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

type Key = (AccountId, ScopeNumber);

/// The leases in process, of at most so many keys. A key takes room only while it holds a lease.
pub(super) struct LeaseRoom {
    keys: Mutex<HashMap<Key, Leases>>,
    most_keys: usize,
    next: AtomicI64,
}

/// What a full or a refusing room says.
pub(super) enum Refused {
    Full,
    Exceeded(Acquisition),
}

impl LeaseRoom {
    pub(super) fn new(most_keys: u32) -> Self {
        let most_keys = usize::try_from(most_keys).unwrap_or(usize::MAX);
        Self {
            keys: Mutex::default(),
            most_keys,
            next: AtomicI64::new(0),
        }
    }

    pub(super) fn acquire(
        self: &Arc<Self>,
        account: &AccountId,
        scope: ScopeNumber,
        limit: &ConcurrencyLimit,
        now: DateTime<Utc>,
    ) -> Result<Lease, Refused> {
        let key = (account.clone(), scope);
        let id = LeaseId::from(self.next.fetch_add(1, Ordering::Relaxed));
        let mut keys = self.lock();
        if !keys.contains_key(&key) && keys.len() >= self.most_keys {
            keys.retain(|_, leases| leases.count_at(now) > 0);
            if keys.len() >= self.most_keys {
                return Err(Refused::Full);
            }
        }
        let leases = keys.entry(key.clone()).or_default();
        let acquisition = acquire(limit, leases, &id, now);
        leases.clone_from(acquisition.leases());
        match acquisition.held_until() {
            Some(until) => Ok(Lease {
                room: Arc::clone(self),
                key,
                id,
                until,
            }),
            None => Err(Refused::Exceeded(acquisition)),
        }
    }

    fn release(&self, key: &Key, id: &LeaseId) {
        let mut keys = self.lock();
        if let Some(leases) = keys.get_mut(key) {
            *leases = std::mem::take(leases).release(id);
            if leases.0.is_empty() {
                keys.remove(key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// A thread that panicked has at worst left its own lease, which ends by itself.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Leases>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that may be at work at once. It is returned when it is dropped, so also when
/// a client hangs up and its handler is dropped; and it ends by itself at [`until`](Self::until).
#[must_use = "a lease is returned when it is dropped"]
pub struct Lease {
    room: Arc<LeaseRoom>,
    key: Key,
    id: LeaseId,
    until: DateTime<Utc>,
}

impl Lease {
    /// When it ends by itself, exclusively. Work that goes on is no longer counted.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.room.release(&self.key, &self.id);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("account", &self.key.0)
            .field("until", &self.until)
            .finish()
    }
}
