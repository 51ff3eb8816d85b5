//! A bounded concurrent map from keys to the states of their quotas.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use super::answers::Answers;
use super::held::Held;
use super::scopes::ScopeNumber;
use crate::quota::Quota;

/// Keys in one shard, from here to twice as many. It bounds the work of one request under one lock:
/// growing a shard, or looking through it for drained keys.
const SHARD: u32 = 512;
/// Shards are made at once, and take memory before they hold anything.
const MAX_SHARDS: u32 = 1 << 16;
/// An odd number without pattern: the fraction of the golden ratio in 64 bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A key and its states. Checks wait for memory more than for anything else, so every byte counts:
/// with one quota, an address takes 40 bytes and an account 56.
struct Bucket<S> {
    subject: S,
    scope: ScopeNumber,
    held: Held,
}

/// The bucket that a charge was charged to, by its key's hash, which is seeded anew for every room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

type Shard<S> = HashTable<Bucket<S>>;

/// A map with room for a fixed number of keys, each a subject in a throttle scope. When it is full,
/// drained keys give way, and no others.
pub(super) struct Room<S> {
    shards: Box<[Mutex<Shard<S>>]>,
    keys_per_shard: usize,
    hasher: RandomState,
}

impl<S: Hash + Eq> Room<S> {
    pub(super) fn new(max_keys: u32) -> Self {
        // A power of two, so that some bits of the hash name the shard.
        let shards = 1_u32 << (max_keys / SHARD).clamp(1, MAX_SHARDS).ilog2();
        let keys_per_shard = max_keys
            .checked_div(shards)
            .and_then(|keys| usize::try_from(keys).ok());

        Self {
            shards: (0..shards).map(|_| Mutex::new(Shard::new())).collect(),
            keys_per_shard: keys_per_shard.unwrap_or_default(),
            hasher: RandomState::new(),
        }
    }

    /// Decides, and writes the states. `None` if the key is new and there is no room for it.
    #[inline]
    pub(super) fn charge(
        &self,
        scope: ScopeNumber,
        subject: S,
        quotas: &[Quota],
        now: i64,
        cost: u32,
    ) -> Option<(Answers, Ticket)> {
        let hash = self.hash(scope, &subject);
        let mut shard = self.shard(hash)?;
        if let Some(bucket) = shard.find_mut(hash, |bucket| {
            bucket.scope == scope && bucket.subject == subject
        }) {
            return Some((bucket.held.decide(quotas, now, cost), Ticket(hash)));
        }

        let (answers, held) = Held::first(quotas, now, cost);
        // A refusal of a new key leaves no state, so it takes no room.
        if let Some(held) = held {
            if shard.len() >= self.keys_per_shard {
                shard.retain(|bucket| !bucket.held.is_drained(now));
            }
            if shard.len() >= self.keys_per_shard {
                return None;
            }

            let bucket = Bucket {
                subject,
                scope,
                held,
            };
            shard.insert_unique(hash, bucket, |bucket| {
                self.hash(bucket.scope, &bucket.subject)
            });
        }
        Some((answers, Ticket(hash)))
    }

    /// Decides about no cells, and writes nothing.
    pub(super) fn peek(
        &self,
        scope: ScopeNumber,
        subject: &S,
        quotas: &[Quota],
        now: i64,
    ) -> Option<Answers> {
        let hash = self.hash(scope, subject);
        let shard = self.shard(hash)?;
        let bucket = shard.find(hash, |bucket| {
            bucket.scope == scope && bucket.subject == *subject
        });

        // A key that is not held decides as a new one.
        Some(bucket.map_or_else(
            || Held::first(quotas, now, 0).0,
            |bucket| bucket.held.peek(quotas, now),
        ))
    }

    /// Gives back the cells of a charge that have not drained, and returns the answer of a peek
    /// after that. `None` if the charge was another key's, or the key is no longer held: then all
    /// of it has drained.
    pub(super) fn refund(
        &self,
        scope: ScopeNumber,
        subject: &S,
        quotas: &[Quota],
        (charged, ticket): (&Answers, Ticket),
        now: i64,
    ) -> Option<Answers> {
        let hash = self.hash(scope, subject);
        // The seed differs between rooms, so a ticket from another throttle fits no key here.
        if Ticket(hash) != ticket {
            return None;
        }

        let mut shard = self.shard(hash)?;
        let bucket = shard.find_mut(hash, |bucket| {
            bucket.scope == scope && bucket.subject == *subject
        });
        bucket.map(|bucket| bucket.held.refund(quotas, charged, now))
    }

    /// Returns the hash of a key: the subject by a seeded SipHash, so that nobody can choose
    /// subjects that collide; the scope, which nobody chooses, mixed in cheaply.
    #[inline]
    fn hash(&self, scope: ScopeNumber, subject: &S) -> u64 {
        self.hasher.hash_one(subject) ^ u64::from(scope.get()).wrapping_mul(ODD)
    }

    /// Returns the number of keys that are held.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    #[inline]
    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard<S>>> {
        debug_assert!(
            self.shards.len().is_power_of_two(),
            "the mask below reaches every shard"
        );

        // The table takes its positions from the lowest bits and its tags from the highest; these
        // are in between.
        let position = usize::try_from((hash >> 32) & 0x00ff_ffff).ok()?;
        self.shards
            .get(position & self.shards.len().saturating_sub(1))
            .map(lock)
    }
}

/// Locks a shard, even after a thread panicked: it cannot have left a state half written, since a
/// write is one assignment.
fn lock<S>(shard: &Mutex<Shard<S>>) -> MutexGuard<'_, Shard<S>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
