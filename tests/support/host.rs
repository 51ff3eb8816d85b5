//! A host in memory, for the tests of wallets: it writes what it is told, under the guards that it
//! is told, and everything goes through text as in a database.

use std::collections::BTreeMap;

use bailiwick::change::Answer;
use bailiwick::credit::{
    Cause, Change, DeductRequest, Ended, Event, GrantTerms, HoldRequest, IdempotencyKey,
    LedgerEntry, Outcome, OutcomeWrite, PriceList, Replayed,
};
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{CreditPolicy, Overage, PolicySettings};
use bailiwick::problem::Explained;
use bailiwick::right::Privilege;
use bailiwick::{Access, Credits, Hold, Policy, Principal, Wallet};
use chrono::{DateTime, TimeDelta, Utc};

use super::{at, credits, operator, tenant};

pub const ACCOUNT: i64 = 7;

/// The policy of most tests: few holds, and short times.
pub fn credit_policy(overage: Overage) -> CreditPolicy {
    CreditPolicy {
        max_open_holds: 4,
        overage,
        late_settle_seconds: 5,
        refund_life_seconds: 6,
        ..CreditPolicy::default()
    }
}

pub fn policy(credit: CreditPolicy) -> Policy {
    Policy::load(PolicySettings {
        credit,
        ..PolicySettings::default()
    })
    .unwrap()
}

pub fn access(credit: CreditPolicy) -> Access {
    let principal = Principal::session(1.into()).of_account(ACCOUNT.into());
    policy(credit)
        .validate_account_and_plan(&principal, Some(&tenant(ACCOUNT)), at(0))
        .unwrap()
}

pub fn cause(key: &str) -> Cause {
    Cause::promotion(
        &operator(Privilege::GrantCredits),
        &ACCOUNT.into(),
        &key.parse().unwrap(),
    )
    .unwrap()
}

pub fn prices() -> PriceList {
    serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap()
}

pub fn key(number: u8) -> IdempotencyKey {
    format!("request-{number}").parse().unwrap()
}

/// A month, counted from 0, and the key under which a host of before granted its credits.
pub fn month(which: u32) -> Option<(String, Period)> {
    let month = Interval::MONTHLY.period(at(0), which)?;
    Some((month_key(month), month))
}

/// The key of a month of subscription 9, as hosts of before stored it.
pub fn month_key(month: Period) -> String {
    format!("grant/period/9/{}", month.start.timestamp_micros())
}

/// A host in memory: one wallet, its ledger, its outcomes, and the holds that its handlers carry.
pub struct Host {
    pub policy: Policy,
    pub access: Access,
    pub wallet: Wallet,
    pub ledger: Vec<LedgerEntry>,
    pub outcomes: BTreeMap<String, Outcome>,
    pub holds: BTreeMap<u8, Hold>,
    /// The holds of earlier attempts, which are carried on by handlers that should have ended.
    pub stale: BTreeMap<u8, Hold>,
    /// The latest request of each key: its units and its life.
    pub asked: BTreeMap<u8, (u64, i64)>,
    pub grants: u32,
}

/// What a handler does with its hold.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Draw,
    Settle,
    Release,
}

impl Host {
    pub fn new(overage: Overage) -> Self {
        Self::under(credit_policy(overage))
    }

    pub fn under(credit: CreditPolicy) -> Self {
        Self {
            policy: policy(credit),
            access: access(credit),
            wallet: Wallet::open(ACCOUNT.into(), at(0)),
            ledger: vec![],
            outcomes: BTreeMap::new(),
            holds: BTreeMap::new(),
            stale: BTreeMap::new(),
            asked: BTreeMap::new(),
            grants: 0,
        }
    }

    pub fn write<T>(&mut self, change: Change<T>) -> T {
        assert_eq!(change.expected_version(), self.wallet.version());
        assert_eq!(change.wallet().version(), self.wallet.version() + 1);
        for entry in change.entries() {
            assert_eq!(
                entry.sequence,
                self.ledger.last().map_or(1, |last| last.sequence + 1),
                "no gap, no repeat"
            );
            self.ledger.push(entry.clone());
        }
        match change.outcome() {
            Some(OutcomeWrite::Insert(outcome)) => {
                let earlier = self
                    .outcomes
                    .insert(outcome.key().to_owned(), outcome.clone());
                assert!(earlier.is_none(), "UNIQUE (account, key)");
            }
            Some(OutcomeWrite::Update(outcome)) => {
                let earlier = self
                    .outcomes
                    .insert(outcome.key().to_owned(), outcome.clone());
                assert!(earlier.is_some(), "an update has a row");
            }
            None => {}
        }
        // The wallet goes through the store's text, which checks on the way in that it adds up.
        let stored = serde_json::to_string(change.wallet()).unwrap();
        self.wallet = serde_json::from_str(&stored).unwrap();
        change.into_result()
    }

