//! A bounded concurrent map from keys to the states of their quotas.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::gcra::Limits;
use super::states::{Answers, Slots, decide_slots};
use crate::quota::{Quota, ThrottleScope};

/// Keys in one shard, from here to twice as many. It bounds the work of one request under one lock: growing a shard, or
/// looking through it for drained keys.
const SHARD: u32 = 512;
/// Shards are made at once, and take memory before they hold anything.
const MOST_SHARDS: u32 = 1 << 16;

/// A key with its hash, taken once.
#[derive(PartialEq, Eq)]
struct Hashed<S> {
    hash: u64,
    subject: S,
    scope: ThrottleScope,
}

impl<S> Hash for Hashed<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// An odd number without pattern: the fraction of the golden ratio in 64 bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hands on the hash that a key brings, and mixes what is longer.
#[derive(Default)]
struct Passing(u64);

impl Hasher for Passing {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = self.0.rotate_left(5).wrapping_mul(ODD) ^ hash;
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Shard<S> = HashMap<Hashed<S>, Entry, BuildHasherDefault<Passing>>;

struct Entry {
    slots: Slots,
    /// The greatest burst that the key was charged under. Its states were written under no greater one, so what it
    /// cannot explain comes from a clock that was set back.
    largest_burst: u32,
}

impl Entry {
    fn new(quotas: &[Quota]) -> Self {
        Self { slots: Slots::new(quotas.len()), largest_burst: 0 }
    }

    #[inline]
    fn decide(&mut self, quotas: &[Quota], now: i64, cost: u32) -> Answers {
        self.largest_burst = quotas.iter().map(Quota::burst).fold(self.largest_burst, u32::max);
        decide_slots(self.limits(), quotas, self.slots.for_quotas(quotas.len()), now, cost)
    }

    fn limits(&self) -> Limits {
        Limits::default().with_largest_burst(self.largest_burst)
    }

    /// Whether the states are drained, on clocks that are behind this one by the skew too: only then is their absence
    /// the same to every caller.
    fn is_drained(&mut self, now: i64) -> bool {
        self.slots.correct(self.limits(), now);
        self.slots.is_drained(now.saturating_sub(Limits::default().max_skew()))
    }
}

/// Room for a fixed number of keys, each a subject in a throttle scope. When it is full, drained keys give way, and no
/// others.
pub(super) struct Room<S> {
    shards: Box<[Mutex<Shard<S>>]>,
    keys_per_shard: usize,
    hasher: RandomState,
}

impl<S: Hash + Eq> Room<S> {
    pub(super) fn new(most_keys: u32) -> Self {
        // A power of two, so that some bits of the hash name the shard.
        let shards = 1_u32 << (most_keys / SHARD).clamp(1, MOST_SHARDS).ilog2();
        let keys_per_shard = most_keys.checked_div(shards).and_then(|keys| usize::try_from(keys).ok());
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            keys_per_shard: keys_per_shard.unwrap_or_default(),
            hasher: RandomState::new(),
        }
    }

    /// Decides, and writes what was decided. `None` if the key is new and there is no room for it.
    #[inline]
    pub(super) fn charge(
        &self,
        scope: ThrottleScope,
        subject: S,
        quotas: &[Quota],
        now: i64,
        cost: u32,
    ) -> Option<Answers> {
        let key = Hashed { hash: self.hash(&scope, &subject), subject, scope };
        let mut shard = self.shard(key.hash)?;
        if let Some(entry) = shard.get_mut(&key) {
            return Some(entry.decide(quotas, now, cost));
        }
        let mut entry = Entry::new(quotas);
        let answers = entry.decide(quotas, now, cost);
        if answers.must_store() {
            if shard.len() >= self.keys_per_shard {
                shard.retain(|_, entry| !entry.is_drained(now));
            }
            if shard.len() >= self.keys_per_shard {
                return None;
            }
            shard.insert(key, entry);
        }
        Some(answers)
    }

    /// The subject by a seeded SipHash, so that nobody can choose subjects that collide; the scope, which nobody
    /// chooses, mixed in cheaply.
    #[inline]
    fn hash(&self, scope: &ThrottleScope, subject: &S) -> u64 {
        let mut mixed = Passing::default();
        scope.hash(&mut mixed);
        self.hasher.hash_one(subject) ^ mixed.finish()
    }

    /// How many keys are held.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard<S>>> {
        // The map takes its places from the lowest bits and its tags from the highest; these are in between.
        let place = usize::try_from((hash >> 32) & 0x00ff_ffff).ok()?;
        self.shards.get(place & self.shards.len().saturating_sub(1)).map(lock)
    }
}

/// A thread that panicked cannot have left a state half written: it is one assignment. So its lock is taken over.
fn lock<S>(shard: &Mutex<Shard<S>>) -> MutexGuard<'_, Shard<S>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
