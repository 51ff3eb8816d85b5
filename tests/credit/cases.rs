//! The awkward cases of credit, each decided and named; the ledger replayed; a wallet explained;
//! allowances.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::support::host::{ACCOUNT, Host, cause, credit_policy, key, month, prices};
use crate::support::{at, credits, operator, operator_of};
use bailiwick::change::{Answer, RowError};
use bailiwick::credit::{
    Allowance, AllowanceError, Balance, Cause, CauseKind, DeductRequest, Event, GrantError,
    GrantTerms, HoldError, HoldRequest, LedgerEntry, LedgerError, LedgerFault, LedgerStatement,
    Outcome, PriceList, RefundError, RevokeError, Rollover, WalletError,
};
use bailiwick::gate::{Denial, Operator};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use bailiwick::right::Privilege;
use bailiwick::subscription::{Command, Effect, RecordedPayment, Transition};
use bailiwick::{Credits, Problem, Subscription, Wallet};
use chrono::TimeDelta;
use proptest::prelude::*;

fn living(amount: i64, until: i64) -> GrantTerms {
    GrantTerms {
        expires_at: Some(at(until)),
        ..GrantTerms::forever(credits(amount))
    }
}

fn late(late_settle: LateSettle) -> Host {
    Host::under(CreditPolicy {
        late_settle,
        ..credit_policy(Overage::Reject)
    })
}

fn balance(host: &Host, now: i64) -> Balance {
    host.wallet.balance_at(at(now)).unwrap()
}

fn receipt(host: &Host, number: u8) -> serde_json::Value {
    serde_json::to_value(host.prior(&Outcome::spend_key(&key(number))).unwrap()).unwrap()["state"]["receipt"].clone()
}

// Late settlements.

#[test]
fn c3_a_late_settlement_is_refused_unless_the_policy_says_otherwise() {
    let mut host = late(LateSettle::Refuse);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    host.hold(1, 4, 10, 0);
    assert_eq!(host.settle(1, 4, 10), "hold_expired");
    assert_eq!(balance(&host, 10).free, credits(10));
}

#[test]
fn c3_a_late_settlement_is_a_new_charge_once_and_within_its_grace() {
    for (policy, now, cost, answer, charged) in [
        (LateSettle::Available, 10, 4, "fresh", 4),
        (LateSettle::Available, 14, 25, "fresh", 10),
        (LateSettle::Available, 15, 4, "hold_expired", 0),
        (LateSettle::Debt(credits(5)), 12, 13, "fresh", 13),
        (
            LateSettle::Debt(credits(5)),
            12,
            16,
            "credits_insufficient",
            0,
        ),
    ] {
        let mut host = late(policy);
        host.grant("first", GrantTerms::forever(credits(10)), 0);
        host.hold(1, 4, 10, 0);
        assert_eq!(host.settle(1, cost, now), answer, "{policy:?} at {now}");
        assert_eq!(balance(&host, now).spent, credits(charged), "{policy:?}");
        if answer == "fresh" {
            // It is linked to the hold, and done once: the same key answers from now on.
            assert!(
                matches!(&host.ledger.last().unwrap().event, Event::SettledLate { hold, .. } if *hold == key(1))
            );
            assert_eq!(host.settle(1, cost, now + 100), "settled");
            assert_eq!(host.settle(1, cost + 1, now), "hold_settled");
            assert_eq!(host.hold(1, 4, 10, now), "settled");
            assert_eq!(receipt(&host, 1)["charged"], charged.to_string());
        }
    }
}

#[test]
fn c3_a_late_settlement_counts_what_was_drawn_in_time() {
    let mut host = late(LateSettle::Available);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    host.hold(1, 8, 10, 0);
    assert_eq!(host.draw(1, 5, 3), "fresh");
    assert_eq!(
        balance(&host, 10),
        Balance {
            free: credits(5),
            spent: credits(5),
            ..balance(&host, 10)
        }
    );
    assert_eq!(host.settle(1, 4, 11), "less_than_drawn");
    assert_eq!(host.settle(1, 7, 11), "fresh");
    assert_eq!(balance(&host, 11).spent, credits(7));
    assert_eq!(receipt(&host, 1)["charged"], "7");
}

// Two reads that see two moments, as under READ COMMITTED: the wallet from before a hold, its
// outcome from after.

#[test]
fn c4_an_open_hold_is_pending_even_if_the_wallet_was_read_before_it() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    let before = host.wallet.clone();
    assert_eq!(host.hold(1, 4, 10, 0), "fresh");
    let after = std::mem::replace(&mut host.wallet, before);
    assert_eq!(host.hold(1, 4, 10, 9), "pending");
    assert_eq!(host.hold(1, 4, 10, 10), "expired");
    host.wallet = after;
    assert_eq!(host.hold(1, 4, 10, 9), "pending");
    assert_eq!(host.hold(1, 4, 10, 10), "expired");
}

// Draws.

#[test]
fn c3_draws_state_their_total_and_race_with_a_release() {
    let mut host = Host::new(Overage::Debt(credits(100)));
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    host.hold(1, 6, 100, 0);
    assert_eq!(host.draw(1, 2, 1), "fresh");
    assert_eq!(host.draw(1, 2, 1), "drawn", "the same draw again");
    assert_eq!(
        host.draw(1, 1, 1),
        "drawn",
        "an earlier one that comes late"
    );
    assert_eq!(host.draw(1, 6, 2), "fresh");
    assert_eq!(
        host.draw(1, 7, 2),
        "cost_exceeds_hold",
        "beyond the hold only a settlement goes"
    );
    assert_eq!(host.hold(2, 4, 100, 2), "fresh");
    assert_eq!(host.draw(2, 1, 2), "fresh");
    // Whichever comes first: a release gives back what was not drawn by then, and a draw after it
    // is refused.
    assert_eq!(host.release(2, 3), "fresh");
    assert_eq!(host.draw(2, 3, 3), "hold_released");
    assert_eq!(
        balance(&host, 3),
        Balance {
            free: credits(3),
            spent: credits(7),
            held: credits(0),
            ..balance(&host, 3)
        }
    );
    assert_eq!(host.settle(1, 6, 3), "fresh", "all of it was drawn");
    assert_eq!(balance(&host, 3).spent, credits(7));
}

