//! A host's store in memory, right or wrong. Each wrong one is the right one but for one line.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bailiwick::credit::{Change, LedgerEntry, Outcome, OutcomeWrite};
use bailiwick::testkit::{CreditStore, Loaded, Written};
use bailiwick::{AccountId, Wallet};
use serde_json::Value;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    NoGuards,
    Unguarded,
    GuardedElsewhere,
    CheckedThenWritten,
    Upserted,
    InsertedInPlaceOfUpdate,
    MissesAtTimes,
    MissesElsewhere,
    EntryLost,
    EntriesSwapped,
    LedgerByText,
    SequenceTwice,
    LedgerOfAll,
    LedgerJoined,
    EntryRounded,
    Cached,
    CachedByHandle,
    Torn,
    KeyTwice,
    KeyGlobal,
    KeyFolded,
    KeyCut,
    KeyUniqueFolded,
    OutcomeByKeyAlone,
    NotUndone,
    MissedAsError,
    UpdateDropped,
    OutcomeForgotten,
    OutcomeRounded,
    Floats,
    Seconds,
    NeverWritten,
}

/// One account's rows, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rows {
    pub wallet: Option<(u64, String)>,
    pub ledger: Vec<(u64, String)>,
    pub outcomes: BTreeMap<String, String>,
}

pub type Accounts = BTreeMap<AccountId, Rows>;

/// A handle of a store in memory; others share its accounts.
pub struct Memory {
    pub flaw: Flaw,
    made_in: ThreadId,
    pub accounts: Arc<Mutex<Accounts>>,
    cache: Mutex<BTreeMap<(AccountId, String), Loaded>>,
}

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Memory {
    pub fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            made_in: thread::current().id(),
            accounts: Arc::default(),
            cache: Mutex::default(),
        }
    }

    /// Another process's handle.
    pub fn another_handle(&self) -> Self {
        Self {
            accounts: self.accounts.clone(),
            ..Self::new(self.flaw)
        }
    }

    pub fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap()
    }

    fn text<T: serde::Serialize>(&self, row: &T) -> String {
        let mut value = serde_json::to_value(row).unwrap();
        match self.flaw {
            Flaw::Floats => spoil(&mut value, &|name, text| {
                let is_amount = [
                    "granted",
                    "free",
                    "scheduled",
                    "spent",
                    "held",
                    "expired",
                    "amount",
                ]
                .contains(&name);
                is_amount.then(|| format!("{:.6}", text.parse::<f64>().unwrap()))
            }),
            Flaw::Seconds => round(&mut value, "as_of"),
            Flaw::EntryRounded => round(&mut value, "recorded_at"),
            Flaw::OutcomeRounded => round(&mut value, "settled_at"),
            _ => return serde_json::to_string(row).unwrap(),
        }
        value.to_string()
    }

    /// The key as the store keeps it.
    fn kept(&self, key: &str) -> String {
        match self.flaw {
            Flaw::KeyFolded => key.to_lowercase(),
            Flaw::KeyCut => key.chars().take(255).collect(),
            _ => key.to_owned(),
        }
    }

    fn is_guarded<T>(&self, accounts: &Accounts, change: &Change<T>) -> bool {
        let version = |rows: &Rows| rows.wallet.as_ref().map_or(0, |(version, _)| *version);
        let expected = change.expected_version();
        match self.flaw {
            Flaw::Unguarded | Flaw::NoGuards => true,
            Flaw::GuardedElsewhere => accounts.values().any(|rows| version(rows) == expected),
            Flaw::Upserted if expected == 0 => true,
            Flaw::InsertedInPlaceOfUpdate if version(&accounts[change.wallet().account()]) == 0 => {
                true
            }
            Flaw::MissesAtTimes if expected.is_multiple_of(5) && expected > 0 => false,
            Flaw::MissesElsewhere if thread::current().id() != self.made_in => false,
            _ => version(&accounts[change.wallet().account()]) == expected,
        }
    }

    fn is_taken(&self, accounts: &Accounts, account: &AccountId, key: &str) -> bool {
        match self.flaw {
            Flaw::KeyTwice | Flaw::NoGuards => false,
            Flaw::KeyUniqueFolded => accounts[account]
                .outcomes
                .keys()
                .any(|taken| taken.eq_ignore_ascii_case(key)),
            Flaw::KeyGlobal => accounts
                .values()
                .any(|rows| rows.outcomes.contains_key(key)),
            _ => accounts[account].outcomes.contains_key(key),
        }
    }

    /// Writes into a copy of the account's rows, which is the transaction. `None` where a guard
    /// misses.
    fn write<T>(&self, accounts: &Accounts, change: &Change<T>, rows: &mut Rows) -> Option<()> {
        let wallet = change.wallet();
        if !self.is_guarded(accounts, change) {
            return None;
        }
        rows.wallet = Some((wallet.version(), self.text(wallet)));
        let mut entries: Vec<(u64, String)> = change
            .entries()
            .iter()
            .map(|entry| (entry.sequence, self.text(entry)))
            .collect();
        let is_taken = entries
            .iter()
            .any(|(sequence, _)| rows.ledger.iter().any(|(taken, _)| taken == sequence));
        if is_taken && !matches!(self.flaw, Flaw::SequenceTwice | Flaw::NoGuards) {
            return None;
        }
        match self.flaw {
            Flaw::EntryLost if entries.len() > 1 => drop(entries.pop()),
            Flaw::EntriesSwapped => entries.reverse(),
            _ => {}
        }
        rows.ledger.extend(entries);
        match change.outcome() {
            _ if self.flaw == Flaw::OutcomeForgotten => {}
            Some(OutcomeWrite::Insert(outcome)) => {
                if self.is_taken(accounts, wallet.account(), &self.kept(outcome.key())) {
                    return None;
                }
                rows.outcomes
                    .insert(self.kept(outcome.key()), self.text(outcome));
            }
            Some(OutcomeWrite::Update(_)) if self.flaw == Flaw::UpdateDropped => {}
            Some(OutcomeWrite::Update(outcome)) => {
                *rows.outcomes.get_mut(&self.kept(outcome.key()))? = self.text(outcome);
            }
            None => {}
        }
        Some(())
    }
}

