//! The rows that were committed are kept: they are read back at once and exactly, through every end
//! of a hold, by time and after a death.

use super::auditor::audit;
use super::book::Book;
use super::facts::{self, at, key};
use super::fault::{self, Fault};
use super::probe::Probe;
use super::store::CreditStore;
use super::tell::{tell_entries, tell_wallet};
use crate::change::Answer;
use crate::credit::{Event, GrantTerms, HoldError, Outcome, Replayed, Wallet};
use crate::money::Credits;

fn terms(amount: Credits) -> GrantTerms {
    GrantTerms::forever(amount)
}

/// Checks that every write is read at once, whatever the read before it may have left in a cache.
pub(super) fn reads_back<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    let spend = |name| Ok::<_, Fault>(Outcome::spend_key(&probe.own(key(name))?));

    // An outcome is asked for before it is there: its absence must not be remembered either.
    for name in ["read-1", "read-2", "read-3"] {
        book.load(&spend(name)?)?;
    }

    book.grant("read", terms(Credits::whole(10)), at(0))?;
    let first = book.hold("read-1", 3, 60, at(0))?;
    let second = book.hold("read-2", 3, 60, at(1))?;
    book.settle(&first, Credits::whole(2), at(2))?;
    book.release(&second, at(3))?;
    book.deduct("read-3", &probe.own(facts::quote(1))?, at(4))?;

    for name in ["read-1", "read-2", "read-3"] {
        book.load(&spend(name)?)?;
    }
    book.verify()
}

/// Checks amounts to the millionth and to the limit, times to the microsecond, and the longest key.
pub(super) fn keeps_amounts<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let most = probe.own(facts::micros(999_999_999_999_999_999))?;
    let mut book = Book::open(probe)?;
    book.grant("most", terms(most), at(0))?;
    let micro = probe.own(facts::quote_micros(1))?;
    book.deduct("micro", &micro, at(0))?;
    let odd = probe.own(facts::quote_micros(123_456_789_012_345_677))?;
    let longest: String = "!~\"'\\/%_$?#".repeat(24).chars().take(255).collect();
    book.deduct(&longest, &odd, at(1))?;
    let hold = book.hold("whole", 999_999, 3600, at(2))?;
    book.settle(&hold, probe.own(facts::micros(333_333_333_333))?, at(3))?;
    book.verify()?;

    let mut book = Book::open(probe)?;
    let limit = probe.own(facts::micros(1_000_000_000_000_000_000))?;
    let later = GrantTerms {
        priority: 255,
        effective_at: Some(at(1)),
        expires_at: Some(at(2)),
        ..terms(limit)
    };
    book.grant("limit", later, at(0))?;
    book.advance(at(1))?;
    book.verify()?;

    let mut book = Book::open(probe)?;
    for (name, micros) in [
        ("a-tenth", 100_000),
        ("two-tenths", 200_000),
        ("a-millionth", 1),
    ] {
        book.grant(name, terms(probe.own(facts::micros(micros))?), at(0))?;
    }
    book.deduct(
        "three-tenths",
        &probe.own(facts::quote_micros(300_001))?,
        at(0),
    )?;
    if !book.balance().free.is_zero() {
        return Err(probe.fault(
            fault::AMOUNT,
            "0.1 + 0.2 + 0.000001 - 0.300001 is nothing",
            book.balance().free,
        ));
    }
    book.verify()
}