#[test]
fn c3_settling_for_nothing_is_legal_and_gives_everything_back() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    host.hold(1, 6, 100, 0);
    assert_eq!(host.settle(1, 0, 1), "fresh");
    assert_eq!(balance(&host, 1).free, credits(10));
    assert_eq!(host.refund(1, 1, 1), "refund_invalid");
    assert_eq!(host.refund(1, 0, 1), "refunded");
}

// A grant that ends under a hold.

#[test]
fn c6_a_grant_that_expires_under_a_hold_can_still_be_settled_and_what_comes_back_lapses() {
    let mut host = Host::new(Overage::Reject);
    host.grant("short", living(10, 5), 0);
    host.hold(1, 8, 100, 0);
    assert_eq!(
        balance(&host, 6),
        Balance {
            expired: credits(2),
            held: credits(8),
            ..balance(&host, 6)
        }
    );
    assert_eq!(host.draw(1, 1, 6), "fresh");
    assert_eq!(host.settle(1, 5, 7), "fresh");
    assert_eq!(
        balance(&host, 7),
        Balance {
            expired: credits(5),
            spent: credits(5),
            ..balance(&host, 7)
        }
    );
}

// Refunds.

#[test]
fn c9_refunds_state_their_total_and_never_exceed_the_charge() {
    let mut host = Host::new(Overage::Cap);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    host.hold(1, 6, 100, 0);
    assert_eq!(
        host.refund(1, 1, 0),
        "refund_invalid",
        "it is not settled yet"
    );
    // It cost nine, and six were charged.
    host.settle(1, 9, 1);
    assert_eq!(host.refund(1, 2, 2), "fresh");
    assert_eq!(host.refund(1, 2, 2), "refunded", "the same again");
    assert_eq!(host.refund(1, 7, 2), "refund_invalid");
    assert_eq!(host.refund(1, 6, 2), "fresh");
    let now = balance(&host, 2);
    assert_eq!(
        (now.free, now.spent, now.granted),
        (credits(10), credits(6), credits(16)),
        "what was spent stays spent"
    );
    // What was released has nothing to give back, and neither has a grant.
    host.hold(2, 1, 100, 2);
    host.release(2, 2);
    assert_eq!(host.refund(2, 1, 2), "refund_invalid");
    let granted = host.prior("grant/promotion/first").unwrap();
    let refused = host
        .wallet
        .clone()
        .refund(&host.policy, credits(1), &granted, at(2));
    assert_eq!(refused.unwrap_err(), RefundError::NotSettled);
    let foreign = Wallet::open(8.into(), at(0)).refund(&host.policy, credits(1), &granted, at(2));
    assert_eq!(
        foreign.unwrap_err(),
        RefundError::Wallet(WalletError::Row(RowError::Mismatch {
            left: "wallet",
            right: "outcome"
        }))
    );
}

/// It lives as long as the longest of the credits that had paid, and at least as long as the policy
/// says: six seconds.
#[test]
fn c9_a_refund_lives_on_when_its_grant_has_expired() {
    for (ends, refunded_at, lives_until) in
        [(100, 10, Some(100)), (5, 10, Some(16)), (12, 10, Some(16))]
    {
        let mut host = Host::new(Overage::Reject);
        host.grant("short", living(10, ends), 0);
        host.hold(1, 4, 100, 0);
        host.settle(1, 4, 1);
        assert_eq!(host.refund(1, 4, refunded_at), "fresh");
        let grant = host.prior(&Outcome::spend_key(&key(1))).unwrap();
        assert!(
            serde_json::to_string(&grant)
                .unwrap()
                .contains(r#""refunded":"4""#)
        );
        let Event::Granted { grant } = &host.ledger.last().unwrap().event else {
            panic!("a grant is last")
        };
        assert_eq!(
            (grant.cause, grant.expires_at),
            (CauseKind::Refund, lives_until.map(at))
        );
    }
    // Of two that paid, one lives for ever.
    let mut host = Host::new(Overage::Reject);
    host.grant("short", living(3, 50), 0);
    host.grant("long", GrantTerms::forever(credits(3)), 0);
    host.deduct(1, 5, 0);
    host.refund(1, 1, 1);
    assert!(
        matches!(&host.ledger.last().unwrap().event, Event::Granted { grant } if grant.expires_at.is_none())
    );
}

#[test]
fn c9_a_refund_repays_debt_first() {
    let mut host = Host::new(Overage::Debt(credits(20)));
    host.grant("first", GrantTerms::forever(credits(5)), 0);
    host.hold(1, 5, 100, 0);
    host.settle(1, 15, 1);
    assert_eq!(balance(&host, 1).debt, credits(10));
    assert_eq!(host.refund(1, 12, 2), "fresh");
    assert_eq!(
        (balance(&host, 2).debt, balance(&host, 2).free),
        (credits(0), credits(2))
    );
}

// Revocations.

#[test]
fn c1_a_revocation_takes_what_is_left_and_never_goes_below_zero() {
    let mut host = Host::new(Overage::Reject);
    host.grant("fraud", GrantTerms::forever(credits(10)), 0);
    host.deduct(1, 4, 0);
    assert_eq!(host.revoke("grant/promotion/fraud", 1), "fresh");
    let now = balance(&host, 1);
    assert_eq!(
        (now.free, now.revoked, now.spent, now.debt),
        (credits(0), credits(6), credits(4), credits(0))
    );
    assert_eq!(host.revoke("grant/promotion/fraud", 2), "revoked");
    assert_eq!(host.revoke("grant/promotion/unknown", 2), "not_found");
    // A grant that is scheduled never takes effect.
    let terms = GrantTerms {
        effective_at: Some(at(50)),
        ..GrantTerms::forever(credits(3))
    };
    host.grant("later", terms, 2);
    assert_eq!(host.revoke("grant/promotion/later", 3), "fresh");
    let later = balance(&host, 60);
    assert_eq!(
        (later.scheduled, later.free, later.revoked),
        (credits(0), credits(0), credits(9))
    );
}

#[test]
fn c6_what_holds_pin_of_a_revoked_grant_is_spent_if_settled_else_revoked() {
    let mut host = Host::new(Overage::Reject);
    host.grant("short", living(10, 20), 0);
    for (number, units) in [(1, 3), (2, 4)] {
        host.hold(number, units, 100, 0);
    }
    assert_eq!(host.revoke("grant/promotion/short", 1), "fresh");
    assert_eq!(
        balance(&host, 1),
        Balance {
            revoked: credits(3),
            held: credits(7),
            free: credits(0),
            ..balance(&host, 1)
        }
    );
    assert_eq!(host.settle(1, 2, 2), "fresh");
    // Even though the grant has expired by then.
    assert_eq!(host.release(2, 30), "fresh");
    let now = balance(&host, 30);
    assert_eq!(
        (now.spent, now.revoked, now.expired),
        (credits(2), credits(8), credits(0))
    );
}

#[test]
fn a_revocation_needs_the_privilege_and_another_account() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    let id = "grant/promotion/first";
    let revoke = |operator: &Operator| {
        host.wallet
            .clone()
            .revoke(operator, id, None, at(1))
            .map(|_| ())
    };
    let denied = RevokeError::Denied(Denial::PrivilegeMissing(Privilege::GrantCredits));
    assert_eq!(revoke(&operator(Privilege::ConfirmPayments)), Err(denied));
    assert_eq!(
        revoke(&operator_of(ACCOUNT, Privilege::GrantCredits)),
        Err(RevokeError::Denied(Denial::OwnAccount))
    );
    assert_eq!(revoke(&operator(Privilege::GrantCredits)), Ok(()));
}

