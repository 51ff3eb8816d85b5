//! Scripts of commands against one wallet: `tests/tables/credit/*.txt`. Each row is a command and
//! ends in its expected answer: `fresh`, the word of a replay, an amount, or the stable code of the
//! refusal.
//!
//! ```text
//! policy overage=debt:20 late=available late_seconds=5 open_holds=4 refund_life=6
//! clock 10
//! grant NAME AMOUNT [priority=N] [from=T] [until=T] [by=own|unprivileged]
//!       [keep=MIN..MAX of=NAME|month/N]             what is left of another grant rolls over
//! month N AMOUNT [keep=MIN..MAX]          as hosts stored it before credits followed paid time
//! hold KEY UNITS for=SECONDS [print=BYTE]
//! draw KEY TOTAL          settle KEY COST       release KEY         [attempt=first]
//! fill COUNT              grants one credit more as often as it takes for so many grants
//! deduct KEY UNITS [print=BYTE]
//! refund KEY TOTAL
//! revoke NAME [by=own|unprivileged]     or a whole identifier, with _ for spaces
//! check UNITS             covered AMOUNT        receipt KEY [drawn=AMOUNT]          advance
//! open KEY [skew=SECONDS] [drawn=AMOUNT]        spend KEY AMOUNT     checkpoint KEY     end KEY
//! access [until=T]        key TEXT              amount TEXT         money AMOUNT CURRENCY
//! prices JSON             quote OPERATION QUANTITY                  replay [without=N]
//! balance free=… held=… spent=… debt=… expired=… revoked=… scheduled=… granted=…
//! last event=… hold=… cause=… until=…           the last entry of the ledger
//! ```
//!
//! A `policy` begins anew, with an empty wallet at second 0. Times are seconds, or days as `31d`.
//! `prior=none` leaves out the stored outcome, `prior=KEY` takes another key's, and `wallet=other`
//! takes another account's wallet: the mistakes of a host. `remember` keeps a copy of the wallet,
//! and `wallet=remembered` takes it: a host that reads its rows at two moments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use crate::support::host::{ACCOUNT, Host, credit_policy, key, month, prices};
use crate::support::script::{
    Compared, Fault, Played, Refusals, Row, Script, credit, fails, moment, number, pass_all,
    play_all, scripts, seconds,
};
use crate::support::{at, credits, euros, operator, operator_of, tenant};
use bailiwick::change::{Answer, RowError};
use bailiwick::credit::{
    Allowance, AllowanceError, Cause, CauseError, Change, DeductRequest, Ended, Event, GrantError,
    GrantTerms, HoldError, HoldRequest, IdempotencyKey, IdempotencyKeyError, LedgerError,
    LedgerFault, Outcome, Price, PriceError, PriceList, RefundError, ReleaseError, ReplayError,
    Replayed, RevokeError, Rollover, SettleError, WalletError,
};
use bailiwick::gate::{Denial, Operator};
use bailiwick::money::AmountError;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Period;
use bailiwick::policy::{CreditPolicy, LateSettle, Overage};
use bailiwick::problem::Explained;
use bailiwick::right::Privilege;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{
    Access, Code, Credits, Hold, Money, Plan, Policy, Principal, Subscription, Wallet,
};
use chrono::{DateTime, TimeDelta, Utc};

fn overage(text: &str) -> Result<Overage, Fault> {
    match text.split_once(':') {
        None if text == "reject" => Ok(Overage::Reject),
        None if text == "cap" => Ok(Overage::Cap),
        None if text == "available" => Ok(Overage::Available),
        Some(("debt", limit)) => Ok(Overage::Debt(credit(limit)?)),
        _ => Err(format!("there is no overage policy `{text}`")),
    }
}

fn late_settle(text: &str) -> Result<LateSettle, Fault> {
    match text.split_once(':') {
        None if text == "refuse" => Ok(LateSettle::Refuse),
        None if text == "available" => Ok(LateSettle::Available),
        Some(("debt", limit)) => Ok(LateSettle::Debt(credit(limit)?)),
        _ => Err(format!("there is no policy `{text}` for late settlements")),
    }
}

/// What one script has come to.
struct Table {
    host: Host,
    now: i64,
    requests: BTreeMap<u8, HoldRequest>,
    allowances: BTreeMap<u8, Allowance>,
    prices: PriceList,
    /// The wallet as it was when the script said to remember it.
    remembered: Option<Wallet>,
    refusals: Refusals,
    /// Whether time is looked at on the way from one moment to the next.
    ticks: bool,
}

