//! What must be in the store for one account. Every write is compared with what is read back, and
//! so is every refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};

use super::facts::{self, at};
use super::fault::{self, Fault, Lesson};
use super::probe::Probe;
use super::{CreditStore, Loaded, Written};
use crate::change::Answer;
use crate::credit::{
    Balance, Change, Ended, Event, GrantTerms, Hold, HoldRequest, LedgerEntry, Outcome, Quote,
    Receipt, Replayed, Wallet,
};
use crate::gate::Access;
use crate::id::AccountId;
use crate::money::Credits;

/// A key that no command of the suite uses.
const NO_KEY: &str = "spend/none";

/// What was done last, so that a difference is told by its cause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Commit,
    Refusal,
}

/// What must be in the store for one account.
pub(super) struct Book<'p, 'a, S> {
    pub(super) probe: &'p Probe<'a, S>,
    pub(super) account: AccountId,
    pub(super) access: Access,
    wallet: Option<Wallet>,
    entries: Vec<LedgerEntry>,
    outcomes: BTreeMap<String, Outcome>,
    /// The outcomes that were replaced, by which a lost update is known.
    replaced: Vec<Outcome>,
}

impl<'p, 'a, S: CreditStore> Book<'p, 'a, S> {
    /// A new account, and the check that it is empty.
    pub(super) fn open(probe: &'p Probe<'a, S>) -> Result<Self, Fault> {
        let account = probe.new_account()?;
        let access = probe.own(facts::access(&account))?;
        let (outcomes, replaced) = (BTreeMap::new(), Vec::new());
        let book = Self {
            probe,
            account,
            access,
            wallet: None,
            entries: Vec::new(),
            outcomes,
            replaced,
        };
        let (loaded, entries) = (
            probe.load(&book.account, NO_KEY)?,
            probe.ledger(&book.account)?,
        );
        if loaded.wallet.is_some() || loaded.outcome.is_some() || !entries.is_empty() {
            let seen = format!(
                "{}, {} outcomes, {}",
                tell_wallet(loaded.wallet.as_ref()),
                u8::from(loaded.outcome.is_some()),
                tell_entries(&entries)
            );
            return Err(probe.fault(fault::NOT_EMPTY, "no wallet, no outcomes, no entries", seen));
        }
        Ok(book)
    }

    /// The wallet that must be stored; before the first, an empty one.
    pub(super) fn wallet(&self) -> Wallet {
        self.wallet
            .clone()
            .unwrap_or_else(|| Wallet::open(self.account.clone(), at(0)))
    }

    pub(super) fn balance(&self) -> Balance {
        self.wallet().balance()
    }

    pub(super) fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// Reads the wallet and the outcome of a key, which must be as the book has them.
    pub(super) fn load(&self, key: &str) -> Result<(Wallet, Option<Outcome>), Fault> {
        self.read(key, Last::Commit)
    }

    /// Writes a change, which must be committed and then read back as it is.
    pub(super) fn write<T>(&mut self, change: Change<T>) -> Result<T, Fault> {
        self.write_or(change, fault::SPURIOUS)
    }

    /// The same, where a refusal has a name of its own.
    pub(super) fn write_or<T>(&mut self, change: Change<T>, lesson: Lesson) -> Result<T, Fault> {
        match self.probe.commit(&change)? {
            Written::Committed => {}
            Written::Missed => {
                let seen = format!("missed, over {}", tell_wallet(self.wallet.as_ref()));
                let expected = format!(
                    "committed: it expects version {}",
                    change.expected_version()
                );
                return Err(self.probe.fault(lesson, expected, seen));
            }
        }
        self.note(&change);
        let key = change
            .outcome()
            .map_or(NO_KEY, |write| write.outcome().key())
            .to_owned();
        self.read(&key, Last::Commit)?;
        self.read_ledger(Last::Commit)?;
        Ok(change.into_result())
    }

    /// Takes note of a change that was committed.
    fn note<T>(&mut self, change: &Change<T>) {
        self.wallet = Some(change.wallet().clone());
        self.entries.extend(change.entries().iter().cloned());
        if let Some(write) = change.outcome() {
            let outcome = write.outcome();
            self.replaced.extend(
                self.outcomes
                    .insert(outcome.key().to_owned(), outcome.clone()),
            );
        }
    }