// Months: upgrades and rollover.

fn paid(start: i64) -> Transition {
    let new = Subscription::new(
        9.into(),
        ACCOUNT.into(),
        1.into(),
        PaymentMethod::BankTransfer,
        at(start),
    );
    let method = PaymentMethod::BankTransfer;
    let payment = RecordedPayment {
        interval: Interval::MONTHLY,
        slack: TimeDelta::zero(),
        method,
        external_id: None,
    };
    new.record_payment(payment, at(start)).unwrap()
}

fn grant(host: &mut Host, cause: &Cause, terms: GrantTerms, now: i64) -> Option<Credits> {
    let prior = host.prior(cause.key());
    match host
        .wallet
        .clone()
        .grant(cause, terms, prior.as_ref(), at(now))
        .unwrap()
    {
        Answer::Fresh(change) => Some(host.write(change).amount),
        Answer::Replayed(_) => None,
    }
}

#[test]
fn b3_an_upgrade_grants_the_difference_once_and_a_downgrade_refills_nothing() {
    let mut host = Host::new(Overage::Reject);
    let paid = paid(0);
    let month = paid.subscription().current_period.unwrap();
    let first = Cause::month(&paid, month).unwrap();
    assert_eq!(
        grant(&mut host, &first, GrantTerms::month(credits(100), month), 0),
        Some(credits(100))
    );
    host.deduct(1, 90, 1);

    let upgraded = paid
        .subscription()
        .clone()
        .apply(Command::ChangePlan { plan: 2.into() }, at(2))
        .unwrap();
    let again = Cause::month(&upgraded, month).unwrap();
    assert_eq!(again.key(), first.key());
    assert_eq!(
        grant(&mut host, &again, GrantTerms::month(credits(250), month), 2),
        Some(credits(250))
    );
    assert_eq!(balance(&host, 2).free, credits(160));
    // Down, and up again; the same once more; and the month's first grant, repeated.
    for amount in [100, 250, 250, 100, 0] {
        assert_eq!(
            grant(
                &mut host,
                &again,
                GrantTerms::month(credits(amount), month),
                3
            ),
            None,
            "{amount}"
        );
    }
    assert_eq!(
        grant(&mut host, &again, GrantTerms::month(credits(300), month), 4),
        Some(credits(300))
    );
    assert_eq!(balance(&host, 4).granted, credits(300));
    // All of it ends with the month.
    let end = month.end.timestamp() - at(0).timestamp();
    assert_eq!(balance(&host, end).free, credits(0));
    assert_eq!(balance(&host, end).expired, credits(210));
    // A month that the plan change did not open is no cause.
    let other = Period {
        start: month.end,
        end: month.end + TimeDelta::try_days(30).unwrap(),
    };
    assert_eq!(Cause::month(&upgraded, other), None);
}

