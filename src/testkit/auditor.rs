//! The audit of one account: its ledger against itself, and its wallet against its ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{self, Fault};
use super::probe::{NO_KEY, Probe};
use super::store::CreditStore;
use super::tell::{tell_balance, tell_difference, tell_entries, tell_wallet};
use crate::credit::{Balance, Event, IdempotencyKey, LedgerEntry, Wallet};
use crate::id::AccountId;
use crate::money::Credits;

/// Audits an account after the suite's own commands, none of which settles late.
pub(super) fn audit<S: CreditStore>(
    probe: &Probe<'_, S>,
    account: &AccountId,
) -> Result<(Wallet, Vec<LedgerEntry>), Fault> {
    let (wallet, entries) = audited(probe, account)?;

    let granted = sum(entries.iter().filter_map(|entry| match &entry.event {
        Event::Granted { grant } => Some(grant.amount),
        _ => None,
    }));
    let spent = charged(&entries);

    let balance = wallet.balance();
    if granted != sum([balance.granted]) || spent != sum([balance.spent]) {
        let expected =
            format!("granted {granted} and spent {spent} micro-credits, as the entries add up to");
        return Err(probe.fault(fault::LEDGER_DIFFERS, expected, tell_wallet(Some(&wallet))));
    }
    Ok((wallet, entries))
}

/// Checks that the ledger has no gap, that every balance adds up, and that the wallet is the one
/// that the ledger replays to.
pub(super) fn audited<S: CreditStore>(
    probe: &Probe<'_, S>,
    account: &AccountId,
) -> Result<(Wallet, Vec<LedgerEntry>), Fault> {
    let loaded = probe.load(account, NO_KEY)?;
    let Some(wallet) = loaded.wallet else {
        return Err(probe.fault(fault::STALE, "a wallet", "none"));
    };
    let entries = probe.ledger(account)?;

    check_entries(probe, account, &entries)?;
    check_last(probe, &wallet, &entries)?;

    // Not the sums alone: every grant, every hold and every slice of it.
    let replayed = Wallet::replay(account, entries.iter().cloned())
        .map_err(|error| probe.fault(fault::LEDGER_DIFFERS, "a ledger that replays", error))?;
    if !replayed.equals_but_for_version(&wallet) {
        let (expected, seen) = tell_difference(&format!("{replayed:?}"), &format!("{wallet:?}"));
        let expected = format_args!("as replayed: {expected}");
        return Err(probe.fault(fault::LEDGER_DIFFERS, expected, seen));
    }
    Ok((wallet, entries))
}

/// Checks that the entries are the account's own, in order and without a gap, and that each balance
/// adds up.
fn check_entries<S: CreditStore>(
    probe: &Probe<'_, S>,
    account: &AccountId,
    entries: &[LedgerEntry],
) -> Result<(), Fault> {
    if let Some(entry) = entries.iter().find(|entry| entry.account != *account) {
        let expected = format_args!("entries of {account}");
        return Err(probe.fault(fault::ENTRY_FOREIGN, expected, format_args!("{entry:?}")));
    }

    let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    if !sequences.iter().copied().eq((1..).take(sequences.len())) {
        let distinct: BTreeSet<u64> = sequences.iter().copied().collect();
        let lesson = if distinct.len() < sequences.len() {
            fault::SEQUENCE_TWICE
        } else if sequences.is_sorted() {
            fault::ENTRY_LOST
        } else {
            fault::ENTRY_ORDER
        };
        let expected = "sequences from 1 on, in order and without a gap";
        return Err(probe.fault(lesson, expected, tell_entries(entries)));
    }

    if let Some(entry) = entries.iter().find(|entry| !adds_up(&entry.balance)) {
        let expected = "a balance that adds up";
        return Err(probe.fault(fault::AMOUNT, expected, format_args!("{entry:?}")));
    }
    Ok(())
}

/// Checks that the wallet stands where the last entry does.
fn check_last<S: CreditStore>(
    probe: &Probe<'_, S>,
    wallet: &Wallet,
    entries: &[LedgerEntry],
) -> Result<(), Fault> {
    // Before the first entry there is nothing in the wallet.
    let empty = Wallet::open(wallet.account().clone(), wallet.as_of());
    let (sequence, balance) = entries
        .last()
        .map_or((0, empty.balance()), |last| (last.sequence, last.balance));

    if (wallet.sequence(), wallet.balance()) != (sequence, balance) {
        let expected = format!("as of entry {sequence}: {}", tell_balance(&balance));
        let seen = format!(
            "as of entry {}: {}",
            wallet.sequence(),
            tell_wallet(Some(wallet))
        );
        return Err(probe.fault(fault::LEDGER_DIFFERS, expected, seen));
    }
    Ok(())
}

/// Returns all that a ledger charged, in micro-credits.
pub(super) fn charged(entries: &[LedgerEntry]) -> i128 {
    let mut drawn: BTreeMap<&IdempotencyKey, Vec<Credits>> = BTreeMap::new();
    let mut charged = Vec::new();

    for entry in entries {
        match &entry.event {
            Event::Drawn { hold, amount } => drawn.entry(hold).or_default().push(*amount),
            // What was captured includes what was drawn before.
            Event::Settled {
                hold,
                captured,
                beyond,
                debt,
                ..
            } => {
                drawn.remove(hold);
                charged.extend([*captured, *debt]);
                charged.extend(beyond.iter().map(|slice| slice.amount));
            }
            // What was drawn stays charged when the rest goes back, and a new attempt may follow.
            Event::Released { hold } | Event::HoldExpired { hold } => {
                charged.extend(drawn.remove(hold).into_iter().flatten());
            }
            _ => {}
        }
    }

    sum(charged.into_iter().chain(drawn.into_values().flatten()))
}

/// Checks the first invariant of every wallet, by hand.
fn adds_up(balance: &Balance) -> bool {
    let Balance {
        granted,
        scheduled,
        free,
        held,
        spent,
        expired,
        revoked,
        debt,
    } = *balance;

    sum([granted, debt]) == sum([scheduled, free, held, spent, expired, revoked])
}

/// Adds amounts up in micro-credits, where no sum overflows.
fn sum(amounts: impl IntoIterator<Item = Credits>) -> i128 {
    amounts
        .into_iter()
        .map(|amount| i128::from(amount.micros()))
        .sum()
}