/// Checks that a hold's end replaces the outcome, so that the request, when it is sent again, is
/// answered with the end of the first.
pub(super) fn updates_outcomes<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    book.grant("outcome", terms(Credits::whole(10)), at(0))?;
    let told = |seen: &Answer<_, Replayed>| match seen {
        Answer::Fresh(_) => "held anew".to_owned(),
        Answer::Replayed(earlier) => format!("{earlier:?}"),
    };

    let hold = book.hold("settled", 3, 60, at(0))?;
    let receipt = book.settle(&hold, Credits::whole(2), at(1))?;
    let seen = book.ask_hold("settled", 3, 60, at(2))?;
    if seen != Answer::Replayed(Replayed::Settled(receipt.clone())) {
        return Err(probe.fault(
            fault::OUTCOME_STALE,
            format_args!("{receipt:?}"),
            told(&seen),
        ));
    }

    let (wallet, prior) = book.load(&Outcome::spend_key(hold.key()))?;
    let again = probe.allowed(wallet.settle(&hold, Credits::whole(2), prior.as_ref(), at(3)))?;
    if again != Answer::Replayed(receipt) {
        return Err(probe.fault(
            fault::OUTCOME_STALE,
            "the same receipt",
            format_args!("{again:?}"),
        ));
    }

    let hold = book.hold("released", 3, 60, at(3))?;
    book.release(&hold, at(4))?;
    // A release that charged nothing frees the key, and the outcome tells which attempt comes next.
    let seen = book.ask_hold("released", 3, 60, at(5))?;
    let Answer::Fresh(change) = seen else {
        return Err(probe.fault(fault::OUTCOME_STALE, "the second attempt", told(&seen)));
    };
    let second = book.write(change)?;
    if second.attempt() != 2 {
        let seen = format!("attempt {}", second.attempt());
        return Err(probe.fault(fault::OUTCOME_STALE, "the second attempt", seen));
    }

    let (wallet, prior) = book.load(&Outcome::spend_key(second.key()))?;
    let drawn = Credits::whole(1);
    if let Answer::Fresh(change) =
        probe.allowed(wallet.draw(&second, drawn, prior.as_ref(), at(6)))?
    {
        book.write(change)?;
    }
    book.release(&second, at(7))?;
    let seen = book.ask_hold("released", 3, 60, at(8))?;
    if seen != Answer::Replayed(Replayed::Released { drawn }) {
        return Err(probe.fault(fault::OUTCOME_STALE, "released", told(&seen)));
    }
    book.verify()
}

/// Checks that many entries, many of them in one change, are all there and in order, past the ninth
/// and the ninety-ninth.
pub(super) fn keeps_ledger<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    for number in 0..35 {
        let later = GrantTerms {
            effective_at: Some(at(100_i64.saturating_add(number))),
            expires_at: Some(at(200_i64.saturating_add(number))),
            ..terms(Credits::whole(1))
        };
        book.grant(&format!("ledger-{number}"), later, at(0))?;
    }

    // Half of what time brings in one change, then the rest.
    book.advance(at(200))?;
    book.advance(at(300))?;

    if book.entries().len() != 105 {
        let expected = "35 grants that take effect and expire: 105 entries";
        return Err(probe.fault(fault::ENTRY_LOST, expected, tell_entries(book.entries())));
    }
    book.verify()
}

/// Checks that time alone ends a hold, at its very instant, and gives back the credits that it
/// held.
pub(super) fn expires_holds<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    book.grant("expiry", terms(Credits::whole(10)), at(0))?;
    let hold = book.hold("expiry", 6, 60, at(0))?;

    // A second before its end it still holds; at its end it does not.
    for (now, held) in [(59, 6), (60, 0)] {
        let (wallet, _) = book.load(&Outcome::spend_key(hold.key()))?;
        let balance = probe.allowed(wallet.balance_at(at(now)))?;
        if balance.held != Credits::whole(held) {
            let expected = format!("{held} credits held after {now} of 60 seconds");
            return Err(probe.fault(fault::EXPIRY, expected, balance.held));
        }
    }
    // It charged nothing, so the same request is a new attempt.
    let seen = book.ask_hold("expiry", 6, 60, at(60))?;
    if !matches!(seen, Answer::Fresh(_)) {
        return Err(probe.fault(fault::EXPIRY, "a new attempt", format_args!("{seen:?}")));
    }

    // The entry says when the hold ended, and when that was noticed.
    book.deduct("all", &probe.own(facts::quote(10))?, at(75))?;
    let expiry = book
        .entries()
        .iter()
        .find(|entry| matches!(entry.event, Event::HoldExpired { .. }));
    if expiry.is_none_or(|entry| entry.at != at(60) || entry.recorded_at != at(75)) {
        return Err(probe.fault(
            fault::EXPIRY,
            "an expiry at the 60th second",
            format_args!("{expiry:?}"),
        ));
    }
    book.verify()
}