    /// Tries to write a change whose guard misses: it must be refused, and leave no trace.
    pub(super) fn refuse<T>(
        &self,
        change: &Change<T>,
        lesson: Lesson,
        why: impl fmt::Display,
    ) -> Result<(), Fault> {
        if self.probe.commit(change)? == Written::Committed {
            let seen = format!(
                "committed; the wallet is now {}",
                tell_wallet(Some(change.wallet()))
            );
            return Err(self
                .probe
                .fault(lesson, format_args!("missed: {why}"), seen));
        }
        self.read(
            change
                .outcome()
                .map_or(NO_KEY, |write| write.outcome().key()),
            Last::Refusal,
        )?;
        self.read_ledger(Last::Refusal)
    }

    /// Checks that everything is as the book has it, and adds up.
    pub(super) fn verify(&self) -> Result<(), Fault> {
        self.read(NO_KEY, Last::Commit)?;
        for key in self.outcomes.keys() {
            self.read(key, Last::Commit)?;
        }
        self.read_ledger(Last::Commit)?;
        audit(self.probe, &self.account)?;
        Ok(())
    }

    fn read(&self, key: &str, last: Last) -> Result<(Wallet, Option<Outcome>), Fault> {
        let Loaded { wallet, outcome } = self.probe.load(&self.account, key)?;
        if wallet != self.wallet {
            return Err(self.wallet_fault(wallet.as_ref(), last));
        }
        if outcome.as_ref() != self.outcomes.get(key) {
            return Err(self.outcome_fault(key, outcome.as_ref(), last));
        }
        Ok((self.wallet(), outcome))
    }

    fn wallet_fault(&self, seen: Option<&Wallet>, last: Last) -> Fault {
        let lesson = match (&self.wallet, seen) {
            _ if last == Last::Refusal => fault::NOT_UNDONE,
            (_, None) => fault::STALE,
            (_, Some(seen)) if *seen.account() != self.account => fault::WRONG_ROW,
            (None, Some(_)) => fault::WRONG_ROW,
            (Some(wallet), Some(seen)) if seen.version() < wallet.version() => fault::STALE,
            (Some(wallet), Some(seen)) if seen.version() > wallet.version() => fault::WRONG_ROW,
            (Some(wallet), Some(seen)) if seen.balance() != wallet.balance() => fault::AMOUNT,
            _ => fault::WALLET_CHANGED,
        };
        // Where versions and balances are alike, only the whole tells what differs.
        if lesson == fault::WALLET_CHANGED {
            let (expected, seen) =
                tell_difference(&format!("{:?}", self.wallet), &format!("{seen:?}"));
            return self.probe.fault(lesson, expected, seen);
        }
        self.probe
            .fault(lesson, tell_wallet(self.wallet.as_ref()), tell_wallet(seen))
    }

    fn outcome_fault(&self, key: &str, seen: Option<&Outcome>, last: Last) -> Fault {
        let expected = self.outcomes.get(key);
        let lesson = match (expected, seen) {
            _ if last == Last::Refusal => fault::NOT_UNDONE,
            (_, None) => fault::OUTCOME_LOST,
            (_, Some(seen)) if *seen.account() != self.account || seen.key() != key => {
                fault::OUTCOME_FOREIGN
            }
            (None, Some(_)) => fault::OUTCOME_FOREIGN,
            (Some(_), Some(seen)) if self.replaced.contains(seen) => fault::OUTCOME_STALE,
            _ => fault::OUTCOME_CHANGED,
        };
        let tell = |outcome: Option<&Outcome>| {
            outcome.map_or("no outcome".to_owned(), |outcome| format!("{outcome:?}"))
        };
        self.probe.fault(
            lesson,
            format_args!("under {key:?}: {}", tell(expected)),
            tell(seen),
        )
    }

    fn read_ledger(&self, last: Last) -> Result<(), Fault> {
        let seen = self.probe.ledger(&self.account)?;
        if seen == self.entries {
            return Ok(());
        }
        let sequences: BTreeSet<u64> = seen.iter().map(|entry| entry.sequence).collect();
        let expected: BTreeSet<u64> = self.entries.iter().map(|entry| entry.sequence).collect();
        let foreign = seen.iter().any(|entry| entry.account != self.account);
        let lesson = match last {
            _ if foreign => fault::ENTRY_FOREIGN,
            Last::Refusal => fault::NOT_UNDONE,
            _ if sequences.len() < seen.len() => fault::SEQUENCE_TWICE,
            _ if !sequences.is_superset(&expected) => fault::ENTRY_LOST,
            _ if sequences.len() > expected.len() => fault::ENTRY_FOREIGN,
            _ if !seen.is_sorted_by_key(|entry| entry.sequence) => fault::ENTRY_ORDER,
            _ => fault::ENTRY_CHANGED,
        };
        if lesson == fault::ENTRY_CHANGED {
            let differ = self
                .entries
                .iter()
                .zip(&seen)
                .find(|(entry, seen)| entry != seen);
            let (entry, seen) = differ.unzip();
            let lesson = match (entry, seen) {
                (Some(entry), Some(seen)) if entry.balance != seen.balance => fault::AMOUNT,
                _ => lesson,
            };
            let (expected, seen) = tell_difference(&format!("{entry:?}"), &format!("{seen:?}"));
            return Err(self.probe.fault(lesson, expected, seen));
        }
        Err(self
            .probe
            .fault(lesson, tell_entries(&self.entries), tell_entries(&seen)))
    }

