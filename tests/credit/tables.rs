//! Scripts of commands against one wallet: `tests/tables/*.txt`. Each row is a command and ends in
//! its expected answer: `fresh`, the word of a replay, an amount, or the stable code of the
//! refusal.
//!
//! ```text
//! policy overage=debt:20 late=available late_seconds=5 open_holds=4 refund_life=6
//! clock 10
//! grant NAME AMOUNT [priority=N] [from=T] [until=T] [by=own|unprivileged]
//! month N AMOUNT [keep=MIN..MAX]
//! hold KEY UNITS for=SECONDS [print=BYTE]
//! draw KEY TOTAL          settle KEY COST       release KEY
//! fill COUNT              grants one credit more as often as it takes for so many grants
//! deduct KEY UNITS        refund KEY TOTAL      revoke NAME [by=own|unprivileged]     (a whole identifier with _ for spaces)
//! check UNITS             receipt KEY           advance
//! open KEY [skew=SECONDS] spend KEY AMOUNT      end KEY
//! access [until=T]        key TEXT              amount TEXT         money AMOUNT CURRENCY
//! prices JSON             quote OPERATION QUANTITY                  replay [without=N]
//! balance free=… held=… spent=… debt=… expired=… revoked=… scheduled=… granted=…
//! ```
//!
//! Times are seconds, or days as `31d`. `prior=none` leaves out the stored outcome, `prior=KEY`
//! takes another key's, and `wallet=other` takes another account's wallet: the mistakes of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::host::{ACCOUNT, Host, credit_policy, key, month};
use crate::support::{at, credits, operator, operator_of, tenant};
use bailiwick::change::{Answer, RowError};
use bailiwick::credit::{
    Allowance, AllowanceError, Cause, CauseError, Change, DeductRequest, Ended, GrantError,
    GrantTerms, HoldError, HoldRequest, IdempotencyKey, IdempotencyKeyError, LedgerError,
    LedgerFault, Outcome, Price, PriceError, PriceList, RefundError, ReleaseError, ReplayError,
    Replayed, RevokeError, Rollover, SettleError, WalletError,
};
use bailiwick::gate::{Denial, Operator};
use bailiwick::money::AmountError;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::{LateSettle, Overage};
use bailiwick::problem::Explained;
use bailiwick::right::Privilege;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{
    Access, Code, Credits, Hold, Money, Plan, Policy, Principal, Subscription, Wallet,
};
use chrono::TimeDelta;

/// A fault of the script itself.
type Fault = String;

/// One row's words: what stands by place, and what is named.
struct Row<'a> {
    command: &'a str,
    words: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        let mut all = line.split_whitespace();
        let command = all.next()?;
        // A price list is JSON, in which there may be anything.
        let (named, words): (Vec<&str>, Vec<&str>) =
            all.partition(|word| word.contains('=') && !word.starts_with('{') && command != "key");
        let named = named
            .into_iter()
            .filter_map(|word| word.split_once('='))
            .collect();
        Some(Self {
            command,
            words,
            named,
        })
    }

    /// The words of a command that takes so many, and the expected answer after them.
    fn words<const N: usize>(&self) -> Result<([&'a str; N], &'a str), Fault> {
        let (answer, words) = self.words.split_last().ok_or("a row ends in its answer")?;
        let words = words
            .try_into()
            .map_err(|_| format!("`{}` takes {N} words and an answer", self.command))?;
        Ok((words, answer))
    }

    fn only(&self, names: &[&str]) -> Result<(), Fault> {
        match self.named.keys().find(|name| !names.contains(name)) {
            Some(name) => Err(format!("`{}` knows no `{name}=`", self.command)),
            None => Ok(()),
        }
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.named.get(name).map(|text| seconds(text)).transpose()
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Fault> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number of the right size"))
}

fn seconds(text: &str) -> Result<i64, Fault> {
    match text.strip_suffix('d') {
        Some(days) => Ok(number::<i64>(days)? * 86_400),
        None => number(text),
    }
}

fn credit(text: &str) -> Result<Credits, Fault> {
    text.parse()
        .map_err(|error: AmountError| format!("`{text}`: {error}"))
}

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
    /// A policy comes before everything else.
    begun: bool,
    requests: BTreeMap<u8, HoldRequest>,
    allowances: BTreeMap<u8, Allowance>,
    prices: PriceList,
    /// Which error has answered with which code.
    reached: BTreeSet<(&'static str, &'static str)>,
}