/// Checks that nothing is charged when processes die with a hold in hand, with a hold computed and
/// not written, and with a settlement computed and not written; and that all credits are there
/// again once the holds have expired.
pub(super) fn survives_death<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut book = Book::open(probe)?;
    book.grant("death", terms(Credits::whole(10)), at(0))?;

    // Each of these processes dies at the end of its line.
    drop(book.hold("in-hand", 2, 60, at(0))?);
    drop(book.holding("not-written", 2, 60, at(1))?);
    let hold = book.hold("not-settled", 3, 60, at(2))?;
    drop(book.settling(&hold, Credits::whole(3), at(3))?);
    book.verify()?;

    // Another process takes over. A request that is at work is not carried out again; one that was
    // never written is.
    for (name, credits) in [("in-hand", 2), ("not-settled", 3)] {
        let seen = book.ask_hold(name, credits, 60, at(4))?;
        if seen != Answer::Replayed(Replayed::Pending) {
            return Err(probe.fault(
                fault::OUTCOME_LOST,
                "a request that is at work",
                format_args!("{seen:?}"),
            ));
        }
    }

    let again = book.hold("not-written", 2, 60, at(5))?;
    book.settle(&again, Credits::whole(1), at(6))?;
    book.advance(at(100))?;

    let balance = book.balance();
    if (balance.free, balance.held, balance.spent)
        != (Credits::whole(9), Credits::ZERO, Credits::whole(1))
    {
        return Err(probe.fault(
            fault::EXPIRY,
            "9 free, 0 held, 1 spent",
            format_args!("{balance:?}"),
        ));
    }
    book.verify()
}

/// Checks that two tenants with the same keys, one after the other and at once, neither see nor
/// touch each other's wallets.
pub(super) fn separates_tenants<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let mut one = Book::open(probe)?;
    let mut other = Book::open(probe)?;
    let quote = probe.own(facts::quote(1))?;
    one.grant("tenant", terms(Credits::whole(10)), at(0))?;
    other.grant("tenant", terms(Credits::whole(20)), at(0))?;

    for (now, name) in (0..).zip(["tenant-1", "tenant-2", "tenant-3"]) {
        for book in [&mut one, &mut other] {
            let hold = book.hold(name, 2, 60, at(now))?;
            book.settle(&hold, Credits::whole(1), at(now))?;
        }
        one.verify()?;
        other.verify()?;
    }

    let books = [&one, &other].map(|book| (&book.account, &book.access));
    probe.together(16, |number| {
        for (account, access) in books {
            let request = probe.own(facts::deduction(&format!("at-once-{number}"), &quote))?;
            let deduct = |wallet: Wallet, prior: Option<&Outcome>| {
                wallet.deduct(access, &request, prior, at(5))
            };
            match probe.transact(number, account, &Outcome::spend_key(&request.key), deduct)? {
                // One of the tenants cannot pay for them all.
                Ok(_) | Err(HoldError::Insufficient { .. }) => {}
                Err(error) => probe.allowed(Err(error))?,
            }
        }
        Ok(())
    })?;

    for (book, spent) in [(&one, 10), (&other, 19)] {
        let (wallet, _) = audit(probe, &book.account)?;
        if wallet.balance().spent != Credits::whole(spent) {
            let seen = tell_wallet(Some(&wallet));
            return Err(probe.fault(
                fault::OVERSPENT,
                format_args!("{spent} credits spent"),
                seen,
            ));
        }
    }
    Ok(())
}