/// `min(maximum, max(minimum, left))`, once the month before has ended.
#[test]
fn c5_what_a_month_had_left_rolls_over_within_its_bounds() {
    for (spent, minimum, maximum, rolled) in [
        (30, 0, 50, 50),
        (80, 0, 50, 20),
        (95, 10, 50, 10),
        (100, 0, 50, 0),
    ] {
        for early in [true, false] {
            let mut host = Host::new(Overage::Reject);
            let first = paid(0);
            let month = first.subscription().current_period.unwrap();
            let end = month.end.timestamp() - at(0).timestamp();
            let cause = Cause::month(&first, month).unwrap();
            grant(&mut host, &cause, GrantTerms::month(credits(100), month), 0);
            host.deduct(1, spent, 1);

            let method = PaymentMethod::BankTransfer;
            let slack = TimeDelta::try_days(3).unwrap();
            let payment = RecordedPayment {
                interval: Interval::MONTHLY,
                slack,
                method,
                external_id: None,
            };
            // Paid a day early the next month is scheduled, paid a day late it begins at once.
            let day = if early { -86_400 } else { 86_400 };
            let second = first
                .subscription()
                .clone()
                .record_payment(payment, at(end + day))
                .unwrap();
            let next = second.effects().find_map(|effect| match effect {
                Effect::CreditsDue { period, .. } => Some(*period),
                _ => None,
            });
            let next = next.unwrap();
            assert_eq!(next.start, month.end);
            let rollover = Rollover {
                from: Cause::month_key(&9.into(), month).into(),
                minimum: credits(minimum),
                maximum: credits(maximum),
            };
            let terms = GrantTerms {
                rollover: Some(rollover),
                ..GrantTerms::month(credits(100), next)
            };
            grant(
                &mut host,
                &Cause::month(&second, next).unwrap(),
                terms,
                end + day,
            );

            let later = balance(&host, end + 2 * 86_400);
            assert_eq!(
                later.free,
                credits(100 + rolled),
                "{spent} {minimum} {maximum} {early}"
            );
            assert_eq!(later.expired, credits(100 - i64::try_from(spent).unwrap()));
            assert_eq!(later.granted, credits(200 + rolled));
            // And only once.
            host.wallet = host
                .wallet
                .clone()
                .advance(at(end + 3 * 86_400))
                .map(|change| {
                    host.write(change);
                    host.wallet.clone()
                })
                .unwrap();
            assert_eq!(
                balance(&host, end + 3 * 86_400).granted,
                credits(200 + rolled)
            );
        }
    }
}

// Amounts at the limits.

#[test]
fn c11_sums_beyond_the_range_are_refused_and_change_nothing() {
    let most: Credits = "1000000000000".parse().unwrap();
    let mut host = Host::new(Overage::Debt(most));
    assert_eq!(host.grant("all", GrantTerms::forever(most), 0), "fresh");
    assert_eq!(
        host.grant("more", GrantTerms::forever("0.000001".parse().unwrap()), 0),
        "amount_overflow"
    );
    assert_eq!(host.hold(1, 1_000_000_000_000, 10, 0), "fresh");
    let prior = host.prior(&Outcome::spend_key(&key(1)));
    let tiny = "0.000001".parse().unwrap();
    let settled = host
        .wallet
        .clone()
        .settle(&host.holds[&1], tiny, prior.as_ref(), at(1))
        .unwrap();
    let Answer::Fresh(change) = settled else {
        panic!("settled before")
    };
    assert_eq!(
        change.wallet().balance().free.to_string(),
        "999999999999.999999"
    );
    assert_eq!(host.wallet.balance().held, most);
}

/// A rollover is due by time alone. One that no sum can hold must not keep every later command from
/// the wallet.
#[test]
fn c11_what_rolls_over_stops_at_the_end_of_the_range() {
    let mut host = Host::new(Overage::Reject);
    let (january, february) = (month(0).unwrap(), month(1).unwrap());
    host.grant_for(&january.0, GrantTerms::month(credits(10), january.1), 0);
    let rollover = Some(Rollover {
        from: january.0.key().into(),
        minimum: credits(0),
        maximum: credits(10),
    });
    host.grant_for(
        &february.0,
        GrantTerms {
            rollover,
            ..GrantTerms::month(credits(10), february.1)
        },
        0,
    );
    let most: Credits = "999999999973".parse().unwrap();
    assert_eq!(host.grant("all", GrantTerms::forever(most), 0), "fresh");
    let later = february.1.start.timestamp() - at(0).timestamp();
    assert_eq!(host.hold(1, 1, 10, later - 5), "fresh");
    let now = balance(&host, later);
    assert_eq!(
        (now.granted, now.expired),
        ("1000000000000".parse().unwrap(), credits(9)),
        "seven of nine roll over"
    );
    assert_eq!(host.settle(1, 1, later), "fresh");
}

// The ledger.

fn busy_ledger() -> Host {
    let mut host = Host::under(CreditPolicy {
        late_settle: LateSettle::Available,
        ..credit_policy(Overage::Debt(credits(50)))
    });
    host.grant("first", living(40, 30), 0);
    host.grant(
        "second",
        GrantTerms {
            effective_at: Some(at(8)),
            ..GrantTerms::forever(credits(30))
        },
        0,
    );
    host.hold(1, 10, 5, 0);
    host.hold(2, 20, 100, 1);
    host.draw(2, 5, 2);
    host.settle(2, 70, 3);
    host.settle(1, 3, 6);
    host.grant("third", living(50, 60), 9);
    host.hold(3, 12, 100, 10);
    host.revoke("grant/promotion/third", 11);
    host.release(3, 12);
    host.refund(2, 5, 13);
    host.deduct(4, 1, 70);
    host
}

#[test]
fn c7_a_ledger_replays_to_the_stored_wallet_from_every_prefix() {
    let host = busy_ledger();
    assert!(host.ledger.len() > 15);
    let replayed = Wallet::replay(&ACCOUNT.into(), host.ledger.clone()).unwrap();
    assert!(replayed.equals_but_for_version(&host.wallet));
    for length in 0..=host.ledger.len() {
        let prefix = Wallet::replay(&ACCOUNT.into(), host.ledger[..length].to_vec()).unwrap();
        let expected = host.ledger[..length].last().map(|entry| entry.balance);
        assert_eq!(expected.unwrap_or(prefix.balance()), prefix.balance());
        // And it is a wallet that a store could hold, but for the moment before a debt is repaid.
        let (free, debt) = (prefix.balance().free, prefix.balance().debt);
        if free.is_zero() || debt.is_zero() {
            let text = serde_json::to_string(&prefix).unwrap();
            assert_eq!(serde_json::from_str::<Wallet>(&text).unwrap(), prefix);
        }
    }
}

