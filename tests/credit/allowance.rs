//! Allowances: one hold, drawn down by many threads. What a single thread sees of it is in
//! `tests/tables/credit/allowances.txt`.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::support::host::{Host, key};
use crate::support::{at, credits};
use bailiwick::Credits;
use bailiwick::change::Answer;
use bailiwick::credit::{Allowance, AllowanceError, GrantTerms, Outcome};
use bailiwick::policy::Overage;
use chrono::TimeDelta;

#[test]
fn an_allowance_draws_down_one_hold_from_many_threads() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(2_000)), 0);
    assert_eq!(host.hold(1, 1_000, 100, 0), "fresh");
    let allowance = Allowance::of(
        host.holds.remove(&1).unwrap(),
        Credits::ZERO,
        TimeDelta::try_seconds(2).unwrap(),
    );
    let spent = AtomicI64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| {
                for _ in 0..500 {
                    if allowance.spend(credits(3), at(5)).is_ok() {
                        spent.fetch_add(3, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(spent.into_inner(), 999);
    assert_eq!(
        (allowance.drawn(), allowance.left()),
        (credits(999), credits(1))
    );
    let exhausted = AllowanceError::Exhausted {
        needed: credits(2),
        left: credits(1),
    };
    assert_eq!(allowance.spend(credits(2), at(5)), Err(exhausted));
    assert!(
        allowance.spend("1.000001".parse().unwrap(), at(5)).is_err(),
        "exact to the last millionth"
    );
    assert_eq!(allowance.spend(credits(1), at(5)), Ok(credits(1_000)));
    assert_eq!(allowance.spend(credits(0), at(97)), Ok(credits(1_000)));
    assert_eq!(
        allowance.spend(credits(0), at(98)),
        Err(AllowanceError::Ended),
        "a skew before its hold ends"
    );
    assert_eq!(allowance.stops_at(), at(98));

    let (hold, total) = allowance.end();
    let prior = host.prior(&Outcome::spend_key(&key(1)));
    let settled = host
        .wallet
        .clone()
        .settle(&hold, total, prior.as_ref(), at(98))
        .unwrap();
    let Answer::Fresh(change) = settled else {
        panic!("settled before")
    };
    assert_eq!(host.write(change).charged, credits(1_000));
}