impl Table {
    fn begin(&mut self, credit: CreditPolicy) {
        *self = Self {
            host: Host::under(credit),
            refusals: std::mem::take(&mut self.refusals),
            ticks: self.ticks,
            ..Self::new()
        };
    }

    /// Lets time pass; a wallet that is looked at on the way is advanced at up to 100 moments.
    fn clock(&mut self, time: i64) {
        let step = ((time - self.now) / 100).max(1);
        while self.ticks && self.now < time {
            self.now = (self.now + step).min(time);
            let advanced = self.host.wallet.clone().advance(at(self.now));
            self.host.write(advanced.unwrap());
        }
        self.now = time;
    }

    /// Grants one credit under as many keys as it takes for so many grants, past the host's text,
    /// which would be slow.
    fn fill(&mut self, count: u32) -> String {
        for number in 1..count {
            let cause = crate::support::host::cause(&format!("fill-{number:04}"));
            let terms = GrantTerms::forever(credits(1));
            let granted = self
                .host
                .wallet
                .clone()
                .grant(&cause, terms, None, at(self.now));
            let Ok(Answer::Fresh(change)) = granted else {
                return "not filled".to_owned();
            };
            self.host.wallet = change.wallet().clone();
            self.host.ledger.extend_from_slice(change.entries());
        }
        "fresh".to_owned()
    }

    fn answer<T, R, E: Explained + Debug>(
        &mut self,
        row: &Row,
        result: Result<Answer<Change<T>, R>, E>,
        replayed: &'static str,
    ) -> Result<(String, Option<T>), Fault> {
        Ok(match result {
            Ok(Answer::Fresh(change))
                if change.wallet().account() != self.host.wallet.account() =>
            {
                return Err("another account's wallet accepted it".to_owned());
            }
            Ok(Answer::Fresh(change)) => ("fresh".to_owned(), Some(self.host.write(change))),
            Ok(Answer::Replayed(_)) => (replayed.to_owned(), None),
            Err(error) => (self.refusals.answer(row, &error), None),
        })
    }

    fn prior(&self, row: &Row, own: &str) -> Option<Outcome> {
        match row.get("prior") {
            Some("none") => None,
            Some(other) => self.host.prior(other),
            None => self.host.prior(own),
        }
    }

    fn prior_of(&self, row: &Row, number: u8) -> Option<Outcome> {
        self.prior(row, &Outcome::spend_key(&key(number)))
    }

    fn wallet(&self, row: &Row) -> Result<Wallet, Fault> {
        match row.get("wallet") {
            None => Ok(self.host.wallet.clone()),
            Some("other") => Ok(Wallet::open(8.into(), at(0))),
            Some("remembered") => self
                .remembered
                .clone()
                .ok_or_else(|| "no wallet is remembered".to_owned()),
            Some(other) => Err(format!("there is no wallet `{other}`")),
        }
    }

    fn held(&self, row: &Row, number: u8) -> Result<&Hold, Fault> {
        let holds = match row.get("attempt") {
            None => &self.host.holds,
            Some("first") => &self.host.stale,
            Some(other) => return Err(format!("there is no attempt `{other}`")),
        };
        holds
            .get(&number)
            .ok_or_else(|| format!("key {number} has no hold"))
    }

    fn operator(row: &Row) -> Result<Operator, Fault> {
        match row.get("by") {
            None => Ok(operator(Privilege::GrantCredits)),
            Some("own") => Ok(operator_of(ACCOUNT, Privilege::GrantCredits)),
            Some("unprivileged") => Ok(operator(Privilege::ConfirmPayments)),
            Some(other) => Err(format!("there is no operator `{other}`")),
        }
    }

    fn policy(&mut self, row: &Row) -> Result<(), Fault> {
        row.no_words()?;
        row.only(&[
            "overage",
            "late",
            "late_seconds",
            "open_holds",
            "refund_life",
        ])?;
        let mut credit = credit_policy(Overage::Reject);
        for (name, value) in &row.named {
            match *name {
                "overage" => credit.overage = overage(value)?,
                "late" => credit.late_settle = late_settle(value)?,
                "late_seconds" => credit.late_settle_seconds = number(value)?,
                "open_holds" => credit.max_open_holds = number(value)?,
                _ => credit.refund_life_seconds = number(value)?,
            }
        }
        self.check()?;
        self.begin(credit);
        Ok(())
    }

