//! Decisions on integer identifiers allocate nothing, and a ledger of any length is replayed in the
//! memory of one wallet.

mod model;
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bailiwick::change::Answer;
use bailiwick::credit::{GrantTerms, HoldRequest, LedgerEntry};
use bailiwick::{Evidence, Route, Wallet, admit, validate_account_and_plan};
use model::gate;
use model::gate_facts::{self as facts, SECOND};
use support::host::{ACCOUNT, Host, credit_policy, key, prices};
use support::{at, credits};

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static MAX_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// What a thread frees may come from another, so that its own count is below zero for a while.
fn moved(freed: usize, taken: usize) {
    let bytes = BYTES.get() - freed.cast_signed() + taken.cast_signed();
    BYTES.set(bytes);
    MAX_BYTES.set(MAX_BYTES.get().max(bytes));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        moved(0, layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        moved(layout.size(), 0);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        moved(layout.size(), size);
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

/// How far the memory in use grows at the most.
fn growth<T>(work: impl FnOnce() -> T) -> isize {
    let before = BYTES.get();
    MAX_BYTES.set(before);
    black_box(work());
    MAX_BYTES.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(black_box(7))), 1);
    assert_eq!(growth(|| drop(black_box(vec![0_u8; 100]))), 100);
}

#[test]
fn the_gate_allocates_nothing() {
    let tenant = facts::tenant(&gate::Tenant {
        privileges: vec![],
        account: 7,
        status: "active",
        plan: Some(gate::Plan {
            active: true,
            needs_subscription: true,
            free: false,
        }),
        next: None,
        subscription: Some(gate::Subscription {
            account: 7,
            status: "active",
            of_plan: true,
            trial_end: None,
            period_end: Some(30 * SECOND),
            paid_until: None,
            cancel_at_period_end: false,
            past_due_since: None,
            pending: None,
            by_provider: false,
        }),
        sites: vec![1, 2, 3],
    });
    let principal = gate::Principal {
        account: Some(7),
        sites: Some(vec![2]),
        privileges: vec![],
    };
    for principal in facts::principals(&principal) {
        for now in [facts::instant(0), facts::instant(99 * SECOND)] {
            assert_eq!(
                allocations(|| validate_account_and_plan(&principal, Some(&tenant), now)),
                0
            );
            let evidence = Evidence::Verified(principal.clone());
            for route in [
                Route::Public,
                Route::Authenticated,
                Route::TenantRead,
                Route::TenantWrite,
                Route::Billing,
            ] {
                assert_eq!(
                    allocations(|| admit(route, &evidence, Some(&tenant), now)),
                    0,
                    "{route:?}"
                );
            }
        }
    }
}

/// A ledger that is made while it is read: a grant, then holds that run out.
fn ledger(entries: usize) -> impl Iterator<Item = LedgerEntry> {
    let mut host = Host::under(credit_policy(bailiwick::policy::Overage::Reject));
    host.grant("first", GrantTerms::forever(credits(1_000_000)), 0);
    let first = host.ledger.remove(0);
    let (access, mut wallet, mut number) = (host.access, host.wallet, 0_i64);
    let quote = prices().quote("unit", 1).unwrap();
    let holds = std::iter::repeat_with(move || {
        number += 1;
        let request = HoldRequest {
            key: key(u8::try_from(number % 200).unwrap()),
            quote: quote.clone(),
            time_to_live: chrono::TimeDelta::try_seconds(1).unwrap(),
            fingerprint: None,
        };
        let held = wallet
            .clone()
            .hold(&access, &request, None, at(2 * number))
            .unwrap();
        let Answer::Fresh(held) = held else {
            unreachable!("a hold without an outcome is fresh")
        };
        let expired = held.wallet().clone().advance(at(2 * number + 1)).unwrap();
        wallet = expired.wallet().clone();
        [held.entries()[0].clone(), expired.entries()[0].clone()]
    });
    std::iter::once(first).chain(holds.flatten()).take(entries)
}

#[test]
fn c7_a_ledger_of_any_length_is_replayed_in_the_memory_of_one_wallet() {
    let replay =
        |entries: usize| growth(|| Wallet::replay(&ACCOUNT.into(), ledger(entries)).unwrap());
    let (short, long) = (replay(1_000), replay(50_000));
    println!("{long} bytes at the most, for 1,000 entries and for 50,000");
    assert_eq!(short, long);
    assert!(
        (1_000..20_000).contains(&long),
        "{long} bytes, of which most are the maker's own"
    );
}