impl Table {
    fn new() -> Self {
        Self {
            host: Host::under(credit_policy(Overage::Reject)),
            now: 0,
            begun: false,
            requests: BTreeMap::new(),
            allowances: BTreeMap::new(),
            prices: serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap(),
            reached: BTreeSet::new(),
        }
    }

    fn refused(&mut self, error: &impl Explained) -> String {
        let whole = std::any::type_name_of_val(error);
        self.reached
            .insert((whole.rsplit("::").next().unwrap(), error.code().as_str()));
        error.code().as_str().to_owned()
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

    fn answer<T, R, E: Explained>(
        &mut self,
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
            Err(error) => (self.refused(&error), None),
        })
    }

    fn prior(&self, row: &Row, own: &str) -> Option<Outcome> {
        match row.named.get("prior") {
            Some(&"none") => None,
            Some(other) => self.host.prior(other),
            None => self.host.prior(own),
        }
    }

    fn prior_of(&self, row: &Row, number: u8) -> Option<Outcome> {
        self.prior(row, &Outcome::spend_key(&key(number)))
    }

    fn wallet(&self, row: &Row) -> Wallet {
        let foreign = row
            .named
            .get("wallet")
            .is_some_and(|whose| *whose == "other");
        if foreign {
            Wallet::open(8.into(), at(0))
        } else {
            self.host.wallet.clone()
        }
    }

    fn held(&self, number: u8) -> Result<&Hold, Fault> {
        self.host
            .holds
            .get(&number)
            .ok_or_else(|| format!("key {number} has no hold"))
    }

    fn operator(row: &Row) -> Result<Operator, Fault> {
        match row.named.get("by").copied() {
            None => Ok(operator(Privilege::GrantCredits)),
            Some("own") => Ok(operator_of(ACCOUNT, Privilege::GrantCredits)),
            Some("unprivileged") => Ok(operator(Privilege::ConfirmPayments)),
            Some(other) => Err(format!("there is no operator `{other}`")),
        }
    }

    /// Carries out a row: what was expected and what was seen; nothing of a row that has no answer.
    fn row(&mut self, row: &Row) -> Result<Option<(String, String)>, Fault> {
        if row.command == "policy" {
            row.only(&[
                "overage",
                "late",
                "late_seconds",
                "open_holds",
                "refund_life",
            ])?;
            if self.begun || !row.words.is_empty() {
                return Err("a policy names its settings, before everything else".to_owned());
            }
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
            self.host = Host::under(credit);
            return Ok(None);
        }
        self.begun = true;
        match row.command {
            "clock" => match row.words[..] {
                [time] if row.named.is_empty() => {
                    self.now = seconds(time)?;
                    Ok(None)
                }
                _ => Err("`clock` takes one time".to_owned()),
            },
            "balance" => self.balance(row).map(Some),
            _ => self.command(row).map(Some),
        }
    }

    fn balance(&self, row: &Row) -> Result<(String, String), Fault> {
        let balance = self
            .host
            .wallet
            .balance_at(at(self.now))
            .map_err(|error| error.to_string())?;
        if row.named.is_empty() || !row.words.is_empty() {
            return Err("a balance names its parts".to_owned());
        }
        let (mut expected, mut seen) = (String::new(), String::new());
        for (name, value) in &row.named {
            let part = match *name {
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
            let _ = write!(expected, "{name}={} ", credit(value)?);
            let _ = write!(seen, "{name}={part} ");
        }
        Ok((expected, seen))
    }

    fn command(&mut self, row: &Row) -> Result<(String, String), Fault> {
        let now = at(self.now);
        let seen = match row.command {
            "grant" => {
                row.only(&["priority", "from", "until", "by", "prior", "wallet"])?;
                let ([name, amount], _) = row.words()?;
                let named = name
                    .parse()
                    .map_err(|error: IdempotencyKeyError| error.to_string())?;
                let cause = match Cause::promotion(&Self::operator(row)?, &ACCOUNT.into(), &named) {
                    Ok(cause) => cause,
                    Err(error) => return Ok((last(row), self.refused(&error))),
                };
                let terms = GrantTerms {
                    amount: credit(amount)?,
                    priority: row
                        .named
                        .get("priority")
                        .map_or(Ok(GrantTerms::PRIORITY), |text| number(text))?,
                    effective_at: row.time("from")?.map(at),
                    expires_at: row.time("until")?.map(at),
                    rollover: None,
                };
                let prior = self.prior(row, cause.key());
                let result = self.wallet(row).grant(&cause, terms, prior.as_ref(), now);
                self.answer(result, "granted")?.0
            }
            "month" => {
                row.only(&["keep"])?;
                let ([which, amount], _) = row.words()?;
                let which: usize = number(which)?;
                let (cause, length) = month(which).ok_or("a year has months 0 to 11")?;
                let before = which.checked_sub(1).and_then(month);
                let rollover = row.named.get("keep").map(|bounds| {
                    let (minimum, maximum) =
                        bounds.split_once("..").ok_or("what is kept is MIN..MAX")?;
                    let from = before
                        .as_ref()
                        .ok_or("the first month has none before it")?
                        .0
                        .key()
                        .into();
                    Ok::<_, Fault>(Rollover {
                        from,
                        minimum: credit(minimum)?,
                        maximum: credit(maximum)?,
                    })
                });
                let terms = GrantTerms {
                    rollover: rollover.transpose()?,
                    ..GrantTerms::month(credit(amount)?, length)
                };
                let prior = self.prior(row, cause.key());
                let result = self.wallet(row).grant(&cause, terms, prior.as_ref(), now);
                self.answer(result, "granted")?.0
            }
            "hold" => {
                row.only(&["for", "print", "prior", "wallet"])?;
                let ([name, units], _) = row.words()?;
                let name: u8 = number(name)?;
                let request = HoldRequest {
                    key: key(name),
                    quote: self
                        .prices
                        .quote("unit", number(units)?)
                        .map_err(|error| error.to_string())?,
                    time_to_live: TimeDelta::try_seconds(
                        row.time("for")?.ok_or("a hold lasts `for=` a time")?,
                    )
                    .ok_or("a time out of range")?,
                    fingerprint: row
                        .named
                        .get("print")
                        .map(|byte| number(byte).map(|byte| [byte; 32]))
                        .transpose()?,
                };
                let prior = self.prior_of(row, name);
                match self
                    .wallet(row)
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
                        let (seen, hold) = self.answer(result, "")?;
                        if let Some(hold) = hold {
                            self.host.holds.insert(name, hold);
                            self.requests.insert(name, request);
                        }
                        seen
                    }
                }
            }
            // The first request again, by a client that wants its receipt.
            "receipt" => {
                row.only(&[])?;
                let ([name], _) = row.words()?;
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
                        Err(error) => self.refused(&error),
                    },
                    other => return Err(format!("a request that was sent before: {other:?}")),
                }
            }
            "draw" | "settle" => {
                row.only(&["prior", "wallet"])?;
                let ([name, total], _) = row.words()?;
                let name = number(name)?;
                let (prior, total) = (self.prior_of(row, name), credit(total)?);
                if row.command == "draw" {
                    let result =
                        self.wallet(row)
                            .draw(self.held(name)?, total, prior.as_ref(), now);
                    self.answer(result, "drawn")?.0
                } else {
                    let result =
                        self.wallet(row)
                            .settle(self.held(name)?, total, prior.as_ref(), now);
                    self.answer(result, "settled")?.0
                }
            }
            "release" => {
                row.only(&["prior", "wallet"])?;
                let ([name], _) = row.words()?;
                let name = number(name)?;
                let prior = self.prior_of(row, name);
                match self
                    .wallet(row)
                    .release(self.held(name)?, prior.as_ref(), now)
                {
                    Ok(Answer::Replayed(Ended::Expired)) => "expired".to_owned(),
                    result => self.answer(result, "released")?.0,
                }
            }
            "deduct" => {
                row.only(&["prior", "wallet"])?;
                let ([name, units], _) = row.words()?;
                let name = number(name)?;
                let prior = self.prior_of(row, name);
                let quote = self
                    .prices
                    .quote("unit", number(units)?)
                    .map_err(|error| error.to_string())?;
                let request = DeductRequest {
                    key: key(name),
                    quote,
                    fingerprint: None,
                };
                let result =
                    self.wallet(row)
                        .deduct(&self.host.access, &request, prior.as_ref(), now);
                self.answer(result, "settled")?.0
            }
            "refund" => {
                row.only(&["prior", "wallet"])?;
                let ([name, total], _) = row.words()?;
                let prior = self
                    .prior_of(row, number(name)?)
                    .ok_or("there is no outcome to refund")?;
                let result =
                    self.wallet(row)
                        .refund(&self.host.policy, credit(total)?, &prior, now);
                self.answer(result, "refunded")?.0
            }
            "fill" => {
                let ([count], _) = row.words()?;
                self.fill(number(count)?)
            }
            "revoke" => {
                row.only(&["by", "prior", "wallet"])?;
                let ([name], _) = row.words()?;
                let id = if name.contains('/') {
                    name.replace('_', " ")
                } else {
                    format!("grant/promotion/{name}")
                };
                let prior = self.prior(row, &Outcome::revoke_key(&id));
                let result =
                    self.wallet(row)
                        .revoke(&Self::operator(row)?, &id, prior.as_ref(), now);
                self.answer(result, "revoked")?.0
            }
            "check" => {
                row.only(&["wallet"])?;
                let ([units], _) = row.words()?;
                let quote = self
                    .prices
                    .quote("unit", number(units)?)
                    .map_err(|error| error.to_string())?;
                match self.wallet(row).check(&self.host.access, &quote, now) {
                    Ok(left) => left.to_string(),
                    Err(error) => self.refused(&error),
                }
            }
            "advance" => {
                row.only(&[])?;
                let ([], _) = row.words()?;
                match self.host.wallet.clone().advance(now) {
                    Ok(change) => {
                        self.host.write(change);
                        "fresh".to_owned()
                    }
                    Err(error) => self.refused(&error),
                }
            }
            "open" => {
                row.only(&["skew"])?;
                let ([name], _) = row.words()?;
                let name = number(name)?;
                let hold = self
                    .host
                    .holds
                    .remove(&name)
                    .ok_or("there is no hold to draw from")?;
                let skew = TimeDelta::try_seconds(row.time("skew")?.unwrap_or(0))
                    .ok_or("a time out of range")?;
                let allowance = Allowance::of(hold, Credits::ZERO, skew);
                let left = allowance.left().to_string();
                self.allowances.insert(name, allowance);
                left
            }
            "spend" => {
                row.only(&[])?;
                let ([name, amount], _) = row.words()?;
                let allowance = self
                    .allowances
                    .get(&number(name)?)
                    .ok_or("there is no such allowance")?;
                match allowance.spend(credit(amount)?, now) {
                    Ok(drawn) => drawn.to_string(),
                    Err(error) => self.refused(&error),
                }
            }
            "end" => {
                row.only(&[])?;
                let ([name], _) = row.words()?;
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
                self.answer(result, "settled")?.0
            }
            "access" => {
                row.only(&["until"])?;
                let ([], _) = row.words()?;
                self.host.access = access(self.host.policy.clone(), row.time("until")?);
                "given".to_owned()
            }
            "key" => {
                let ([text], _) = row.words()?;
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
                    Err(error) => self.refused(&error),
                }
            }
            "amount" => {
                let ([text], _) = row.words()?;
                match text.parse::<Credits>() {
                    Ok(amount) => amount.micros().to_string(),
                    Err(error) => self.refused(&error),
                }
            }
            "money" => {
                let ([amount, currency], _) = row.words()?;
                let amount = amount
                    .parse()
                    .map_err(|_| format!("`{amount}` is no decimal"))?;
                match currency
                    .parse()
                    .and_then(|currency| Money::new(amount, currency))
                {
                    Ok(money) => money.amount().to_string(),
                    Err(error) => self.refused(&error),
                }
            }
            "prices" => {
                let ([json], _) = row.words()?;
                let prices: BTreeMap<Arc<str>, Price> =
                    serde_json::from_str(json).map_err(|error| format!("{error}"))?;
                match PriceList::try_from(prices) {
                    Ok(prices) => {
                        self.prices = prices;
                        "sound".to_owned()
                    }
                    Err(error) => self.refused(&error),
                }
            }
            "quote" => {
                let ([operation, quantity], _) = row.words()?;
                match self.prices.quote(operation, number(quantity)?) {
                    Ok(quote) => quote.price().to_string(),
                    Err(error) => self.refused(&error),
                }
            }
            "replay" => {
                row.only(&["without"])?;
                let ([], _) = row.words()?;
                let without: Option<u64> = row
                    .named
                    .get("without")
                    .map(|text| number(text))
                    .transpose()?;
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
                    Err(error) => self.refused(&error),
                }
            }
            unknown => return Err(format!("there is no command `{unknown}`")),
        };
        Ok((last(row), seen))
    }
}