#[test]
fn c7_the_first_wrong_entry_of_a_damaged_ledger_is_named() {
    let host = busy_ledger();
    let fault = |damage: &dyn Fn(&mut Vec<LedgerEntry>)| {
        let mut ledger = host.ledger.clone();
        damage(&mut ledger);
        let error = Wallet::replay(&ACCOUNT.into(), ledger).unwrap_err();
        assert_eq!(Problem::from(error).status(), 500);
        (error.sequence, error.fault)
    };
    assert_eq!(
        fault(&|ledger| drop(ledger.remove(3))),
        (4, LedgerFault::Sequence)
    );
    assert_eq!(
        fault(&|ledger| ledger.insert(5, ledger[4].clone())),
        (6, LedgerFault::Sequence)
    );
    assert_eq!(
        fault(&|ledger| ledger.swap(6, 7)),
        (7, LedgerFault::Sequence)
    );
    assert_eq!(
        fault(&|ledger| ledger[2].account = 8.into()),
        (3, LedgerFault::Account)
    );
    assert_eq!(
        fault(&|ledger| ledger[9].at = at(-1)),
        (10, LedgerFault::Time)
    );
    assert_eq!(
        fault(&|ledger| ledger[8].balance.free = credits(999)),
        (9, LedgerFault::Balance)
    );
    assert_eq!(
        fault(&|ledger| ledger[2].event = ledger[0].event.clone()),
        (3, LedgerFault::Event)
    );
    let error = LedgerError {
        sequence: 4,
        fault: LedgerFault::Sequence,
    };
    assert_eq!(
        error.to_string(),
        "entry 4 of the ledger is wrong: its number does not follow the one before"
    );
}

proptest! {
    /// Any single change to any entry's amounts or times is found, or leads to the same wallet.
    #[test]
    fn c7_no_damaged_amount_goes_unnoticed(place in 0..12_usize, micros in 1..5_000_000_i64, part in 0..4_u8) {
        let host = busy_ledger();
        let mut ledger = host.ledger.clone();
        let balance = &mut ledger[place].balance;
        let field = match part {
            0 => &mut balance.free,
            1 => &mut balance.spent,
            2 => &mut balance.granted,
            _ => &mut balance.held,
        };
        *field = field.checked_add(Credits::from_micros(micros).unwrap()).unwrap();
        let error = Wallet::replay(&ACCOUNT.into(), ledger).unwrap_err();
        prop_assert_eq!(error, LedgerError { sequence: place as u64 + 1, fault: LedgerFault::Balance });
    }
}

// A wallet explained.

#[test]
fn a_refusal_says_when_there_is_enough() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", living(10, 50), 0);
    host.grant(
        "second",
        GrantTerms {
            effective_at: Some(at(30)),
            ..GrantTerms::forever(credits(8))
        },
        0,
    );
    host.hold(1, 7, 20, 0);
    let covered = |amount: i64| host.wallet.covered_at(credits(amount), at(1)).unwrap();
    assert_eq!(covered(3), Some(at(1)));
    assert_eq!(covered(10), Some(at(20)), "when the hold runs out");
    assert_eq!(
        covered(18),
        Some(at(30)),
        "when the second takes effect, before the first expires"
    );
    assert_eq!(covered(19), None);
    let refused = host
        .wallet
        .check(&host.access, &prices().quote("unit", 12).unwrap(), at(1))
        .unwrap_err();
    assert!(
        matches!(refused, HoldError::Insufficient { covered_at: Some(when), .. } if when == at(30))
    );
    assert!(
        refused
            .to_string()
            .contains("and 3 are available; enough will be there at 2027-01-15T08:00:30Z"),
        "{refused}"
    );
}

#[test]
fn a_statement_adds_up_and_reads_as_a_table() {
    let host = busy_ledger();
    let (before, lines): (Vec<_>, Vec<_>) = host
        .ledger
        .iter()
        .cloned()
        .partition(|entry| entry.at < at(2));
    let lines: Vec<LedgerEntry> = lines
        .into_iter()
        .filter(|entry| entry.at < at(14))
        .collect();
    let period = Period {
        start: at(2),
        end: at(14),
    };
    let statement = LedgerStatement::new(before.last(), lines.clone(), period).unwrap();
    assert_eq!(statement.opening(), before.last().unwrap().balance);
    assert_eq!(statement.closing(), lines.last().unwrap().balance);
    let net = |balance: &Balance| balance.free.micros() - balance.debt.micros();
    let sum: i64 = statement.lines().map(|(_, change)| change).sum();
    assert_eq!(net(&statement.opening()) + sum, net(&statement.closing()));

    let text = statement.to_string();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), lines.len() + 2);
    assert!(
        rows[0].starts_with("2027-01-15 08:00:02  opening") && rows[0].ends_with(" 10"),
        "{text}"
    );
    assert!(text.contains("settled request-2: 70"), "{text}");
    assert!(
        rows.last()
            .unwrap()
            .starts_with("2027-01-15 08:00:14  closing"),
        "{text}"
    );
    assert!(
        rows.iter().all(|row| row.len() == rows[0].len()),
        "the columns line up:\n{text}"
    );

    for damage in [
        |lines: &mut Vec<LedgerEntry>| drop(lines.remove(1)),
        |lines: &mut Vec<LedgerEntry>| lines[1].account = 8.into(),
        |lines: &mut Vec<LedgerEntry>| lines[1].at = at(99),
        |lines: &mut Vec<LedgerEntry>| lines[1].balance.free = credits(999),
    ] {
        let mut damaged = lines.clone();
        damage(&mut damaged);
        let error = LedgerStatement::new(before.last(), damaged, period).unwrap_err();
        assert_eq!(error.sequence, lines[1].sequence);
    }
    assert!(
        LedgerStatement::new(None, lines, period).is_err(),
        "without what came before it does not add up"
    );
}

