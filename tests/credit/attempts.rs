//! A hold that charged nothing frees its key: the same request again is the next attempt, and the
//! hold of the attempt before is worth nothing any more.

use crate::support::host::{End, Host, credit_policy, key};
use crate::support::{at, credits};
use bailiwick::credit::{GrantTerms, Outcome, ReleaseError, SettleError, WalletError};
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use proptest::prelude::*;

fn host(late_settle: LateSettle) -> Host {
    let mut host = Host::under(CreditPolicy {
        late_settle,
        ..credit_policy(Overage::Reject)
    });
    assert_eq!(
        host.grant("first", GrantTerms::forever(credits(10)), 0),
        "fresh"
    );
    host
}

fn prior(host: &Host) -> Outcome {
    host.prior(&Outcome::spend_key(&key(1))).unwrap()
}

#[test]
fn c4_a_hold_that_was_released_for_nothing_frees_its_key() {
    let mut host = host(LateSettle::Refuse);
    assert_eq!(host.hold(1, 4, 60, 0), "fresh");
    assert_eq!(host.release(1, 1), "fresh");
    assert_eq!(host.release(1, 1), "released");

    assert_eq!(host.hold(1, 5, 60, 2), "idempotency_key_reused");
    assert_eq!(host.hold(1, 4, 60, 2), "fresh");
    assert_eq!((host.holds[&1].attempt(), prior(&host).attempt()), (2, 2));
    assert_eq!(host.hold(1, 4, 60, 3), "pending");

    // Whoever has the first hold ends nothing and charges nothing, before and after the second ends.
    for seconds in [3, 4] {
        let before = (host.wallet.clone(), host.ledger.len());
        for end in [End::Draw, End::Settle, End::Release] {
            let told = host.end_stale(1, end, 4, seconds);
            assert_eq!(told, Some("hold_superseded"), "{end:?}");
        }
        assert_eq!((host.wallet.clone(), host.ledger.len()), before);
        if seconds == 3 {
            assert_eq!(host.settle(1, 4, 3), "fresh");
        }
    }
    assert_eq!(host.wallet.balance().spent, credits(4));
    assert_eq!(host.hold(1, 4, 60, 5), "settled");
}

#[test]
fn c4_a_hold_that_ran_out_for_nothing_frees_its_key_and_is_charged_once() {
    // Late, but first.
    let mut late = host(LateSettle::Available);
    assert_eq!(late.hold(1, 4, 10, 0), "fresh");
    assert_eq!(late.settle(1, 4, 12), "fresh");
    assert_eq!(late.hold(1, 4, 10, 13), "settled");

    // After the second attempt has begun, the late settlement of the first is refused.
    let mut late = host(LateSettle::Available);
    assert_eq!(late.hold(1, 4, 10, 0), "fresh");
    assert_eq!(late.hold(1, 4, 10, 9), "pending");
    assert_eq!(late.hold(1, 4, 10, 10), "fresh");
    assert_eq!(
        late.end_stale(1, End::Settle, 4, 11),
        Some("hold_superseded")
    );
    assert_eq!(late.settle(1, 3, 11), "fresh");
    assert_eq!(
        late.end_stale(1, End::Settle, 3, 12),
        Some("hold_superseded")
    );
    assert_eq!(late.wallet.balance().spent, credits(3));
}

#[test]
fn c4_a_hold_that_charged_something_keeps_its_key() {
    for ends_by_time in [false, true] {
        let mut host = host(LateSettle::Refuse);
        assert_eq!(host.hold(1, 4, 10, 0), "fresh");
        assert_eq!(host.draw(1, 1, 1), "fresh");
        if ends_by_time {
            assert_eq!(host.hold(1, 4, 10, 20), "expired");
        } else {
            assert_eq!(host.release(1, 2), "fresh");
            assert_eq!(host.hold(1, 4, 10, 20), "released");
        }
        // What was given back was charged all the same.
        assert_eq!(host.refund(1, 1, 21), "fresh");
        assert_ne!(host.hold(1, 4, 10, 22), "fresh");
    }
}