/// The last word: the answer.
fn last(row: &Row) -> String {
    row.words.last().copied().unwrap_or_default().to_owned()
}

/// The access of a member: without end, or of a trial.
fn access(policy: Policy, until: Option<i64>) -> Access {
    let mut tenant = tenant(ACCOUNT);
    if let Some(end) = until {
        let plan = Plan {
            needs_subscription: true,
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

/// Runs a script to its end: every row that did not answer as it says, and what was reached.
fn run(name: &str, script: &str) -> (Vec<String>, Table, usize) {
    let (mut table, mut failures, mut rows) = (Table::new(), vec![], 0);
    for (line, text) in script.lines().enumerate() {
        let Some(row) = Row::parse(text) else {
            continue;
        };
        rows += 1;
        let place = format!("{name}:{}", line + 1);
        match table.row(&row) {
            Ok(Some((expected, seen))) if expected != seen => {
                failures.push(format!(
                    "{place}: {}\n    expected {expected}\n    seen     {seen}",
                    text.trim()
                ));
            }
            Ok(_) => {}
            Err(fault) => failures.push(format!("{place}: {}\n    {fault}", text.trim())),
        }
    }
    (failures, table, rows)
}

fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let name = |path: &Path| {
        format!(
            "tests/tables/{}",
            path.file_name().unwrap().to_str().unwrap()
        )
    };
    paths
        .iter()
        .map(|path| (name(path), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn c4_every_row_of_every_script_answers_as_it_says() {
    let (mut failures, mut rows, mut files) = (vec![], 0, 0);
    for (name, script) in scripts() {
        let (failed, table, count) = run(&name, &script);
        failures.extend(failed);
        rows += count;
        files += 1;
        // Whatever a script has done, its wallet is what its ledger adds up to.
        let replayed = Wallet::replay(&ACCOUNT.into(), table.host.ledger.clone()).unwrap();
        assert!(
            replayed.equals_but_for_version(&table.host.wallet),
            "{name}"
        );
    }
    println!("{rows} rows in {files} scripts");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
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
            &SettleError::Settled { cost: some },
            &SettleError::Wallet(mismatch),
            &SettleError::Wallet(overflow),
        ]),
    );
    add(
        "ReleaseError",
        &codes(&[&ReleaseError::Settled, &ReleaseError::Wallet(mismatch)]),
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
    let reached: BTreeSet<_> = scripts()
        .iter()
        .flat_map(|(name, script)| run(name, script).1.reached)
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
            "t:1: grant first ten fresh\n    `ten`: an amount is not a decimal number",
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
        ("balance", "t:1: balance\n    a balance names its parts"),
        (
            "balance wings=2",
            "t:1: balance wings=2\n    a balance has no `wings`",
        ),
        (
            "clock 0\npolicy overage=cap",
            "t:2: policy overage=cap\n    a policy names its settings, before everything",
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
            "t:1: balance free=3\n    expected free=3 \n    seen     free=0 ",
        ),
    ] {
        let (failures, ..) = run("t", script);
        assert!(
            failures.len() == 1 && failures[0].starts_with(expected),
            "{failures:?}"
        );
    }
}
