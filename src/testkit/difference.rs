//! The name of a fault, by the difference between the rows that must be stored and those that are
//! read.

use std::collections::BTreeSet;

use super::fault::{self, Fault};
use super::probe::Probe;
use super::store::CreditStore;
use super::tell::{tell_difference, tell_entries, tell_wallet};
use crate::credit::{LedgerEntry, Outcome, Wallet};
use crate::id::AccountId;

/// The last thing that was done, so that a difference is told by its cause.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Commit,
    Refusal,
}

/// Rows that must be stored for an account.
pub(super) struct Kept<'b, T> {
    pub(super) account: &'b AccountId,
    pub(super) expected: T,
}

/// Names the fault of a wallet that is not the one that must be stored.
pub(super) fn wallet_fault<S: CreditStore>(
    probe: &Probe<'_, S>,
    kept: &Kept<'_, Option<&Wallet>>,
    seen: Option<&Wallet>,
    last: Last,
) -> Fault {
    let lesson = match (kept.expected, seen) {
        _ if last == Last::Refusal => fault::NOT_UNDONE,
        (_, None) => fault::STALE,
        (_, Some(seen)) if seen.account() != kept.account => fault::WRONG_ROW,
        (None, Some(_)) => fault::WRONG_ROW,
        (Some(wallet), Some(seen)) if seen.version() < wallet.version() => fault::STALE,
        (Some(wallet), Some(seen)) if seen.version() > wallet.version() => fault::WRONG_ROW,
        (Some(wallet), Some(seen)) if seen.balance() != wallet.balance() => fault::AMOUNT,
        _ => fault::WALLET_CHANGED,
    };

    // Where versions and balances are alike, only the whole tells the difference.
    if lesson == fault::WALLET_CHANGED {
        let expected = format!("{:?}", kept.expected);
        let (expected, seen) = tell_difference(&expected, &format!("{seen:?}"));
        return probe.fault(lesson, expected, seen);
    }
    probe.fault(lesson, tell_wallet(kept.expected), tell_wallet(seen))
}

/// Names the fault of an outcome that is not the one that must be stored under a key.
pub(super) fn outcome_fault<S: CreditStore>(
    probe: &Probe<'_, S>,
    kept: &Kept<'_, Option<&Outcome>>,
    key: &str,
    replaced: &[Outcome],
    seen: Option<&Outcome>,
    last: Last,
) -> Fault {
    let lesson = match (kept.expected, seen) {
        _ if last == Last::Refusal => fault::NOT_UNDONE,
        (_, None) => fault::OUTCOME_LOST,
        (_, Some(seen)) if seen.account() != kept.account || seen.key() != key => {
            fault::OUTCOME_FOREIGN
        }
        (None, Some(_)) => fault::OUTCOME_FOREIGN,
        (Some(_), Some(seen)) if replaced.contains(seen) => fault::OUTCOME_STALE,
        _ => fault::OUTCOME_CHANGED,
    };

    let tell = |outcome: Option<&Outcome>| {
        outcome.map_or("no outcome".to_owned(), |outcome| format!("{outcome:?}"))
    };
    let expected = tell(kept.expected);
    probe.fault(
        lesson,
        format_args!("under {key:?}: {expected}"),
        tell(seen),
    )
}

/// Names the fault of a ledger that is not the one that must be stored.
pub(super) fn ledger_fault<S: CreditStore>(
    probe: &Probe<'_, S>,
    kept: &Kept<'_, &[LedgerEntry]>,
    seen: &[LedgerEntry],
    last: Last,
) -> Fault {
    let sequences: BTreeSet<u64> = seen.iter().map(|entry| entry.sequence).collect();
    let expected: BTreeSet<u64> = kept.expected.iter().map(|entry| entry.sequence).collect();
    let foreign = seen.iter().any(|entry| entry.account != *kept.account);

    let lesson = match last {
        _ if foreign => fault::ENTRY_FOREIGN,
        Last::Refusal => fault::NOT_UNDONE,
        _ if sequences.len() < seen.len() => fault::SEQUENCE_TWICE,
        _ if !sequences.is_superset(&expected) => fault::ENTRY_LOST,
        _ if sequences.len() > expected.len() => fault::ENTRY_FOREIGN,
        _ if !seen.is_sorted_by_key(|entry| entry.sequence) => fault::ENTRY_ORDER,
        _ => fault::ENTRY_CHANGED,
    };
    if lesson != fault::ENTRY_CHANGED {
        return probe.fault(lesson, tell_entries(kept.expected), tell_entries(seen));
    }

    // The sequences are alike, so the first entry that differs tells the most.
    let differ = kept
        .expected
        .iter()
        .zip(seen)
        .find(|(entry, seen)| entry != seen);
    let (entry, seen) = differ.unzip();
    let lesson = match (entry, seen) {
        (Some(entry), Some(seen)) if entry.balance != seen.balance => fault::AMOUNT,
        _ => lesson,
    };
    let (expected, seen) = tell_difference(&format!("{entry:?}"), &format!("{seen:?}"));
    probe.fault(lesson, expected, seen)
}