#[test]
fn c4_a_refused_attempt_leaves_the_key_free() {
    let mut host = host(LateSettle::Refuse);
    assert_eq!(host.hold(1, 8, 60, 0), "fresh");
    assert_eq!(host.release(1, 1), "fresh");
    assert_eq!(host.deduct(2, 5, 2), "fresh");
    assert_eq!(host.hold(1, 8, 60, 3), "credits_insufficient");
    let more = GrantTerms::forever(credits(10));
    assert_eq!(host.grant("second", more, 4), "fresh");
    assert_eq!(host.hold(1, 8, 60, 5), "fresh");
    assert_eq!(host.holds[&1].attempt(), 2);
}

/// A row from before there were attempts is that of a first one, and a first one is written as then.
#[test]
fn c4_outcomes_from_before_are_read_as_first_attempts() {
    let mut host = host(LateSettle::Refuse);
    assert_eq!(host.hold(1, 4, 60, 0), "fresh");
    let stored = serde_json::to_string(&(prior(&host), &host.wallet, &host.ledger)).unwrap();
    assert!(!stored.contains("attempt"), "{stored}");
    assert_eq!(
        (prior(&host).attempt(), host.wallet.holds()[0].attempt),
        (1, 1)
    );

    assert_eq!(host.release(1, 1), "fresh");
    assert_eq!(host.hold(1, 4, 60, 2), "fresh");
    let stored = serde_json::to_string(&(prior(&host), &host.wallet)).unwrap();
    assert_eq!(stored.matches(r#""attempt":2"#).count(), 2, "{stored}");
}

/// The wrong order of reading: the outcome of the first attempt beside the wallet of the second.
#[test]
fn c3_an_outcome_that_is_older_than_the_wallet_ends_no_later_attempt() {
    let mut host = host(LateSettle::Refuse);
    assert_eq!(host.hold(1, 4, 10, 0), "fresh");
    let outdated = prior(&host);
    assert_eq!(host.hold(1, 4, 10, 10), "fresh");

    let stale = &host.stale[&1];
    let mismatch = |error: &WalletError| error.to_string().contains("wallet and the outcome");
    let settled = host
        .wallet
        .clone()
        .settle(stale, credits(1), Some(&outdated), at(11));
    assert!(matches!(settled, Err(SettleError::Wallet(error)) if mismatch(&error)));
    let released = host.wallet.clone().release(stale, Some(&outdated), at(11));
    assert!(matches!(released, Err(ReleaseError::Wallet(error)) if mismatch(&error)));

    // And the hold of the second does not belong to the outcome of the first.
    let own = &host.holds[&1];
    let settled = host
        .wallet
        .clone()
        .settle(own, credits(1), Some(&outdated), at(11));
    assert!(matches!(settled, Err(SettleError::Wallet(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However often a call fails, its key is charged once, by the attempt that succeeds.
    #[test]
    fn c3_attempts_follow_one_another_and_one_of_them_is_charged(
        ends in prop::collection::vec(any::<bool>(), 0..8),
        cost in 0_i64..=4,
    ) {
        let mut host = host(LateSettle::Refuse);
        let mut now = 0;
        for (number, released) in ends.iter().enumerate() {
            prop_assert_eq!(host.hold(1, 4, 10, now), "fresh");
            prop_assert_eq!(usize::try_from(host.holds[&1].attempt()).unwrap(), number + 1);
            if *released {
                prop_assert_eq!(host.release(1, now + 1), "fresh");
                now += 1;
            } else {
                now += 10;
            }
        }
        prop_assert_eq!(host.hold(1, 4, 10, now), "fresh");
        prop_assert_eq!(host.settle(1, cost, now + 1), "fresh");
        prop_assert_eq!(host.wallet.balance().spent, credits(cost));
        prop_assert_eq!(host.wallet.balance().held, credits(0));
    }
}