/// Changes every text in a field by name.
fn spoil(value: &mut Value, change: &dyn Fn(&str, &str) -> Option<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str().and_then(|text| change(name, text)) {
                    Some(text) => *field = text.into(),
                    None => spoil(field, change),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| spoil(item, change)),
        _ => {}
    }
}

/// Cuts a time to whole seconds.
fn round(value: &mut Value, field: &str) {
    spoil(value, &|name, text| {
        (name == field).then(|| format!("{}Z", text.split(['.', 'Z']).next().unwrap()))
    });
}

impl CreditStore for Memory {
    type Error = Failure;

    fn new_account(&self) -> Result<AccountId, Failure> {
        let mut accounts = self.accounts();
        let account = AccountId::from(i64::try_from(accounts.len())?);
        accounts.insert(account.clone(), Rows::default());
        Ok(account)
    }

    fn load(&self, account: &AccountId, key: &str) -> Result<Loaded, Failure> {
        let place = (account.clone(), key.to_owned());
        let caches = matches!(self.flaw, Flaw::Cached | Flaw::CachedByHandle);
        if let Some(loaded) = self.cache.lock().unwrap().get(&place).filter(|_| caches) {
            return Ok(loaded.clone());
        }
        let mut accounts = self.accounts();
        let wallet = accounts[account].wallet.clone();
        if self.flaw == Flaw::Torn && thread::current().id() != self.made_in {
            drop(accounts);
            thread::sleep(Duration::from_millis(5));
            accounts = self.accounts();
        }
        let kept = self.kept(key);
        let outcome = match self.flaw {
            Flaw::OutcomeByKeyAlone => accounts.values().find_map(|rows| rows.outcomes.get(&kept)),
            _ => accounts[account].outcomes.get(&kept),
        };
        let loaded = Loaded {
            wallet: wallet
                .map(|(_, text)| serde_json::from_str::<Wallet>(&text))
                .transpose()?,
            outcome: outcome
                .map(|text| serde_json::from_str::<Outcome>(text))
                .transpose()?,
        };
        if caches {
            self.cache.lock().unwrap().insert(place, loaded.clone());
        }
        Ok(loaded)
    }

    fn commit<T>(&self, change: &Change<T>) -> Result<Written, Failure> {
        let account = change.wallet().account();
        let mut accounts = self.accounts();
        if self.flaw == Flaw::CheckedThenWritten {
            let (before, version) = (accounts.clone(), change.wallet().version());
            drop(accounts);
            thread::sleep(Duration::from_micros(200));
            let mut rows = before[account].clone();
            if self.write(&before, change, &mut rows).is_none() {
                return Ok(Written::Missed);
            }
            assert_eq!(
                rows.wallet.as_ref().map(|(version, _)| *version),
                Some(version)
            );
            self.accounts().insert(account.clone(), rows);
            return Ok(Written::Committed);
        }
        let mut rows = accounts[account].clone();
        let is_written = self.write(&accounts, change, &mut rows).is_some();
        if (is_written && self.flaw != Flaw::NeverWritten) || self.flaw == Flaw::NotUndone {
            accounts.insert(account.clone(), rows);
        }
        if self.flaw == Flaw::CachedByHandle {
            self.cache.lock().unwrap().clear();
        }
        match (is_written, self.flaw) {
            (true, _) => Ok(Written::Committed),
            (false, Flaw::MissedAsError) => Err("UNIQUE constraint failed".into()),
            (false, _) => Ok(Written::Missed),
        }
    }

    fn ledger(&self, account: &AccountId) -> Result<Vec<LedgerEntry>, Failure> {
        let accounts = self.accounts();
        let mut rows: Vec<_> = match self.flaw {
            Flaw::LedgerJoined if accounts[account].wallet.is_none() => vec![],
            Flaw::LedgerOfAll | Flaw::LedgerJoined => accounts
                .values()
                .flat_map(|rows| rows.ledger.clone())
                .collect(),
            _ => accounts[account].ledger.clone(),
        };
        match self.flaw {
            Flaw::LedgerByText => rows.sort_by_key(|(sequence, _)| sequence.to_string()),
            Flaw::EntriesSwapped => {}
            _ => rows.sort_by_key(|(sequence, _)| *sequence),
        }
        Ok(rows
            .iter()
            .map(|(_, text)| serde_json::from_str(text))
            .collect::<Result<_, _>>()?)
    }
}