    // Commands, each written and read back.

    /// Grants under a name that was not used before.
    pub(super) fn grant(
        &mut self,
        name: &str,
        terms: GrantTerms,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let change = self.granting(name, terms, now)?;
        self.write(change).map(drop)
    }

    /// A grant that is computed, and not written yet.
    pub(super) fn granting(
        &self,
        name: &str,
        terms: GrantTerms,
        now: DateTime<Utc>,
    ) -> Result<Change, Fault> {
        let cause = self.probe.own(facts::cause(&self.account, name))?;
        let (wallet, prior) = self.load(cause.key())?;
        let answer = self
            .probe
            .allowed(wallet.grant(&cause, terms, prior.as_ref(), now))?;
        Ok(self.fresh(answer)?.without_result())
    }

    pub(super) fn hold(
        &mut self,
        name: &str,
        credits: u64,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<Hold, Fault> {
        let change = self.holding(name, credits, life, now)?;
        self.write(change)
    }

    /// A hold that is computed, and not written yet.
    pub(super) fn holding(
        &self,
        name: &str,
        credits: u64,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<Change<Hold>, Fault> {
        let answer = self.ask_hold(name, credits, life, now)?;
        self.fresh(answer)
    }

    /// What a request for a hold is answered, whether it is new or not.
    pub(super) fn ask_hold(
        &self,
        name: &str,
        credits: u64,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Hold>, Replayed>, Fault> {
        let request: HoldRequest = self.probe.own(facts::request(name, credits, life))?;
        let (wallet, prior) = self.load(&Outcome::spend_key(&request.key))?;
        self.probe
            .allowed(wallet.hold(&self.access, &request, prior.as_ref(), now))
    }

    pub(super) fn settle(
        &mut self,
        hold: &Hold,
        cost: Credits,
        now: DateTime<Utc>,
    ) -> Result<Receipt, Fault> {
        let change = self.settling(hold, cost, now)?;
        self.write(change)
    }

    /// A settlement that is computed, and not written yet.
    pub(super) fn settling(
        &self,
        hold: &Hold,
        cost: Credits,
        now: DateTime<Utc>,
    ) -> Result<Change<Receipt>, Fault> {
        let (wallet, prior) = self.load(&Outcome::spend_key(hold.key()))?;
        let answer = self
            .probe
            .allowed(wallet.settle(hold, cost, prior.as_ref(), now))?;
        self.fresh(answer)
    }

    pub(super) fn release(&mut self, hold: &Hold, now: DateTime<Utc>) -> Result<Ended, Fault> {
        let (wallet, prior) = self.load(&Outcome::spend_key(hold.key()))?;
        let answer = self
            .probe
            .allowed(wallet.release(hold, prior.as_ref(), now))?;
        let change = self.fresh(answer)?;
        self.write(change)
    }

    pub(super) fn deduct(
        &mut self,
        name: &str,
        quote: &Quote,
        now: DateTime<Utc>,
    ) -> Result<Receipt, Fault> {
        let change = self.deducting(name, quote, now)?;
        self.write(change)
    }

    /// A deduction that is computed, and not written yet.
    pub(super) fn deducting(
        &self,
        name: &str,
        quote: &Quote,
        now: DateTime<Utc>,
    ) -> Result<Change<Receipt>, Fault> {
        let request = self.probe.own(facts::deduction(name, quote))?;
        let (wallet, prior) = self.load(&Outcome::spend_key(&request.key))?;
        let answer =
            self.probe
                .allowed(wallet.deduct(&self.access, &request, prior.as_ref(), now))?;
        self.fresh(answer)
    }

    pub(super) fn advance(&mut self, now: DateTime<Utc>) -> Result<(), Fault> {
        let change = self.probe.allowed(self.wallet().advance(now))?;
        self.write(change)
    }

    fn fresh<T, R: fmt::Debug>(&self, answer: Answer<Change<T>, R>) -> Result<Change<T>, Fault> {
        match answer {
            Answer::Fresh(change) => Ok(change),
            Answer::Replayed(earlier) => Err(self.probe.fault(
                fault::OUTCOME_FOREIGN,
                "a command that is new",
                format_args!("{earlier:?}"),
            )),
        }
    }
}

/// Audits an account after the suite's own commands, of which every one that spends ends a hold.
pub(super) fn audit<S: CreditStore>(
    probe: &Probe<'_, S>,
    account: &AccountId,
) -> Result<(Wallet, Vec<LedgerEntry>), Fault> {
    let (wallet, entries) = audited(probe, account)?;
    let sum = |amounts: &mut dyn Iterator<Item = Credits>| {
        amounts
            .map(|amount| i128::from(amount.micros()))
            .sum::<i128>()
    };
    let granted = sum(&mut entries.iter().filter_map(|entry| match &entry.event {
        Event::Granted { grant } => Some(grant.amount),
        _ => None,
    }));
    let spent = sum(&mut entries.iter().flat_map(|entry| charged(&entry.event)));
    let balance = wallet.balance();
    if (granted, spent)
        != (
            balance.granted.micros().into(),
            balance.spent.micros().into(),
        )
    {
        let expected =
            format!("granted {granted} and spent {spent} micro-credits, as the entries add up to");
        return Err(probe.fault(fault::LEDGER_DIFFERS, expected, tell_wallet(Some(&wallet))));
    }
    Ok((wallet, entries))
}

/// Checks what needs no book: the ledger has no gap, every balance adds up, and the wallet is what
/// the ledger says.
pub(super) fn audited<S: CreditStore>(
    probe: &Probe<'_, S>,
    account: &AccountId,
) -> Result<(Wallet, Vec<LedgerEntry>), Fault> {
    let loaded = probe.load(account, NO_KEY)?;
    let Some(wallet) = loaded.wallet else {
        return Err(probe.fault(fault::STALE, "a wallet", "none"));
    };
    let entries = probe.ledger(account)?;
    if let Some(entry) = entries.iter().find(|entry| entry.account != *account) {
        return Err(probe.fault(
            fault::ENTRY_FOREIGN,
            format_args!("entries of {account}"),
            format_args!("{entry:?}"),
        ));
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
        return Err(probe.fault(
            lesson,
            "sequences from 1 on, in order and without a gap",
            tell_entries(&entries),
        ));
    }
    if let Some(entry) = entries.iter().find(|entry| !adds_up(&entry.balance)) {
        return Err(probe.fault(
            fault::AMOUNT,
            "a balance that adds up",
            format_args!("{entry:?}"),
        ));
    }
    let nothing = Wallet::open(account.clone(), wallet.as_of());
    let (sequence, balance) = entries
        .last()
        .map_or((0, nothing.balance()), |last| (last.sequence, last.balance));
    if (wallet.sequence(), wallet.balance()) != (sequence, balance) {
        let expected = format!("as of entry {sequence}: {}", tell_balance(&balance));
        let seen = format!(
            "as of entry {}: {}",
            wallet.sequence(),
            tell_wallet(Some(&wallet))
        );
        return Err(probe.fault(fault::LEDGER_DIFFERS, expected, seen));
    }
    // Not the sums alone: every grant, every hold and every slice of it.
    let replayed = Wallet::replay(account, entries.iter().cloned());
    let replayed = replayed
        .map_err(|error| probe.fault(fault::LEDGER_DIFFERS, "a ledger that replays", error))?;
    if !replayed.equals_but_for_version(&wallet) {
        let (expected, seen) = tell_difference(&format!("{replayed:?}"), &format!("{wallet:?}"));
        return Err(probe.fault(
            fault::LEDGER_DIFFERS,
            format_args!("as replayed: {expected}"),
            seen,
        ));
    }
    Ok((wallet, entries))
}

/// What an entry charged.
pub(super) fn charged(event: &Event) -> Vec<Credits> {
    match event {
        Event::Settled {
            captured,
            beyond,
            debt,
            ..
        } => [*captured, *debt]
            .into_iter()
            .chain(beyond.iter().map(|slice| slice.amount))
            .collect(),
        _ => Vec::new(),
    }
}

/// The first invariant of every wallet, by hand.
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
    let sum = |parts: &[Credits]| {
        parts
            .iter()
            .map(|part| i128::from(part.micros()))
            .sum::<i128>()
    };
    sum(&[granted, debt]) == sum(&[scheduled, free, held, spent, expired, revoked])
}

/// Two texts from a little before the place where they begin to differ, and no longer than one can
/// read.
fn tell_difference(expected: &str, seen: &str) -> (String, String) {
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

fn tell_balance(balance: &Balance) -> String {
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
    // As runs: a ledger is long, and what is wrong with it short.
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