    fn balance(&self, row: &Row) -> Compared {
        let balance = self.host.wallet.balance_at(at(self.now));
        let balance = balance.map_err(|error| error.to_string())?;
        row.no_words()?;
        row.compare(|name, _| {
            let part = match name {
                "granted" => balance.granted,
                "scheduled" => balance.scheduled,
                "free" => balance.free,
                "held" => balance.held,
                "spent" => balance.spent,
                "expired" => balance.expired,
                "revoked" => balance.revoked,
                "debt" => balance.debt,
                _ => return Err(format!("a balance has no `{name}`")),
            };
            Ok(part.to_string())
        })
    }

    /// Compares the last entry of the ledger.
    fn last(&self, row: &Row) -> Compared {
        let entry = self.host.ledger.last().ok_or("the ledger is empty")?;
        let event = serde_json::to_value(&entry.event).unwrap();
        row.no_words()?;
        row.compare(|name, _| {
            let part = match name {
                "event" => &event["event"],
                "hold" => &event["hold"],
                "cause" => &event["grant"]["cause"],
                "until" => {
                    let Event::Granted { grant } = &entry.event else {
                        return Err("no grant is last".to_owned());
                    };
                    return Ok(told(grant.expires_at));
                }
                _ => return Err(format!("an entry has no `{name}`")),
            };
            Ok(part.as_str().unwrap_or("none").to_owned())
        })
    }

    /// What rolls over into a grant, if anything does.
    fn rollover(row: &Row, from: Option<Arc<str>>) -> Result<Option<Rollover>, Fault> {
        let Some(bounds) = row.get("keep") else {
            return Ok(None);
        };
        let (minimum, maximum) = bounds.split_once("..").ok_or("what is kept is MIN..MAX")?;
        Ok(Some(Rollover {
            from: from.ok_or("nothing comes before it")?,
            minimum: credit(minimum)?,
            maximum: credit(maximum)?,
        }))
    }

