//! The ledger: replayed from every prefix, damaged, and read as a statement. C7.

use crate::support::host::{ACCOUNT, Host, credit_policy};
use crate::support::{at, credits};
use bailiwick::credit::{
    Balance, Event, GrantTerms, LedgerEntry, LedgerError, LedgerFault, LedgerStatement,
};
use bailiwick::period::Period;
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use bailiwick::{Credits, Problem, Wallet};
use proptest::prelude::*;

fn living(amount: i64, until: i64) -> GrantTerms {
    GrantTerms {
        expires_at: Some(at(until)),
        ..GrantTerms::forever(credits(amount))
    }
}

/// A ledger in which there is an entry of nearly every kind.
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

/// A grant that takes effect twice can take the place of one that never does: every balance adds
/// up, and the grants do not.
#[test]
fn c7_a_forged_ledger_that_adds_up_is_refused() {
    let mut host = Host::under(credit_policy(Overage::Reject));
    host.grant("now", GrantTerms::forever(credits(5)), 0);
    let scheduled = GrantTerms {
        effective_at: Some(at(50)),
        ..GrantTerms::forever(credits(5))
    };
    host.grant("later", scheduled, 0);

    let mut forged = host.ledger.last().unwrap().clone();
    let Event::Granted { grant } = &host.ledger[0].event else {
        panic!("{:?}", host.ledger[0])
    };
    forged.event = Event::TookEffect {
        grant: grant.id.clone(),
    };
    forged.sequence += 1;
    forged.balance.free = credits(10);
    forged.balance.scheduled = Credits::ZERO;
    host.ledger.push(forged);

    let error = Wallet::replay(&ACCOUNT.into(), host.ledger).unwrap_err();
    assert_eq!((error.sequence, error.fault), (3, LedgerFault::Event));
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

#[test]
fn nothing_follows_the_last_number_of_a_ledger() {
    let mut entry = busy_ledger().ledger[3].clone();
    entry.sequence = u64::MAX;
    let period = Period {
        start: at(-100),
        end: at(1000),
    };

    let error = LedgerStatement::new(Some(&entry), vec![entry.clone()], period).unwrap_err();
    assert_eq!(
        (error.sequence, error.fault),
        (u64::MAX, LedgerFault::Sequence)
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