// Prices.

#[test]
fn c11_tiers_charge_each_unit_at_its_own_price() {
    let list = |tiers: &str| {
        let json = format!(
            r#"{{ "x": {{ "base": "1", "tiers": {tiers}, "per_unit": "0.1", "minimum": "2" }} }}"#
        );
        serde_json::from_str::<PriceList>(&json)
    };
    let prices =
        list(r#"[{ "up_to": 10, "per_unit": "1" }, { "up_to": 100, "per_unit": "0.5" }]"#).unwrap();
    for quantity in [0, 1, 9, 10, 11, 99, 100, 101, 1000] {
        let price = |unit: u64| {
            if unit <= 10 {
                10
            } else if unit <= 100 {
                5
            } else {
                1
            }
        };
        let tenths: u64 = 10 + (1..=quantity).map(price).sum::<u64>();
        let expected = (tenths * 100_000).max(2_000_000);
        assert_eq!(
            prices.quote("x", quantity).unwrap().price().micros(),
            i64::try_from(expected).unwrap(),
            "{quantity}"
        );
    }
    assert_eq!(
        prices.quote("x", 101).unwrap().to_string(),
        "x: 1 + 10 * 1 + 90 * 0.5 + 1 * 0.1 = 56.1 credits"
    );
    assert_eq!(
        prices.quote("x", 0).unwrap().to_string(),
        "x: 1 = 2 credits (the minimum)"
    );
    for unsound in [
        r#"[{ "up_to": 10, "per_unit": "1" }, { "up_to": 10, "per_unit": "1" }]"#,
        r#"[{ "up_to": 0, "per_unit": "1" }]"#,
        r#"[{ "up_to": 5, "per_unit": "-1" }]"#,
    ] {
        assert!(list(unsound).is_err(), "{unsound}");
    }
}

// Allowances.

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

/// After a crash the hold expires: the last checkpoint is spent, the rest comes back.
#[test]
fn a_crash_loses_no_more_than_what_was_drawn_since_the_checkpoint() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(100)), 0);
    host.hold(1, 50, 100, 0);
    let allowance = Allowance::of(
        host.holds.remove(&1).unwrap(),
        Credits::ZERO,
        TimeDelta::zero(),
    );
    for second in 1..=20 {
        allowance.spend(credits(1), at(second)).unwrap();
        if second == 15 {
            let prior = host.prior(&Outcome::spend_key(&key(1)));
            let drawn = host
                .wallet
                .clone()
                .draw(
                    allowance.hold(),
                    allowance.drawn(),
                    prior.as_ref(),
                    at(second),
                )
                .unwrap();
            let Answer::Fresh(change) = drawn else {
                panic!("drawn before")
            };
            assert_eq!(host.write(change), credits(15));
        }
    }
    drop(allowance);
    let after = balance(&host, 100);
    assert_eq!(
        (after.spent, after.free, after.held),
        (credits(15), credits(85), credits(0))
    );
}

#[test]
fn an_allowance_goes_on_from_what_was_drawn_before() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(100)), 0);
    host.hold(1, 10, 100, 0);
    host.draw(1, 6, 1);
    let allowance = Allowance::of(
        host.holds.remove(&1).unwrap(),
        credits(6),
        TimeDelta::zero(),
    );
    assert_eq!(allowance.left(), credits(4));
    assert!(allowance.spend(credits(5), at(2)).is_err());
    assert_eq!(allowance.spend(credits(4), at(2)), Ok(credits(10)));
}

// What a hostile review found.

#[test]
fn what_was_drawn_stays_charged_is_told_and_can_be_given_back() {
    for ended_by_release in [true, false] {
        let mut host = Host::new(Overage::Reject);
        host.grant("first", GrantTerms::forever(credits(10)), 0);
        host.hold(1, 8, 10, 0);
        host.draw(1, 4, 1);
        assert_eq!(
            host.refund(1, 1, 1),
            "refund_invalid",
            "its hold is still open"
        );
        if ended_by_release {
            host.release(1, 2);
            assert_eq!(host.release(1, 3), "released");
        }
        assert_eq!(
            host.draw(1, 4, 20),
            "drawn",
            "a draw whose answer was lost is answered again"
        );
        assert_eq!(
            host.draw(1, 5, 20),
            if ended_by_release {
                "hold_released"
            } else {
                "hold_expired"
            }
        );
        let request = HoldRequest {
            key: key(1),
            quote: prices().quote("unit", 8).unwrap(),
            time_to_live: TimeDelta::try_seconds(10).unwrap(),
            fingerprint: None,
        };
        let prior = host.prior(&Outcome::spend_key(&key(1)));
        let again = host
            .wallet
            .clone()
            .hold(&host.access, &request, prior.as_ref(), at(20))
            .unwrap();
        let Answer::Replayed(replayed) = again else {
            panic!("held twice")
        };
        let told = replayed.receipt().unwrap_err().to_string();
        assert!(
            told.ends_with("was charged 4 credits for what was done"),
            "{told}"
        );
        assert_eq!(host.refund(1, 5, 20), "refund_invalid");
        assert_eq!(host.refund(1, 4, 20), "fresh");
        assert_eq!(host.refund(1, 4, 20), "refunded");
        assert_eq!(balance(&host, 20).free, credits(10));
        if !ended_by_release {
            // It is settled late for what was drawn, whatever the policy says: nothing new is
            // charged.
            assert_eq!(host.settle(1, 5, 500), "hold_expired");
            assert_eq!(host.settle(1, 4, 500), "fresh");
            assert_eq!(
                host.refund(1, 4, 500),
                "refunded",
                "and what was given back is not given back again"
            );
            assert_eq!(
                (balance(&host, 500).spent, balance(&host, 500).free),
                (credits(4), credits(10))
            );
        }
    }
}

