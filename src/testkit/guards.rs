//! The guards: the version, the row it is on, the unique keys, and that a miss leaves no trace.

use super::book::Book;
use super::facts::{self, at};
use super::fault::{self, Fault};
use super::probe::Probe;
use super::store::CreditStore;
use crate::change::Answer;
use crate::credit::GrantTerms;
use crate::money::Credits;

fn ten() -> GrantTerms {
    GrantTerms::forever(Credits::whole(10))
}

/// Checks that each new account is empty, and another one.
pub(super) fn starts_empty<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let first = Book::open(probe)?.account;
    let second = Book::open(probe)?.account;
    if first == second {
        return Err(probe.fault(
            fault::NOT_EMPTY,
            "another account each time",
            format_args!("{first} twice"),
        ));
    }
    Ok(())
}

/// Checks that a change is written only over the very version that it was made from: not over a
/// later one, nor over one that never was.
pub(super) fn guards_version<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    book.grant("version", ten(), at(0))?;
    let first = probe.allowed(book.wallet().advance(at(0)))?;

    // A version that hardly any other account has, so that a guard on a wrong row is no excuse.
    for _ in 0..20 {
        book.advance(at(0))?;
    }

    // Without entries or outcome, nothing but the version can refuse it.
    let last = probe.allowed(book.wallet().advance(at(0)))?;
    book.advance(at(1))?;
    for stale in [first, last] {
        let made_from = stale.expected_version();
        let stored = book.wallet().version();
        let why = format_args!("it is made from version {made_from} of {stored}");
        book.refuse(&stale, fault::UNGUARDED, why)?;
    }

    let next = probe.allowed(book.wallet().advance(at(2)))?;
    let after = probe.allowed(next.wallet().clone().advance(at(2)))?;
    book.refuse(
        &after,
        fault::UNGUARDED,
        "it is made from a version that was never stored",
    )?;

    book.write(next)?;
    book.verify()
}

/// Checks that expected version 0 inserts and never overwrites, and that any other updates and
/// never inserts.
pub(super) fn inserts_once<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    let first = probe.allowed(book.wallet().advance(at(0)))?;
    let update = probe.allowed(first.wallet().clone().advance(at(0)))?;
    book.refuse(&update, fault::NOTHING_UPDATED, "there is no wallet yet")?;

    book.grant("insert", ten(), at(0))?;
    book.refuse(
        &first,
        fault::SECOND_INSERT,
        "the account has a wallet already",
    )?;
    book.verify()
}

/// Checks that another account's wallet with the same version neither satisfies the guard nor is
/// written.
pub(super) fn guards_row<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut one = Book::open(probe)?;
    let mut other = Book::open(probe)?;
    one.grant("row-one", ten(), at(0))?;
    other.grant("row-other", ten(), at(0))?;
    one.verify()?;

    let stale = probe.allowed(one.wallet().advance(at(0)))?;
    // Both have the version that this change expects; only one may take it.
    one.deduct("row", &probe.own(facts::quote(1))?, at(0))?;
    other.verify()?;

    one.refuse(
        &stale,
        fault::WRONG_ROW,
        "only another account's wallet still has the version that it expects",
    )?;
    one.verify()?;
    other.verify()
}

/// Checks that a key is inserted once in an account, is free in every other, and is not confused
/// with another key.
pub(super) fn guards_key<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let quote = probe.own(facts::quote(1))?;
    let mut one = Book::open(probe)?;
    let mut other = Book::open(probe)?;
    one.grant("key", ten(), at(0))?;
    one.deduct("key", &quote, at(0))?;

    // As if the outcome had been read before the wallet: the version holds, and only the unique key
    // can refuse it.
    let request = probe.own(facts::deduction("key", &quote))?;
    let again = one.wallet().deduct(&one.access, &request, None, at(1));
    let Answer::Fresh(again) = probe.allowed(again)? else {
        return Err(probe.fault(
            fault::SUITE,
            "a deduction that is new",
            "one that was made before",
        ));
    };
    one.refuse(
        &again,
        fault::KEY_TWICE,
        "the account has an outcome of this key",
    )?;

    let granting = other.granting("key", ten(), at(0))?;
    other.write_or(granting, fault::KEY_ELSEWHERE)?;
    let deducting = other.deducting("key", &quote, at(0))?;
    other.write_or(deducting, fault::KEY_ELSEWHERE)?;

    // Keys that differ by case, by the wildcards of LIKE, by quotes, or at the very end.
    let long = |last: char| format!("{}{last}", "k".repeat(254));
    let pairs = [
        ("order-a".to_owned(), "order-A".to_owned()),
        ("a_c".to_owned(), "abc".to_owned()),
        ("abbc".to_owned(), "ab%".to_owned()),
        ("it's;--".to_owned(), "\"it\\'s\"{}$1?:x".to_owned()),
        (long('1'), long('2')),
    ];
    let micro = probe.own(facts::quote_micros(1))?;

    for (first, second) in pairs {
        for name in [first, second] {
            let deducting = one.deducting(&name, &micro, at(1))?;
            one.write_or(deducting, fault::KEY_FOLDED)?;
        }
    }

    one.verify()?;
    other.verify()
}

/// Checks that two entries never have one sequence, even where the version would let the second
/// pass.
pub(super) fn guards_sequence<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    book.grant("sequence", ten(), at(0))?;

    // A hold that is never written, and its expiry: entry 3 of a history that did not happen.
    let lost = book.holding("lost", 2, 10, at(0))?;
    let expiry = probe.allowed(lost.wallet().clone().advance(at(10)))?;

    book.deduct("sequence", &probe.own(facts::quote(1))?, at(0))?;
    book.refuse(
        &expiry,
        fault::SEQUENCE_TWICE,
        "the ledger has an entry 3 already",
    )?;
    book.verify()
}

/// Checks that a change whose guard misses leaves neither wallet nor entries nor outcome, and can
/// be made anew.
pub(super) fn rolls_back<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    let quote = probe.own(facts::quote(1))?;
    book.grant("undone", ten(), at(0))?;

    // Neither its entries nor its key clash: if it is written in part, nothing but the transaction
    // undoes that.
    let stale = book.deducting("undone", &quote, at(0))?;
    book.advance(at(0))?;
    book.refuse(&stale, fault::UNGUARDED, "the wallet has changed meanwhile")?;
    book.deduct("undone", &quote, at(0))?;

    // The wallet and the entries would pass; the key clashes, and undoes them.
    let request = probe.own(facts::deduction("undone", &quote))?;
    let again = probe.allowed(book.wallet().deduct(&book.access, &request, None, at(1)))?;
    if let Answer::Fresh(again) = again {
        book.refuse(
            &again,
            fault::KEY_TWICE,
            "the account has an outcome of this key",
        )?;
    }

    book.deduct("anew", &quote, at(1))?;
    book.verify()
}