    pub fn prior(&self, key: &str) -> Option<Outcome> {
        // Outcomes, too, come back from text.
        self.outcomes
            .get(key)
            .map(|row| serde_json::from_str(&serde_json::to_string(row).unwrap()).unwrap())
    }

    pub fn grant(&mut self, id: &str, terms: GrantTerms, now: i64) -> &'static str {
        self.grant_for(&cause(id), terms, now)
    }

    pub fn grant_for(&mut self, cause: &Cause, terms: GrantTerms, now: i64) -> &'static str {
        let prior = self.prior(cause.key());
        match self
            .wallet
            .clone()
            .grant(cause, terms, prior.as_ref(), at(now))
        {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(_)) => "granted",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    /// Enters a month's grant in the ledger as hosts stored it before credits followed paid time, and
    /// rebuilds the wallet: the difference, where the month was granted less. No command makes such
    /// entries any more, and all of them are still read.
    pub fn enter_month(
        &mut self,
        root: &str,
        terms: &GrantTerms,
        now: DateTime<Utc>,
    ) -> &'static str {
        let added = |entry: &LedgerEntry| match &entry.event {
            Event::Granted { grant } if *grant.id == *root => Some(grant.amount),
            Event::Granted { grant } if grant.raises.as_deref() == Some(root) => Some(grant.amount),
            _ => None,
        };
        let before: Vec<Credits> = self.ledger.iter().filter_map(added).collect();
        let total = before
            .into_iter()
            .reduce(|sum, more| sum.checked_add(more).unwrap());
        let (id, amount, rollover) = match total {
            Some(before) if terms.amount <= before => return "granted",
            Some(before) => (
                format!("{root} to {}", terms.amount.micros()),
                terms.amount.checked_sub(before).unwrap(),
                None,
            ),
            None => (root.to_owned(), terms.amount, terms.rollover.as_ref()),
        };
        let effective_at = terms.effective_at.map_or(now, |at| at.max(now));
        if amount.is_zero() || terms.expires_at.is_some_and(|end| end <= effective_at) {
            return "grant_invalid";
        }

        self.advance(now);
        let mut grant = serde_json::json!({
            "id": id,
            "cause": "period",
            "amount": amount,
            "priority": terms.priority,
            "effective_at": effective_at,
            "expires_at": terms.expires_at,
        });
        if let Some(rollover) = rollover {
            grant["rollover"] = serde_json::to_value(rollover).unwrap();
        }
        if total.is_some() {
            grant["raises"] = root.into();
        }
        let mut balance = self.wallet.balance();
        balance.granted = balance.granted.checked_add(amount).unwrap();
        if effective_at > now {
            balance.scheduled = balance.scheduled.checked_add(amount).unwrap();
        } else {
            balance.free = balance.free.checked_add(amount).unwrap();
        }
        let entry = serde_json::json!({
            "account": ACCOUNT,
            "sequence": self.ledger.len() + 1,
            "at": now,
            "recorded_at": now,
            "event": "granted",
            "grant": grant,
            "balance": balance,
        });
        self.ledger.push(serde_json::from_value(entry).unwrap());

        // What the grant has made due happened within the same command, at its time.
        let replay = |ledger: &[LedgerEntry]| Wallet::replay(&ACCOUNT.into(), ledger.to_vec());
        let change = replay(&self.ledger).unwrap().advance(now).unwrap();
        let due = change.entries().iter().cloned();
        self.ledger
            .extend(due.map(|entry| LedgerEntry { at: now, ..entry }));

        let mut stored = serde_json::to_value(replay(&self.ledger).unwrap()).unwrap();
        stored["version"] = (self.wallet.version() + 1).into();
        self.wallet = serde_json::from_value(stored).unwrap();
        "fresh"
    }

    fn advance(&mut self, now: DateTime<Utc>) {
        let change = self.wallet.clone().advance(now).unwrap();
        self.write(change);
    }

    /// Sends the latest request of a key again.
    pub fn again(&mut self, number: u8, now: i64) -> Option<&'static str> {
        let (units, life) = self.asked.get(&number).copied()?;
        Some(self.hold(number, units, life, now))
    }

    /// Draws on the hold of the first attempt of a key, or ends it, once there was another attempt.
    pub fn end_stale(
        &mut self,
        number: u8,
        end: End,
        total: i64,
        now: i64,
    ) -> Option<&'static str> {
        let hold = self.stale.get(&number)?;
        let prior = self.prior(&Outcome::spend_key(&key(number)));
        let (wallet, prior) = (self.wallet.clone(), prior.as_ref());
        let refused = match end {
            End::Draw => match wallet.draw(hold, credits(total), prior, at(now)) {
                Ok(_) => return Some("done"),
                Err(error) => Explained::code(&error),
            },
            End::Settle => match wallet.settle(hold, credits(total), prior, at(now)) {
                Ok(_) => return Some("done"),
                Err(error) => Explained::code(&error),
            },
            End::Release => match wallet.release(hold, prior, at(now)) {
                Ok(_) => return Some("done"),
                Err(error) => Explained::code(&error),
            },
        };
        Some(refused.as_str())
    }

    pub fn hold(&mut self, number: u8, units: u64, life: i64, now: i64) -> &'static str {
        let request = HoldRequest {
            key: key(number),
            quote: prices().quote("unit", units).unwrap(),
            time_to_live: TimeDelta::try_seconds(life).unwrap(),
            fingerprint: None,
        };
        let prior = self.prior(&Outcome::spend_key(&request.key));
        match self
            .wallet
            .clone()
            .hold(&self.access, &request, prior.as_ref(), at(now))
        {
            Ok(Answer::Fresh(change)) => {
                let hold = self.write(change);
                self.asked.insert(number, (units, life));
                if let Some(earlier) = self.holds.insert(number, hold) {
                    self.stale.entry(number).or_insert(earlier);
                }
                "fresh"
            }
            Ok(Answer::Replayed(Replayed::Pending)) => "pending",
            Ok(Answer::Replayed(Replayed::Settled(_))) => "settled",
            Ok(Answer::Replayed(Replayed::Released { .. })) => "released",
            Ok(Answer::Replayed(Replayed::Expired { .. })) => "expired",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    pub fn settle(&mut self, number: u8, cost: i64, now: i64) -> &'static str {
        let prior = self.prior(&Outcome::spend_key(&key(number)));
        match self.wallet.clone().settle(
            &self.holds[&number],
            credits(cost),
            prior.as_ref(),
            at(now),
        ) {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(_)) => "settled",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    pub fn draw(&mut self, number: u8, total: i64, now: i64) -> &'static str {
        let prior = self.prior(&Outcome::spend_key(&key(number)));
        match self.wallet.clone().draw(
            &self.holds[&number],
            credits(total),
            prior.as_ref(),
            at(now),
        ) {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(_)) => "drawn",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    pub fn refund(&mut self, number: u8, total: i64, now: i64) -> &'static str {
        // Without an outcome there is nothing that was settled.
        let Some(settled) = self.prior(&Outcome::spend_key(&key(number))) else {
            return "refund_invalid";
        };
        match self
            .wallet
            .clone()
            .refund(&self.policy, credits(total), &settled, at(now))
        {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(_)) => "refunded",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    pub fn revoke(&mut self, id: &str, now: i64) -> &'static str {
        let operator = operator(Privilege::GrantCredits);
        let prior = self.prior(&Outcome::revoke_key(id));
        match self
            .wallet
            .clone()
            .revoke(&operator, id, prior.as_ref(), at(now))
        {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(_)) => "revoked",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    pub fn release(&mut self, number: u8, now: i64) -> &'static str {
        let prior = self.prior(&Outcome::spend_key(&key(number)));
        match self
            .wallet
            .clone()
            .release(&self.holds[&number], prior.as_ref(), at(now))
        {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(Ended::Released)) => "released",
            Ok(Answer::Replayed(Ended::Expired)) => "expired",
            Err(error) => Explained::code(&error).as_str(),
        }
    }

    pub fn deduct(&mut self, number: u8, units: u64, now: i64) -> &'static str {
        let prior = self.prior(&Outcome::spend_key(&key(number)));
        let quote = prices().quote("unit", units).unwrap();
        let request = DeductRequest {
            key: key(number),
            quote,
            fingerprint: None,
        };
        match self
            .wallet
            .clone()
            .deduct(&self.access, &request, prior.as_ref(), at(now))
        {
            Ok(Answer::Fresh(change)) => {
                self.write(change);
                "fresh"
            }
            Ok(Answer::Replayed(_)) => "settled",
            Err(error) => Explained::code(&error).as_str(),
        }
    }
}
