//! Leases in process: a bounded map, and a guard that returns its lease when it is dropped.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::leases::{Acquisition, Leases, acquire};
use super::scopes::ScopeNumber;
use crate::id::{AccountId, LeaseId};
use crate::quota::ConcurrencyLimit;

type Key = (AccountId, ScopeNumber);

/// The leases in process, of at most so many keys. A key takes memory only while it holds a lease.
pub(super) struct LeaseRoom {
    keys: Mutex<HashMap<Key, Leases>>,
    max_keys: usize,
    next: AtomicI64,
}

/// A reason for which a lease was not granted.
pub(super) enum Refused {
    Full,
    Exceeded(Acquisition),
}

impl LeaseRoom {
    pub(super) fn new(max_keys: u32) -> Self {
        let max_keys = usize::try_from(max_keys).unwrap_or(usize::MAX);
        Self {
            keys: Mutex::default(),
            max_keys,
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
        // Unique in this process, which is as far as these leases reach.
        let id = LeaseId::from(self.next.fetch_add(1, Ordering::Relaxed));
        let mut keys = self.lock();

        // A new key needs memory; keys whose leases have all ended give way.
        if !keys.contains_key(&key) && keys.len() >= self.max_keys {
            keys.retain(|_, leases| leases.count_at(now) > 0);
            if keys.len() >= self.max_keys {
                return Err(Refused::Full);
            }
        }

        let leases = keys.entry(key.clone()).or_default();
        let acquisition = acquire(limit, leases, &id, now);
        // A refusal too is written: it leaves out the leases that have ended.
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
            // A key takes memory only while it holds a lease.
            if leases.is_empty() {
                keys.remove(key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Locks the map, even after a thread panicked: it has at worst left its own lease, which ends
    /// by itself.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Leases>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to be one of the requests that run at once.
///
/// It is returned when it is dropped, so also when a client hangs up and its handler is dropped. It
/// ends by itself at [`until`](Self::until).
///
/// ```
/// use bailiwick::quota::ThrottleScope;
/// use bailiwick::{Access, Problem, Throttle, throttle_scope};
/// use bailiwick::chrono::{DateTime, Utc};
///
/// const EXPORT: ThrottleScope = throttle_scope!("export");
///
/// fn export(throttle: &Throttle, access: &Access, now: DateTime<Utc>) -> Result<(), Problem> {
///     let _lease = throttle.acquire(access, EXPORT, now)?; // held to the end of the function
///     // … the long work …
///     Ok(())
/// }
/// ```
#[must_use = "a lease is returned when it is dropped"]
pub struct Lease {
    room: Arc<LeaseRoom>,
    key: Key,
    id: LeaseId,
    until: DateTime<Utc>,
}

impl Lease {
    /// Returns when the lease ends by itself, exclusively. Work that goes on after it is no longer
    /// counted.
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