    fn command(&mut self, row: &Row) -> Compared {
        let now = at(self.now);
        let seen = match row.command {
            "grant" => {
                row.only(&[
                    "priority", "from", "until", "by", "keep", "of", "prior", "wallet",
                ])?;
                let [name, amount] = row.words()?;
                let named = name
                    .parse()
                    .map_err(|error: IdempotencyKeyError| error.to_string())?;
                let cause = match Cause::promotion(&Self::operator(row)?, &ACCOUNT.into(), &named) {
                    Ok(cause) => cause,
                    Err(error) => {
                        return Ok(Some((
                            row.answer().to_owned(),
                            self.refusals.answer(row, &error),
                        )));
                    }
                };
                let from = row.read("of", |name| match name.strip_prefix("month/") {
                    Some(which) => Ok(month_of(which)?.0.into()),
                    None => Ok(format!("grant/promotion/{name}").into()),
                })?;
                let terms = GrantTerms {
                    amount: credit(amount)?,
                    priority: row
                        .read("priority", number)?
                        .unwrap_or(GrantTerms::PRIORITY),
                    effective_at: row.read("from", moment)?,
                    expires_at: row.read("until", moment)?,
                    rollover: Self::rollover(row, from)?,
                };
                let prior = self.prior(row, cause.key());
                let result = self.wallet(row)?.grant(&cause, terms, prior.as_ref(), now);
                self.answer(row, result, "granted")?.0
            }
            "month" => {
                row.only(&["keep"])?;
                let [which, amount] = row.words()?;
                let (key, length) = month_of(which)?;
                let before = number::<u32>(which)?.checked_sub(1).and_then(month);
                let before = before.map(|(key, _)| key.into());
                let terms = GrantTerms {
                    rollover: Self::rollover(row, before)?,
                    ..GrantTerms::month(credit(amount)?, length)
                };
                self.host.enter_month(&key, &terms, now).to_owned()
            }
            "hold" => {
                row.only(&["for", "print", "prior", "wallet"])?;
                let [name, units] = row.words()?;
                let name: u8 = number(name)?;
                let request = HoldRequest {
                    key: key(name),
                    quote: self
                        .prices
                        .quote("unit", number(units)?)
                        .map_err(|error| error.to_string())?,
                    time_to_live: row
                        .read("for", length)?
                        .ok_or("a hold lasts `for=` a time")?,
                    fingerprint: row.read("print", fingerprint)?,
                };
                let prior = self.prior_of(row, name);
                match self
                    .wallet(row)?
                    .hold(&self.host.access, &request, prior.as_ref(), now)
                {
                    Ok(Answer::Replayed(replayed)) => match replayed {
                        Replayed::Pending => "pending",
                        Replayed::Settled(_) => "settled",
                        Replayed::Released { .. } => "released",
                        Replayed::Expired { .. } => "expired",
                    }
                    .to_owned(),
                    result => {
                        let (seen, hold) = self.answer(row, result, "")?;
                        if let Some(hold) = hold {
                            if let Some(earlier) = self.host.holds.insert(name, hold) {
                                self.host.stale.entry(name).or_insert(earlier);
                            }
                            self.requests.insert(name, request);
                        }
                        seen
                    }
                }
            }
            // The first request again, by a client that wants its receipt.
            "receipt" => {
                row.only(&["drawn"])?;
                let [name] = row.words()?;
                let name = number(name)?;
                let request = self
                    .requests
                    .get(&name)
                    .ok_or("there was no such request")?;
                let prior = self.prior_of(row, name);
                match self
                    .host
                    .wallet
                    .clone()
                    .hold(&self.host.access, request, prior.as_ref(), now)
                {
                    Ok(Answer::Replayed(replayed)) => match replayed.receipt() {
                        Ok(receipt) => receipt.charged.to_string(),
                        Err(error) => {
                            let drawn = match error {
                                ReplayError::Released { drawn }
                                | ReplayError::Expired { drawn } => drawn,
                                _ => Credits::ZERO,
                            };
                            let expected = row.read("drawn", credit)?.unwrap_or(drawn);
                            if expected != drawn {
                                return Err(format!("{drawn} were drawn"));
                            }
                            self.refusals.answer(row, &error)
                        }
                    },
                    other => return Err(format!("a request that was sent before: {other:?}")),
                }
            }
            "draw" | "settle" => {
                row.only(&["prior", "wallet", "attempt"])?;
                let [name, total] = row.words()?;
                let name = number(name)?;
                let (prior, total) = (self.prior_of(row, name), credit(total)?);
                if row.command == "draw" {
                    let result =
                        self.wallet(row)?
                            .draw(self.held(row, name)?, total, prior.as_ref(), now);
                    self.answer(row, result, "drawn")?.0
                } else {
                    let result =
                        self.wallet(row)?
                            .settle(self.held(row, name)?, total, prior.as_ref(), now);
                    self.answer(row, result, "settled")?.0
                }
            }
            "release" => {
                row.only(&["prior", "wallet", "attempt"])?;
                let [name] = row.words()?;
                let name = number(name)?;
                let prior = self.prior_of(row, name);
                match self
                    .wallet(row)?
                    .release(self.held(row, name)?, prior.as_ref(), now)
                {
                    Ok(Answer::Replayed(Ended::Expired)) => "expired".to_owned(),
                    result => self.answer(row, result, "released")?.0,
                }
            }
            "deduct" => {
                row.only(&["print", "prior", "wallet"])?;
                let [name, units] = row.words()?;
                let name = number(name)?;
                let prior = self.prior_of(row, name);
                let quote = self
                    .prices
                    .quote("unit", number(units)?)
                    .map_err(|error| error.to_string())?;
                let request = DeductRequest {
                    key: key(name),
                    quote,
                    fingerprint: row.read("print", fingerprint)?,
                };
                let result =
                    self.wallet(row)?
                        .deduct(&self.host.access, &request, prior.as_ref(), now);
                self.answer(row, result, "settled")?.0
            }
            "refund" => {
                row.only(&["prior", "wallet"])?;
                let [name, total] = row.words()?;
                let prior = self
                    .prior_of(row, number(name)?)
                    .ok_or("there is no outcome to refund")?;
                let result =
                    self.wallet(row)?
                        .refund(&self.host.policy, credit(total)?, &prior, now);
                self.answer(row, result, "refunded")?.0
            }
            "fill" => {
                let [count] = row.words()?;
                self.fill(number(count)?)
            }
            "revoke" => {
                row.only(&["by", "prior", "wallet"])?;
                let [name] = row.words()?;
                let id = if name.contains('/') {
                    name.replace('_', " ")
                } else {
                    format!("grant/promotion/{name}")
                };
                let prior = self.prior(row, &Outcome::revoke_key(&id));
                let result =
                    self.wallet(row)?
                        .revoke(&Self::operator(row)?, &id, prior.as_ref(), now);
                self.answer(row, result, "revoked")?.0
            }
            "check" => {
                row.only(&["wallet"])?;
                let [units] = row.words()?;
                let quote = self
                    .prices
                    .quote("unit", number(units)?)
                    .map_err(|error| error.to_string())?;
                match self.wallet(row)?.check(&self.host.access, &quote, now) {
                    Ok(left) => left.to_string(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "covered" => {
                row.only(&[])?;
                let [amount] = row.words()?;
                let covered = self.host.wallet.covered_at(credit(amount)?, now);
                told(covered.map_err(|error| error.to_string())?)
            }
            "advance" => {
                row.only(&[])?;
                let [] = row.words()?;
                match self.host.wallet.clone().advance(now) {
                    Ok(change) => {
                        self.host.write(change);
                        "fresh".to_owned()
                    }
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "open" => {
                row.only(&["skew", "drawn"])?;
                let [name] = row.words()?;
                let name = number(name)?;
                let hold = self
                    .host
                    .holds
                    .remove(&name)
                    .ok_or("there is no hold to draw from")?;
                let skew = row.read("skew", length)?.unwrap_or(TimeDelta::zero());
                let drawn = row.read("drawn", credit)?.unwrap_or(Credits::ZERO);
                let allowance = Allowance::of(hold, drawn, skew);
                let left = allowance.left().to_string();
                self.allowances.insert(name, allowance);
                left
            }
            "spend" => {
                row.only(&[])?;
                let [name, amount] = row.words()?;
                let allowance = self
                    .allowances
                    .get(&number(name)?)
                    .ok_or("there is no such allowance")?;
                match allowance.spend(credit(amount)?, now) {
                    Ok(drawn) => drawn.to_string(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            // What an allowance has drawn so far is drawn in the store too.
            "checkpoint" => {
                row.only(&[])?;
                let [name] = row.words()?;
                let name = number(name)?;
                let prior = self.prior_of(row, name);
                let allowance = self
                    .allowances
                    .get(&name)
                    .ok_or("there is no such allowance")?;
                let wallet = self.host.wallet.clone();
                let result = wallet.draw(allowance.hold(), allowance.drawn(), prior.as_ref(), now);
                match self.answer(row, result, "drawn")? {
                    (_, Some(drawn)) => drawn.to_string(),
                    (word, None) => word,
                }
            }
            "end" => {
                row.only(&[])?;
                let [name] = row.words()?;
                let name = number(name)?;
                let (hold, total) = self
                    .allowances
                    .remove(&name)
                    .ok_or("there is no such allowance")?
                    .end();
                let prior = self.prior_of(row, name);
                let result = self
                    .host
                    .wallet
                    .clone()
                    .settle(&hold, total, prior.as_ref(), now);
                self.host.holds.insert(name, hold);
                self.answer(row, result, "settled")?.0
            }
            "access" => {
                row.only(&["until"])?;
                let [] = row.words()?;
                self.host.access = access(self.host.policy.clone(), row.read("until", seconds)?);
                "given".to_owned()
            }
            "key" => {
                let [text] = row.words()?;
                // What a row cannot hold, or not well, is named.
                let text = match text {
                    "empty" => String::new(),
                    "spaced" => "a b".to_owned(),
                    _ => match text.strip_prefix("long") {
                        Some(length) => "k".repeat(number(length)?),
                        None => text.to_owned(),
                    },
                };
                match text.parse::<IdempotencyKey>() {
                    Ok(_) => "sound".to_owned(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "amount" => {
                let [text] = row.words()?;
                match text.parse::<Credits>() {
                    Ok(amount) => amount.micros().to_string(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "money" => {
                let [amount, currency] = row.words()?;
                let amount = amount
                    .parse()
                    .map_err(|_| format!("`{amount}` is no decimal"))?;
                match currency
                    .parse()
                    .and_then(|currency| Money::new(amount, currency))
                {
                    Ok(money) => money.amount().to_string(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "prices" => {
                let [json] = row.words()?;
                let prices: BTreeMap<Arc<str>, Price> =
                    serde_json::from_str(json).map_err(|error| format!("{error}"))?;
                match PriceList::try_from(prices) {
                    Ok(prices) => {
                        self.prices = prices;
                        "sound".to_owned()
                    }
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "quote" => {
                let [operation, quantity] = row.words()?;
                match self.prices.quote(operation, number(quantity)?) {
                    Ok(quote) => quote.price().to_string(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            "replay" => {
                row.only(&["without"])?;
                let [] = row.words()?;
                let without: Option<u64> = row.read("without", number)?;
                let ledger = self
                    .host
                    .ledger
                    .iter()
                    .filter(|entry| Some(entry.sequence) != without)
                    .cloned();
                match Wallet::replay(&ACCOUNT.into(), ledger) {
                    Ok(wallet) if wallet.equals_but_for_version(&self.host.wallet) => {
                        "sound".to_owned()
                    }
                    Ok(_) => "differs".to_owned(),
                    Err(error) => self.refusals.answer(row, &error),
                }
            }
            unknown => return Err(format!("there is no command `{unknown}`")),
        };
        Ok(Some((row.answer().to_owned(), seen)))
    }
}

impl Script for Table {
    fn new() -> Self {
        Self {
            host: Host::under(credit_policy(Overage::Reject)),
            now: 0,
            requests: BTreeMap::new(),
            allowances: BTreeMap::new(),
            prices: prices(),
            remembered: None,
            refusals: Refusals::default(),
            ticks: false,
        }
    }

    fn row(&mut self, row: &Row) -> Compared {
        match row.command {
            "policy" => self.policy(row).map(|()| None),
            "clock" => match row.words[..] {
                [time] if row.named.is_empty() => {
                    self.clock(seconds(time)?);
                    Ok(None)
                }
                _ => Err("`clock` takes one time".to_owned()),
            },
            "remember" => {
                row.no_words()?;
                self.remembered = Some(self.host.wallet.clone());
                Ok(None)
            }
            "balance" => self.balance(row),
            "last" => self.last(row),
            _ => self.command(row),
        }
    }

    /// Checks that the wallet is what its ledger adds up to, whatever was done.
    fn check(&self) -> Result<(), Fault> {
        let replayed = Wallet::replay(&ACCOUNT.into(), self.host.ledger.clone());
        match replayed {
            Ok(wallet) if wallet.equals_but_for_version(&self.host.wallet) => Ok(()),
            Ok(_) => Err("the wallet is not what its ledger adds up to".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A moment as a script says it, in seconds.
fn told(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or("never".to_owned(), |moment| {
        (moment - at(0)).num_seconds().to_string()
    })
}

fn length(text: &str) -> Result<TimeDelta, Fault> {
    TimeDelta::try_seconds(seconds(text)?).ok_or_else(|| format!("`{text}` is too long"))
}

fn fingerprint(text: &str) -> Result<[u8; 32], Fault> {
    Ok([number(text)?; 32])
}

fn month_of(which: &str) -> Result<(String, Period), Fault> {
    month(number(which)?).ok_or_else(|| "the calendar ended".to_owned())
}

/// The access of a member: without end, or of a trial.
fn access(policy: Policy, until: Option<i64>) -> Access {
    let mut tenant = tenant(ACCOUNT);
    if let Some(end) = until {
        let plan = Plan {
            needs_subscription: true,
            // A plan without a price would outlive its trial.
            price: euros(49),
            ..Plan::clone(tenant.plan.as_ref().unwrap())
        };
        tenant.plan = Some(Arc::new(plan));
        let new = Subscription::new(
            9.into(),
            ACCOUNT.into(),
            1.into(),
            PaymentMethod::BankTransfer,
            at(0),
        );
        tenant.subscription = Some(Subscription {
            status: SubscriptionStatus::Trialing,
            trial_end: Some(at(end)),
            ..new
        });
    }
    let principal = Principal::session(1.into()).of_account(ACCOUNT.into());
    policy
        .validate_account_and_plan(&principal, Some(&tenant), at(0))
        .unwrap()
}

fn all() -> Vec<Played<Table>> {
    play_all("credit", Table::new)
}

#[test]
fn c4_every_row_of_every_script_answers_as_it_says() {
    pass_all(&all());
}

/// All scripts once more, with the clock ticking between the rows: nothing is answered otherwise,
/// and the ledgers say the same.
#[test]
fn c5_every_script_answers_alike_however_finely_the_clock_ticks() {
    let events = |played: &Played<Table>| {
        let ledger = played.script.host.ledger.iter();
        ledger
            .map(|entry| (entry.at, entry.event.clone()))
            .collect::<Vec<_>>()
    };
    let ticked = play_all("credit", || Table {
        ticks: true,
        ..Table::new()
    });
    pass_all(&ticked);
    for (once, ticked) in all().iter_mut().zip(&ticked) {
        // Both have looked at the last moment now.
        let advanced = once.script.host.wallet.clone().advance(at(once.script.now));
        once.script.host.write(advanced.unwrap());
        assert_eq!(events(once), events(ticked));
        let (once, ticked) = (&once.script.host.wallet, &ticked.script.host.wallet);
        assert!(once.equals_but_for_version(ticked));
    }
}

scripts! { Table:
    fn c1_a_revocation_takes_what_is_left_and_never_goes_below_zero() runs "credit/revocations.txt";
    fn c1_nobody_grows_a_wallet_without_end() runs "credit/bounds.txt";
    fn c2_debt_arises_only_under_a_policy() runs "credit/overage_debt.txt";
    fn c3_a_hold_is_set_aside_and_ends_once() runs "credit/holds.txt";
    fn c3_draws_state_their_total() runs "credit/draws.txt";
    fn c3_draws_race_with_a_release() runs "credit/draws_debt.txt";
    fn c3_what_was_drawn_stays_charged_is_told_and_can_be_given_back() runs "credit/draws_ended.txt";
    fn c3_a_late_settlement_is_refused_unless_the_policy_says_otherwise() runs "credit/late_refuse.txt";
    fn c3_a_late_settlement_is_a_new_charge_once_and_within_its_grace() runs "credit/late_available.txt";
    fn c3_a_late_settlement_may_leave_a_debt() runs "credit/late_debt.txt";
    fn c4_a_key_is_one_request() runs "credit/keys.txt";
    fn c4_an_open_hold_is_pending_even_if_the_wallet_was_read_before_it() runs "credit/races.txt";
    fn c5_what_a_month_had_left_rolls_over_within_its_bounds() runs "credit/rollover.txt";
    fn c5_a_rollover_keeps_its_time_in_awkward_company() runs "credit/rollover_awkward.txt";
    fn c6_credits_burn_in_order() runs "credit/grants.txt";
    fn c9_refunds_state_their_total_and_never_exceed_the_charge() runs "credit/refunds_cap.txt";
    fn c9_a_refund_lives_on_when_its_grant_has_expired() runs "credit/refund_lives.txt";
    fn c11_sums_beyond_the_range_are_refused_and_change_nothing() runs "credit/amounts.txt";
    fn c11_what_rolls_over_stops_at_the_end_of_the_range() runs "credit/amounts_rollover.txt";
    fn c7_months_that_were_granted_by_key_still_add_up() runs "credit/months.txt";
}

/// Every refusal that a credit command can make, by its error. Left out is what cannot happen:
/// [`WalletError::Inexact`], since a wallet that does not add up is not loaded, and sums beyond the
/// range where only what was granted moves.
fn refusals() -> BTreeSet<(&'static str, &'static str)> {
    let (some, mismatch, overflow) = (
        credits(1),
        WalletError::Row(RowError::Mismatch {
            left: "wallet",
            right: "outcome",
        }),
        WalletError::AmountOverflow,
    );
    let denied = Denial::PrivilegeMissing(Privilege::GrantCredits);
    let mut all = BTreeSet::new();
    let mut add = |error: &str, codes: &[Code]| {
        for code in codes {
            // A name of this function's own, so that the set borrows nothing.
            let error = ERRORS.iter().find(|name| **name == error).unwrap();
            all.insert((*error, code.as_str()));
        }
    };
    let codes = |errors: &[&dyn Explained]| {
        errors
            .iter()
            .map(|error| error.code())
            .collect::<Vec<Code>>()
    };
    let insufficient = HoldError::Insufficient {
        needed: some,
        available: some,
        debt: some,
        covered_at: None,
    };
    add(
        "HoldError",
        &codes(&[
            &HoldError::AccessExpired,
            &insufficient,
            &HoldError::TooManyHolds { open: 1 },
            &HoldError::TimeInvalid,
            &HoldError::KeyReused,
            &HoldError::Wallet(mismatch),
        ]),
    );
    add(
        "SettleError",
        &codes(&[
            &SettleError::CostExceedsHold {
                cost: some,
                held: some,
            },
            &SettleError::LessThanDrawn {
                total: some,
                drawn: some,
            },
            &SettleError::LateInsufficient {
                cost: some,
                available: some,
            },
            &SettleError::Expired,
            &SettleError::Released,
            &SettleError::Superseded,
            &SettleError::Settled { cost: some },
            &SettleError::Wallet(mismatch),
            &SettleError::Wallet(overflow),
        ]),
    );
    add(
        "ReleaseError",
        &codes(&[
            &ReleaseError::Settled,
            &ReleaseError::Superseded,
            &ReleaseError::Wallet(mismatch),
        ]),
    );
    add(
        "GrantError",
        &codes(&[
            &GrantError::TermsInvalid,
            &GrantError::KeyReused,
            &GrantError::TooManyGrants,
            &GrantError::Wallet(mismatch),
            &GrantError::Wallet(overflow),
        ]),
    );
    add(
        "RefundError",
        &codes(&[
            &RefundError::NotSettled,
            &RefundError::ExceedsCharge {
                total: some,
                charged: some,
            },
            &RefundError::TooManyGrants,
            &RefundError::Wallet(mismatch),
            &RefundError::Wallet(overflow),
        ]),
    );
    add(
        "RevokeError",
        &codes(&[
            &RevokeError::Denied(denied),
            &RevokeError::Denied(Denial::OwnAccount),
            &RevokeError::NothingLeft,
            &RevokeError::Wallet(mismatch),
        ]),
    );
    add(
        "CauseError",
        &codes(&[
            &CauseError::Denied(denied),
            &CauseError::Denied(Denial::OwnAccount),
        ]),
    );
    add(
        "ReplayError",
        &codes(&[
            &ReplayError::Pending,
            &ReplayError::Released { drawn: some },
            &ReplayError::Expired { drawn: some },
        ]),
    );
    add("IdempotencyKeyError", &codes(&[&IdempotencyKeyError]));
    add(
        "AmountError",
        &codes(&[
            &AmountError::Negative,
            &AmountError::TooPrecise { places: 6 },
            &AmountError::TooLarge,
            &AmountError::NotANumber,
            &AmountError::Currency,
        ]),
    );
    add(
        "PriceError",
        &codes(&[
            &PriceError::OperationUnknown(String::new(), String::new()),
            &PriceError::PriceInvalid(String::new()),
            &PriceError::TooLarge(String::new(), 1),
        ]),
    );
    add(
        "AllowanceError",
        &codes(&[
            &AllowanceError::Exhausted {
                needed: some,
                left: some,
            },
            &AllowanceError::Ended,
        ]),
    );
    add(
        "LedgerError",
        &codes(&[&LedgerError {
            sequence: 1,
            fault: LedgerFault::Sequence,
        }]),
    );
    all
}

const ERRORS: [&str; 13] = [
    "HoldError",
    "SettleError",
    "ReleaseError",
    "GrantError",
    "RefundError",
    "RevokeError",
    "CauseError",
    "ReplayError",
    "IdempotencyKeyError",
    "AmountError",
    "PriceError",
    "AllowanceError",
    "LedgerError",
];

#[test]
fn c4_the_scripts_reach_every_refusal_of_every_credit_error() {
    let reached: BTreeSet<_> = all()
        .into_iter()
        .flat_map(|played| played.script.refusals.0)
        .map(|(error, _, code)| (error, code))
        .collect();
    let all = refusals();
    let missing: Vec<_> = all.difference(&reached).collect();
    assert!(missing.is_empty(), "no row answers {missing:?}");
    let unlisted: Vec<_> = reached.difference(&all).collect();
    assert!(
        unlisted.is_empty(),
        "the list of refusals lacks {unlisted:?}"
    );
}

#[test]
fn a_script_that_cannot_be_read_is_reported_with_its_line() {
    for (script, expected) in [
        (
            "clock 0\n\nfly 1 fresh # away",
            "t:3: fly 1 fresh # away\n    there is no command `fly`",
        ),
        (
            "grant first fresh",
            "t:1: grant first fresh\n    `grant` takes 2 words and an answer",
        ),
        (
            "grant first ten fresh",
            "t:1: grant first ten fresh\n    `ten`: an amount must be a decimal number",
        ),
        (
            "hold 1 5 for=soon fresh",
            "t:1: hold 1 5 for=soon fresh\n    `soon` is no number of the right size",
        ),
        (
            "hold 1 5 fresh",
            "t:1: hold 1 5 fresh\n    a hold lasts `for=` a time",
        ),
        (
            "settle 3 1 fresh",
            "t:1: settle 3 1 fresh\n    key 3 has no hold",
        ),
        (
            "revoke x wings=2 fresh",
            "t:1: revoke x wings=2 fresh\n    `revoke` knows no `wings=`",
        ),
        ("clock", "t:1: clock\n    `clock` takes one time"),
        (
            "balance",
            "t:1: balance\n    `balance` names what it looks at",
        ),
        (
            "balance wings=2",
            "t:1: balance wings=2\n    a balance has no `wings`",
        ),
        (
            "clock 0\npolicy cap",
            "t:2: policy cap\n    `policy` takes no `cap`",
        ),
        (
            "hold 1 5 for=9 wallet=remembered fresh",
            "t:1: hold 1 5 for=9 wallet=remembered fresh\n    no wallet is remembered",
        ),
        (
            "policy overage=lots",
            "t:1: policy overage=lots\n    there is no overage policy `lots`",
        ),
        (
            "grant first 3 expired",
            "t:1: grant first 3 expired\n    expected expired\n    seen     fresh",
        ),
        (
            "balance free=3",
            "t:1: balance free=3\n    expected free=3\n    seen     free=0",
        ),
    ] {
        fails::<Table>(script, expected);
    }
}