/// A key of integers, its decision, and a check of a key that is held: none of them allocates, nor
/// do several quotas in the pure decision.
#[test]
fn the_throttle_allocates_nothing() {
    use bailiwick::id::{ApiKeyId, UserId};
    use bailiwick::quota::QuotaSet;
    use bailiwick::throttle::gcra::{self, Limits};
    use bailiwick::throttle::{ThrottleCapacity, ThrottleKey, ThrottleSubject};
    use bailiwick::{AccountId, Quota, SiteId, Throttle, throttle_scope};
    let (scope, now) = (throttle_scope!("ai"), facts::instant(0));
    let uuid = "00000000-0000-0000-0000-000000000007";
    for (account, user) in [
        (AccountId::from(7), UserId::from(1)),
        (uuid.parse().unwrap(), uuid.parse().unwrap()),
    ] {
        let (key, site, from) = (ApiKeyId::from(3), SiteId::from(2), [192, 0, 2, 1].into());
        for subject in [
            ThrottleSubject::Account(&account),
            ThrottleSubject::User(&account, &user),
            ThrottleSubject::ApiKeyAtSite(&account, &key, &site),
            ThrottleSubject::UserFrom(&account, &user, from),
            ThrottleSubject::Address(from),
        ] {
            assert_eq!(
                allocations(|| ThrottleKey::derive(scope, subject)),
                0,
                "{subject:?}"
            );
        }
    }
    let one = QuotaSet::from(Quota::new(1_000, 1).unwrap());
    let two = QuotaSet::try_from(vec![
        Quota::new(1_000, 1).unwrap(),
        Quota::new(9_000, 60).unwrap(),
    ])
    .unwrap();
    let quota = &one.as_slice()[0];
    let state = gcra::decide(quota, None, now, 1).state();
    assert_eq!(allocations(|| gcra::decide(quota, Some(state), now, 1)), 0);
    let limits = Limits::default();
    let states = *gcra::decide_all(&limits, &two, None, now, 1).states();
    assert_eq!(
        allocations(|| gcra::decide_all(&limits, &two, Some(&states), now, 1)),
        0
    );

    let throttle = Throttle::new(ThrottleCapacity {
        accounts: 9,
        addresses: 9,
    });
    let (account, from) = (AccountId::from(7), [192, 0, 2, 1].into());
    let key = ThrottleKey::derive(scope, ThrottleSubject::Account(&account));
    let check = || {
        throttle.check_key(&key, &one, 1, now).unwrap();
        throttle.check_address(from, scope, &one, now).unwrap();
    };
    check();
    assert_eq!(allocations(check), 0);
}

#[cfg(feature = "sql")]
#[test]
fn what_a_prepared_statement_lends_is_not_allocated() {
    use bailiwick::scope::state::Read;
    use bailiwick::scope::{Dialect, Prepared, ValueRef};
    use bailiwick::{Account, Principal};

    bailiwick::table! {
        struct Note: Account in "notes" {
            tenant "account_id" Text;
            key ID = "id" i64 generated;
            column BODY = "body" String;
        }
    }
    let notes = Prepared::<Account, Read, (String, u32)>::new(
        Dialect::Postgres,
        |account, (body, rows)| {
            account
                .select::<Note>()
                .filter(Note::BODY.equals(body))
                .limit(rows)
        },
    );
    let notes = notes.unwrap();
    let principal = Principal::session(1.into()).of_account(7.into());
    let access = validate_account_and_plan(&principal, Some(&support::tenant(7)), at(0)).unwrap();
    let scope = access.read().account().unwrap();
    let lent = || {
        let values = notes.values(&scope, ("bread", 20)).unwrap();
        // The account is an integer, and the column a text: even that is made in place.
        assert_eq!(values.iter().next(), Some(ValueRef::Text("7")));
        values.iter().count()
    };
    assert_eq!(allocations(lent), 0);
    // Owned: the list of values, and each text among them. The statement's text is shared.
    assert_eq!(allocations(|| notes.bind(&scope, ("bread", 20))), 3);
}
