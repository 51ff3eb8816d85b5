//! Wallets and ledgers as short texts, for faults.

use crate::credit::{Balance, LedgerEntry, Wallet};

/// Cuts two texts to where they begin to differ, and to a length that a person can read.
pub(super) fn tell_difference(expected: &str, seen: &str) -> (String, String) {
    let alike = expected
        .chars()
        .zip(seen.chars())
        .take_while(|(one, other)| one == other)
        .count();

    let tell = |text: &str| {
        let before = if alike > 60 { "…" } else { "" };
        let part: String = text
            .chars()
            .skip(alike.saturating_sub(60))
            .take(200)
            .collect();
        let after = if text.ends_with(&part) { "" } else { "…" };
        format!("{before}{part}{after}")
    };

    (tell(expected), tell(seen))
}

pub(super) fn tell_wallet(wallet: Option<&Wallet>) -> String {
    wallet.map_or("no wallet".to_owned(), |wallet| {
        format!(
            "account {} at version {}: {}",
            wallet.account(),
            wallet.version(),
            tell_balance(&wallet.balance())
        )
    })
}

pub(super) fn tell_balance(balance: &Balance) -> String {
    let Balance {
        granted,
        scheduled,
        free,
        held,
        spent,
        expired,
        ..
    } = balance;

    format!(
        "granted {granted}, scheduled {scheduled}, free {free}, held {held}, spent {spent}, expired {expired}"
    )
}

pub(super) fn tell_entries(entries: &[LedgerEntry]) -> String {
    // As runs: a ledger is long, and its fault short.
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for sequence in entries.iter().map(|entry| entry.sequence) {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(sequence) => *last = sequence,
            _ => runs.push((sequence, sequence)),
        }
    }

    let tell = |(first, last): (u64, u64)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        }
    };

    // A ledger that misses every other entry has as many runs as entries.
    let shown: Vec<String> = runs.iter().take(20).copied().map(tell).collect();
    let more = if runs.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    format!(
        "{} entries, of sequence {}{more}",
        entries.len(),
        shown.join(", ")
    )
}
