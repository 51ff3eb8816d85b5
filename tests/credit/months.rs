//! A ledger of before credits followed paid time, as a host stored it: months that were granted by
//! key, larger plans that added to them, rests that rolled over, a hold across a month's end, and a
//! month that was revoked. No command makes such months any more, and all of them are still read.

use crate::support::credits;
use crate::support::host::{ACCOUNT, Host, month};
use bailiwick::Wallet;
use bailiwick::credit::{CauseKind, Event, GrantTerms, LedgerEntry, Rollover};
use bailiwick::policy::Overage;

const LEDGER: &str = include_str!("../ledgers/months.jsonl");

fn stored() -> Vec<LedgerEntry> {
    LEDGER
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn replay(entries: &[LedgerEntry]) -> Wallet {
    Wallet::replay(&ACCOUNT.into(), entries.to_vec()).unwrap()
}

/// Each beginning of it adds up, and is a wallet that survives the store.
#[test]
fn c7_a_ledger_of_months_is_read_from_any_part_of_it() {
    let entries = stored();
    let granted = entries.iter().filter_map(|entry| match &entry.event {
        Event::Granted { grant } => Some(grant),
        _ => None,
    });
    let raises = granted.clone().filter(|grant| grant.raises.is_some());
    assert_eq!((granted.clone().count(), raises.count()), (7, 3));
    for grant in granted {
        assert_eq!(grant.cause, CauseKind::Period);
    }

    for count in 1..=entries.len() {
        let wallet = replay(&entries[..count]);
        assert_eq!(wallet.balance(), entries[count - 1].balance);
        let text = serde_json::to_string(&wallet).unwrap();
        assert_eq!(serde_json::from_str::<Wallet>(&text).unwrap(), wallet);
    }
    for (line, entry) in LEDGER.lines().zip(&entries) {
        assert_eq!(serde_json::to_string(entry).unwrap(), line);
    }
}

/// What time did to it then, it does now: expiries, months that take effect, and what rolls over,
/// upgrades included.
#[test]
fn c1_time_makes_of_old_months_what_it_made_of_them_then() {
    let entries = stored();
    let is_of_time = |entry: &LedgerEntry| {
        let event = &entry.event;
        matches!(event, Event::GrantExpired { .. } | Event::TookEffect { .. })
            || matches!(event, Event::RolledOver { .. } | Event::HoldExpired { .. })
    };

    let mut rolled_over = Vec::new();
    for from in 1..entries.len() {
        // From the end of a command on, until the end of the next one.
        let recorded = entries[from].recorded_at;
        let is_within = entries[from - 1].recorded_at == recorded;
        let by_time: Vec<LedgerEntry> = entries[from..]
            .iter()
            .take_while(|entry| !is_within && is_of_time(entry) && entry.recorded_at == recorded)
            .cloned()
            .collect();
        let Some(last) = by_time.last() else { continue };

        let change = replay(&entries[..from]).advance(last.recorded_at).unwrap();
        assert_eq!(change.entries(), by_time, "after {from} entries");
        for entry in by_time {
            if let Event::RolledOver { left, amount, .. } = entry.event {
                rolled_over.push((left, amount));
            }
        }
    }
    rolled_over.dedup();
    assert_eq!(
        rolled_over,
        [(credits(150), credits(50)), (credits(80), credits(50))]
    );
}

/// Today's commands go on with it: a grant of now takes over what an old month had left.
#[test]
fn c1_a_grant_of_today_takes_over_from_an_old_month() {
    let mut host = Host::new(Overage::Reject);
    let (key, length) = month(0).unwrap();
    for amount in [100, 150, 180] {
        let terms = GrantTerms::month(credits(amount), length);
        assert_eq!(host.enter_month(&key, &terms, length.start), "fresh");
    }
    assert_eq!(host.deduct(1, 110, 3), "fresh");
    let next = GrantTerms {
        rollover: Some(Rollover {
            from: key.into(),
            minimum: credits(0),
            maximum: credits(200),
        }),
        ..GrantTerms::forever(credits(1))
    };
    assert_eq!(host.grant("next", next, 4), "fresh");

    let before = host.wallet.balance();
    assert_eq!((before.free, before.granted), (credits(71), credits(181)));
    let after = host.wallet.balance_at(length.end).unwrap();
    assert_eq!((after.free, after.expired), (credits(71), credits(70)));
}