#[test]
fn c4_a_deduction_with_another_body_is_another_request() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(10)), 0);
    let request = |body: u8| DeductRequest {
        key: key(1),
        quote: prices().quote("unit", 1).unwrap(),
        fingerprint: Some([body; 32]),
    };
    let Answer::Fresh(change) = host
        .wallet
        .clone()
        .deduct(&host.access, &request(1), None, at(0))
        .unwrap()
    else {
        panic!("deducted before")
    };
    host.write(change);
    let prior = host.prior(&Outcome::spend_key(&key(1)));
    let again = |body| {
        host.wallet
            .clone()
            .deduct(&host.access, &request(body), prior.as_ref(), at(1))
    };
    assert!(matches!(again(1), Ok(Answer::Replayed(_))));
    assert_eq!(again(2).unwrap_err(), HoldError::KeyReused);
}

/// A refund lives as long as the longest of what paid, and what paid first may have been that.
#[test]
fn c9_what_was_drawn_first_may_live_the_longest() {
    let mut host = Host::new(Overage::Reject);
    host.grant(
        "long",
        GrantTerms {
            priority: 1,
            ..GrantTerms::forever(credits(5))
        },
        0,
    );
    host.grant(
        "short",
        GrantTerms {
            priority: 2,
            ..living(5, 50)
        },
        0,
    );
    host.hold(1, 10, 100, 0);
    host.draw(1, 5, 1);
    host.settle(1, 8, 2);
    host.refund(1, 1, 3);
    assert!(
        matches!(&host.ledger.last().unwrap().event, Event::Granted { grant } if grant.expires_at.is_none())
    );
}

#[test]
fn c1_nobody_grows_a_wallet_without_end() {
    let mut host = Host::new(Overage::Reject);
    host.grant("first", GrantTerms::forever(credits(1)), 0);
    let mut wallet = serde_json::to_value(&host.wallet).unwrap();
    let grant = wallet["grants"][0].clone();
    wallet["grants"] = (0..4096)
        .map(|number| {
            let mut grant = grant.clone();
            grant["grant"]["id"] = format!("grant/promotion/{number:04}").into();
            grant
        })
        .collect();
    (wallet["balance"]["granted"], wallet["balance"]["free"]) = ("4096".into(), "4096".into());
    host.wallet = serde_json::from_value(wallet).unwrap();
    assert_eq!(
        host.grant("more", GrantTerms::forever(credits(1)), 0),
        "too_many_grants"
    );
    host.deduct(1, 1, 0);
    assert_eq!(
        host.grant("more", GrantTerms::forever(credits(1)), 0),
        "fresh",
        "one was spent"
    );
    assert_eq!(host.refund(1, 1, 0), "too_many_grants");
}

// Rollover in awkward company.

fn rolling(from: &str, minimum: i64, maximum: i64) -> Option<Rollover> {
    let from = format!("grant/promotion/{from}").into();
    Some(Rollover {
        from,
        minimum: credits(minimum),
        maximum: credits(maximum),
    })
}

