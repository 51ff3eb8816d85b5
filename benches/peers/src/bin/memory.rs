//! Prints how many bytes a throttle takes for each key that it holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bailiwick::quota::QuotaSet;
use bailiwick_peers::throttle::{Gate, Ours, START, generous, generous_twice, text, theirs};
use governor::clock::FakeRelativeClock;

const KEYS: u32 = 1_000_000;

/// The system's allocator, with a count of the bytes that were asked for and not given back.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's own; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Fills a throttle, and prints what it takes for each key: with a million keys, and on the average
/// from half a million on. A hash table doubles when it is full, so over one doubling the average
/// is free of where in it a million lies.
fn measure<T>(name: &str, make: impl FnOnce() -> T, add: impl Fn(&T, u32) -> bool) {
    let before = LIVE.load(Ordering::Relaxed);
    let throttle = make();
    let mut bytes = Vec::with_capacity(21);
    let own = bytes.capacity() * size_of::<f64>();
    for id in 0..KEYS {
        assert!(add(&throttle, id), "{name} refused key {id}");
        let keys = id + 1;
        if keys >= KEYS / 2 && keys.is_multiple_of(KEYS / 40) {
            let taken = LIVE.load(Ordering::Relaxed) - before - own;
            bytes.push(f64::from(u32::try_from(taken).unwrap()) / f64::from(keys));
        }
    }
    let average = bytes.iter().sum::<f64>() / f64::from(u32::try_from(bytes.len()).unwrap());
    println!("| {name} | {:.0} | {average:.0} |", bytes.last().unwrap());
}

/// bailiwick's, which must still hold every key in the end.
fn ours(name: &str, quotas: QuotaSet, add: impl Fn(&Ours, u32) -> bool) {
    measure(
        name,
        || Ours::new(KEYS, quotas),
        |throttle, id| {
            // Seldom, since counting locks all of it.
            let holds_all = || throttle.held() == usize::try_from(id + 1).unwrap();
            add(throttle, id) && (!(id + 1).is_multiple_of(KEYS / 4) || holds_all())
        },
    );
}

fn main() {
    let quota = generous();
    println!(
        "| keys | bytes each of 1,000,000 | average from 500,000 to 1,000,000 |\n|---|---|---|"
    );
    ours("bailiwick, addresses", quota.into(), |throttle, id| {
        throttle.address(id, START)
    });
    let gate = Gate::new(&quota.into());
    ours("bailiwick, accounts", quota.into(), |throttle, id| {
        throttle.account(&gate.asking(id), START)
    });
    let gate = Gate::new(&generous_twice());
    let two = generous_twice();
    ours("bailiwick, accounts, two quotas", two, |throttle, id| {
        throttle.account(&gate.asking(id), START)
    });
    let make = || theirs(&quota, FakeRelativeClock::default());
    measure("governor, u64", make, |limiter, id| {
        limiter.check_key(&u64::from(id)).is_ok()
    });
    let make = || theirs(&quota, FakeRelativeClock::default());
    measure("governor, formatted text", make, |limiter, id| {
        limiter.check_key(&text(id)).is_ok()
    });
}
