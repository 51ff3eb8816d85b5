//! Decisions on integer identifiers allocate nothing.

mod model;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bailiwick::{Evidence, Route, admit, validate_account_and_plan};
use model::gate;
use model::gate_facts::{self as facts, SECOND};

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> u64 {
    let before = ALLOCATIONS.get();
    black_box(work());
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(black_box(7))), 1);
}

#[test]
fn the_gate_allocates_nothing() {
    let tenant = facts::tenant(&gate::Tenant {
        privileges: vec![],
        account: 7,
        status: "active",
        plan: Some(gate::Plan { active: true, needs_subscription: true }),
        subscription: Some(gate::Subscription {
            account: 7,
            status: "active",
            of_plan: true,
            trial_end: None,
            period_end: Some(30 * SECOND),
            cancel_at_period_end: false,
            past_due_since: None,
        }),
        sites: vec![1, 2, 3],
    });
    let principal = gate::Principal { account: Some(7), sites: Some(vec![2]), privileges: vec![] };
    for principal in facts::principals(&principal) {
        for now in [facts::instant(0), facts::instant(99 * SECOND)] {
            assert_eq!(allocations(|| validate_account_and_plan(&principal, Some(&tenant), now)), 0);
            let evidence = Evidence::Verified(principal.clone());
            for route in [Route::Public, Route::Authenticated, Route::TenantRead, Route::TenantWrite, Route::Billing] {
                assert_eq!(allocations(|| admit(route, &evidence, Some(&tenant), now)), 0, "{route:?}");
            }
        }
    }
}