/// Both ways of looking, finely and at once, end in the same wallet.
fn ticked_alike(make: impl Fn() -> Host, until: i64) -> Balance {
    let (mut fine, mut coarse) = (make(), make());
    for second in 0..=until {
        let change = fine.wallet.clone().advance(at(second)).unwrap();
        fine.write(change);
    }
    let change = coarse.wallet.clone().advance(at(until)).unwrap();
    coarse.write(change);
    let events = |host: &Host| {
        host.ledger
            .iter()
            .map(|line| (line.at, line.event.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(events(&fine), events(&coarse));
    assert!(fine.wallet.equals_but_for_version(&coarse.wallet));
    coarse.wallet.balance()
}

/// The grant before is used up by a repayment at a boundary: what rolls over comes at that instant,
/// whoever looks.
#[test]
fn c5_a_repayment_can_make_a_rollover_due() {
    let make = || {
        let mut host = Host::new(Overage::Debt(credits(100)));
        host.grant("from", GrantTerms::forever(credits(10)), 0);
        host.hold(1, 10, 5, 0);
        host.hold(2, 0, 100, 0);
        assert_eq!(host.settle(2, 100, 0), "fresh");
        let terms = GrantTerms {
            effective_at: Some(at(1)),
            rollover: rolling("from", 5, 5),
            ..living(10, 60)
        };
        host.grant("next", terms, 0);
        host
    };
    let end = ticked_alike(make, 100);
    assert_eq!(
        (end.debt, end.expired, end.granted),
        (credits(75), credits(0), credits(25))
    );
}

/// All that is left of the month before is pinned when it ends: nothing rolls over but the minimum,
/// and at its end.
#[test]
fn c5_a_rollover_waits_for_the_end_of_what_is_pinned() {
    let make = || {
        let mut host = Host::new(Overage::Reject);
        host.grant("from", living(10, 20), 0);
        host.hold(1, 10, 50, 0);
        let terms = GrantTerms {
            rollover: rolling("from", 3, 9),
            ..living(10, 60)
        };
        host.grant("next", terms, 5);
        host
    };
    let end = ticked_alike(make, 40);
    assert_eq!(
        (end.free, end.held, end.granted),
        (credits(13), credits(10), credits(23))
    );
}

/// What a month had left rolls over once, however many grants name it.
#[test]
fn c5_what_is_left_rolls_over_once() {
    let mut host = Host::new(Overage::Reject);
    let paid = paid(0);
    let month = paid.subscription().current_period.unwrap();
    grant(
        &mut host,
        &Cause::month(&paid, month).unwrap(),
        GrantTerms::month(credits(100), month),
        0,
    );
    let end = month.end.timestamp() - at(0).timestamp();
    let from: std::sync::Arc<str> = Cause::month_key(&9.into(), month).into();
    let rollover = Rollover {
        from,
        minimum: Credits::ZERO,
        maximum: credits(500),
    };
    for id in ["a", "b"] {
        host.grant(
            id,
            GrantTerms {
                rollover: Some(rollover.clone()),
                ..GrantTerms::forever(credits(1))
            },
            end + 1,
        );
    }
    assert_eq!(balance(&host, end + 1).free, credits(102));
}

/// What an upgrade added rolls over with the rest of its month, and the month has not ended before
/// its last part has.
#[test]
fn c5_what_an_upgrade_added_rolls_over_too() {
    let mut host = Host::new(Overage::Reject);
    let paid = paid(0);
    let month = paid.subscription().current_period.unwrap();
    let terms = |amount| GrantTerms::month(credits(amount), month);
    grant(
        &mut host,
        &Cause::month(&paid, month).unwrap(),
        terms(100),
        0,
    );
    let upgraded = paid
        .subscription()
        .clone()
        .apply(Command::ChangePlan { plan: 2.into() }, at(2))
        .unwrap();
    for amount in [150, 180, 200, 250] {
        grant(
            &mut host,
            &Cause::month(&upgraded, month).unwrap(),
            terms(amount),
            2,
        );
    }
    host.deduct(1, 110, 3);
    let end = month.end.timestamp() - at(0).timestamp();
    let from = Cause::month_key(&9.into(), month).into();
    let rollover = Rollover {
        from,
        minimum: Credits::ZERO,
        maximum: credits(200),
    };
    host.grant(
        "next",
        GrantTerms {
            rollover: Some(rollover),
            ..GrantTerms::forever(credits(1))
        },
        4,
    );
    assert_eq!(
        balance(&host, end - 1).free,
        credits(141),
        "the month still lives"
    );
    assert_eq!(
        balance(&host, end).free,
        credits(141),
        "250 less 110 rolled over"
    );
    assert_eq!(balance(&host, end).expired, credits(140));
}

/// Time alone never fails: no identifier of a host's can meet that of what rolled over, and no sum
/// leaves the range.
#[test]
fn c5_a_rollover_never_fails() {
    let mut host = Host::new(Overage::Reject);
    host.grant("x/rollover", GrantTerms::forever(credits(1)), 0);
    let later = GrantTerms {
        effective_at: Some(at(10)),
        ..GrantTerms::forever(credits(1))
    };
    host.grant(
        "x",
        GrantTerms {
            rollover: rolling("none", 5, 5),
            ..later.clone()
        },
        0,
    );
    assert_eq!(balance(&host, 10).free, credits(7));

    let mut host = Host::new(Overage::Reject);
    let nearly: Credits = "999999999997".parse().unwrap();
    host.grant("all", GrantTerms::forever(nearly), 0);
    host.grant(
        "x",
        GrantTerms {
            rollover: rolling("none", 5, 5),
            ..later
        },
        0,
    );
    assert_eq!(
        balance(&host, 10).granted,
        Credits::MAX,
        "as much as a wallet can count"
    );
}

// Changes of plan and months that were not granted by the month.

#[test]
fn b3_a_change_of_plan_adds_nothing_to_a_month_that_a_transfer_brought() {
    let mut host = Host::new(Overage::Reject);
    let paid = paid(0);
    let month = paid.subscription().current_period.unwrap();
    // As a bank transfer brings them: under a key of its own, for ever.
    host.grant("transfer", GrantTerms::forever(credits(100)), 0);
    for (plan, amount) in [(2, 50), (1, 100)] {
        let changed = paid
            .subscription()
            .clone()
            .apply(
                Command::ChangePlan {
                    plan: (plan + 1).into(),
                },
                at(2),
            )
            .unwrap();
        let cause = Cause::month(&changed, month).unwrap();
        let terms = GrantTerms::month(credits(amount), month);
        let refused = host
            .wallet
            .clone()
            .grant(&cause, terms, None, at(2))
            .unwrap_err();
        assert_eq!(refused, GrantError::MonthNotGranted);
    }
    assert_eq!(balance(&host, 3).granted, credits(100));
}

#[test]
fn b3_a_change_of_plan_is_a_cause_for_its_own_month_alone() {
    let new = Subscription::new(
        9.into(),
        ACCOUNT.into(),
        1.into(),
        PaymentMethod::BankTransfer,
        at(0),
    );
    let method = PaymentMethod::BankTransfer;
    let payment = RecordedPayment {
        interval: Interval::YEARLY,
        slack: TimeDelta::zero(),
        method,
        external_id: None,
    };
    let paid = new
        .record_payment(payment, at(0))
        .unwrap()
        .into_subscription();
    let months: Vec<Period> = paid.current_period.unwrap().months(paid.anchor).collect();
    let changed_at = months[4].start + TimeDelta::try_days(3).unwrap();
    let changed = paid
        .apply(Command::ChangePlan { plan: 2.into() }, changed_at)
        .unwrap();
    let causes: Vec<bool> = months
        .iter()
        .map(|month| Cause::month(&changed, *month).is_some())
        .collect();
    assert_eq!(causes.iter().filter(|is_cause| **is_cause).count(), 1);
    assert!(causes[4]);
}

#[test]
fn every_cause_has_a_key_of_its_own() {
    let causes = [cause("a"), cause("b")];
    let keys: BTreeMap<&str, ()> = causes.iter().map(|cause| (cause.key(), ())).collect();
    assert_eq!(keys.len(), 2);
}
