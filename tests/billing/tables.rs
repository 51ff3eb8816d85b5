//! Scripts of bank transfers into one account: `tests/tables/bank_transfer/*.txt`. Each row is a
//! command and ends in its expected answer: `fresh`, `replayed`, `nothing`, or the stable code of
//! the refusal, with its variant where several share a code (`claim_conflict:Rejected`).
//!
//! ```text
//! policy overpayment=note|deposit|next_periods slack=T grace=T after_grace=unpaid|cancel
//!        top_up=CREDITS claims=off methods=stripe tolerance=N tolerance_in=CURRENCY
//! clock 10
//!
//! given account status=… pays=… id=N
//! given subscription STATUS|none FACTS   built anew, as the host loads it …
//! given subscription status=… FACTS      … or changed, where the facts are
//!     id=N pays=… account=N stripe=ID ending=yes past_due_since=T
//! given plan ID price=N credits=N every=week|month|year needs=nothing active=no
//! given fact KEY                 a fact of the subscription's paid time that says nothing
//! given legacy TX                its record, as a version without booking dates has written it
//! given deposit none
//! given deposit amount=N applied=N in=CURRENCY applied_in=CURRENCY account=N version=N
//!
//! confirm TX AMOUNT [in=CURRENCY] [to=ACCOUNT] [payer=…] [proof=…] [claim=REF] [plan=ID]
//!         [account=N] [by=own|unprivileged] [paid_time=other|none] [booked=DATE]
//!         [different_from=DATE] [prior=other]
//! refund TX TOTAL keep|end [in=CURRENCY] [paid_time=other|none] [by=…]
//! retract TX [account=N] [claim=none] [paid_time=other|none] [by=…]
//! apply_deposit [plan=ID] [paid_time=other]
//! claim REF AMOUNT [by=other]      record_claim REF AMOUNT [by=…]      reject REF REASON [by=…]
//! apply COMMAND [plan=ID] [until=T]    a subscription's own; refused, it answers the reason
//! advance                              what time has made due: the commands, or `nothing`
//! prorate FROM TO                      gate
//!
//! account status=… pays=… version=N
//! subscription status=… from=T until=T plan=ID pending=ID pays=… external=…
//!              past_due_since=T ending=yes|no version=N
//! deposit amount=N applied=N version=N
//! transfer TX periods=N applied=N noted=N refunded=N taken_back=N credits=N until=T by=USER
//!          written_off=N retractions=N retracted=T ends_at_provider=ID version=N
//! claimed REF state=… transaction=… version=N
//! paid until=T spans=N credits=N voids=N      the paid time of the subscription
//! wrote grants=N revocations=N spans=N credits=N subscription=yes|no deposit=yes|no plan=ID
//!                                             by the last change
//! balance free=N scheduled=N granted=N expired=N debt=N
//! ```
//!
//! A `policy` begins anew: plan 1 costs 49 euros a month and brings 500 credits; the account waits
//! for its first payment, of a subscription of plan 1 that is incomplete; it is second 10. A
//! subscription that has begun runs until second 1000. A transfer is booked on 2027-01-15 if it
//! does not say. Of several of one identifier, a row means the latest, or that of its `booked=DATE`.
//! In a reference and a name, `_` is a space.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::support::script::{
    Compared, Fault, Played, Refusals, Row, Script, credit, fails, moment, number, one_of,
    pass_all, play_all, scripts, seconds, told, variants,
};
use crate::support::*;
use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, Claim, ClaimRequest, ClaimState, ConfirmedTransfer,
    Deposit, DepositFacts, RefundFacts, RetractionFacts, TransferFacts, TransferRefund,
};
use bailiwick::change::{Answer, RowChange};
use bailiwick::credit::{DueGrant, DueRevocation, Outcome};
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::id::SubscriptionId;
use bailiwick::money::Currency;
use bailiwick::paid_time::{Fact, PaidTime, Void};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::{AfterRetries, GraceMode, GraceSettings, Overpayment, PolicySettings};
use bailiwick::right::Privilege;
use bailiwick::subscription::{Command, RecordedPayment, SubscriptionStatus};
use bailiwick::{
    Account, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant, Wallet, admit,
    validate_account_and_plan,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

const TENANT: i64 = 7;
const DAY: i64 = 86_400;

/// The rows of one account, written as the changes say, under their guards.
struct Books {
    policy: Policy,
    now: DateTime<Utc>,
    account: Account,
    plans: BTreeMap<i64, Plan>,
    subscription: Option<Subscription>,
    /// The paid time of each subscription that the account has had.
    paid_times: BTreeMap<SubscriptionId, PaidTime>,
    deposit: Option<Deposit>,
    claims: BTreeMap<BankReference, Claim>,
    /// The registry's rows by identifier, in the order of their confirmation.
    records: BTreeMap<BankReference, Vec<ConfirmedTransfer>>,
    wallet: Wallet,
    outcomes: BTreeMap<String, Outcome>,
    /// What the last change wrote.
    wrote: BTreeMap<&'static str, String>,
    /// Whether all money came by transfers, so that it must add up.
    adds_up: bool,
    refusals: Refusals,
}

fn spaced(text: &str) -> String {
    text.replace('_', " ")
}

fn reference(text: &str) -> Result<BankReference, Fault> {
    spaced(text)
        .parse()
        .map_err(|_| format!("`{text}` is no reference"))
}

fn money(amount: &str, currency: Option<&str>) -> Result<Money, Fault> {
    let amount = number(amount)?;
    let currency = currency.map_or(Ok(Currency::EUR), |text| {
        text.parse().map_err(|_| format!("no currency `{text}`"))
    })?;
    Money::new(amount, currency).map_err(|error| error.to_string())
}

fn day(text: &str) -> Result<NaiveDate, Fault> {
    text.parse().map_err(|_| format!("`{text}` is no date"))
}

/// A record as a version without booking dates has written it.
pub fn legacy(record: &ConfirmedTransfer) -> ConfirmedTransfer {
    let mut stored = serde_json::to_value(record).unwrap();
    let transfer = stored["transfer"].as_object_mut().unwrap();
    transfer.remove("booked_on").unwrap();
    for field in ["retractions", "written_off", "undo"] {
        stored.as_object_mut().unwrap().remove(field).unwrap();
    }
    serde_json::from_value(stored).unwrap()
}

fn method(text: &str) -> Result<PaymentMethod, Fault> {
    PaymentMethod::from_text(text).ok_or_else(|| format!("there is no payment method `{text}`"))
}

fn interval(text: &str) -> Result<Interval, Fault> {
    let unit = one_of(
        text,
        "interval",
        &[
            ("week", IntervalUnit::Week),
            ("month", IntervalUnit::Month),
            ("year", IntervalUnit::Year),
        ],
    )?;
    Ok(Interval {
        unit,
        ..Interval::MONTHLY
    })
}

/// A subscription in a status, paid by card and running until second 1000 if it has begun.
fn in_status(status: SubscriptionStatus) -> Subscription {
    let period = Period {
        start: at(-30 * DAY),
        end: at(1_000),
    };
    let new = Subscription::new(
        9.into(),
        TENANT.into(),
        1.into(),
        PaymentMethod::Stripe,
        at(-20 * DAY),
    );
    Subscription {
        status,
        current_period: (status != SubscriptionStatus::Incomplete).then_some(period),
        trial_end: (status == SubscriptionStatus::Trialing).then_some(at(1_000)),
        past_due_since: (status == SubscriptionStatus::PastDue).then_some(at(-5)),
        ..new
    }
}

fn desk(row: &Row) -> Result<Operator, Fault> {
    match row.get("by") {
        None => Ok(operator(Privilege::ConfirmPayments)),
        Some("own") => Ok(operator_of(TENANT, Privilege::ConfirmPayments)),
        Some("unprivileged") => Ok(operator(Privilege::GrantCredits)),
        Some(other) => Err(format!("there is no operator `{other}`")),
    }
}

/// The access of a tenant that is locked for its payment.
fn billing(account: i64) -> BillingAccess {
    let principal = Principal::session(5.into()).of_account(account.into());
    let mut tenant = tenant(account);
    tenant.account.status = AccountStatus::Suspended(SuspensionCause::PaymentOverdue);
    let decision = admit(
        Route::Billing,
        &Evidence::Verified(principal),
        Some(&tenant),
        at(0),
    );
    decision.into_result().unwrap().into_billing().unwrap()
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

impl Books {
    fn under(settings: PolicySettings) -> Self {
        Self {
            policy: Policy::load(settings).unwrap(),
            now: at(10),
            account: Account {
                payment_method: PaymentMethod::Stripe,
                ..account(TENANT, AccountStatus::PendingPayment)
            },
            plans: BTreeMap::from([(1, plan(49, true))]),
            subscription: Some(in_status(SubscriptionStatus::Incomplete)),
            paid_times: BTreeMap::new(),
            deposit: None,
            claims: BTreeMap::new(),
            records: BTreeMap::new(),
            wallet: Wallet::open(TENANT.into(), at(0)),
            outcomes: BTreeMap::new(),
            wrote: BTreeMap::new(),
            adds_up: true,
            refusals: Refusals::default(),
        }
    }

    fn policy(&mut self, row: &Row) -> Result<(), Fault> {
        row.no_words()?;
        let mut settings = PolicySettings::default();
        for (name, value) in &row.named {
            match *name {
                "tolerance" => {
                    settings.transfer_tolerance = Some(money(value, row.get("tolerance_in"))?);
                }
                "tolerance_in" => {}
                "overpayment" => {
                    settings.overpayment = one_of(
                        value,
                        "policy for overpayments",
                        &[
                            ("note", Overpayment::Note),
                            ("deposit", Overpayment::Deposit),
                            ("next_periods", Overpayment::NextPeriods),
                        ],
                    )?;
                }
                "slack" => settings.renewal_slack_seconds = seconds(value)?.unsigned_abs(),
                "grace" => {
                    settings.past_due_grace = Some(GraceSettings {
                        seconds: seconds(value)?.unsigned_abs(),
                        mode: GraceMode::Full,
                    });
                }
                "after_grace" => {
                    settings.after_grace = one_of(
                        value,
                        "policy after the grace",
                        &[
                            ("unpaid", AfterRetries::Unpaid),
                            ("cancel", AfterRetries::Cancel),
                        ],
                    )?;
                }
                "top_up" => settings.top_up_credits = Some(credit(value)?),
                "claims" => settings.bank_transfer_claims = *value != "off",
                "methods" => settings.payment_methods = [method(value)?].into(),
                _ => return Err(format!("a policy has no `{name}`")),
            }
        }
        self.check()?;
        let refusals = std::mem::take(&mut self.refusals);
        *self = Self {
            refusals,
            ..Self::under(settings)
        };
        Ok(())
    }

    /// Sets a fact, as the host loads it.
    fn given(&mut self, row: &Row) -> Result<(), Fault> {
        let (what, word) = match row.words[..] {
            [what] => (what, None),
            [what, word] => (what, Some(word)),
            _ => return Err("`given` sets one fact".to_owned()),
        };
        match what {
            "account" => self.given_account(row),
            "subscription" => self.given_subscription(row, word),
            "plan" => self.given_plan(row, word.ok_or("a plan has a number")?),
            "deposit" => self.given_deposit(row, word),
            "legacy" => self.given_legacy(row, word.ok_or("a transfer has a name")?),
            "fact" => self.given_fact(row, word.ok_or("a fact has a key")?),
            _ => Err(format!("there is no fact `{what}`")),
        }
    }

    fn given_account(&mut self, row: &Row) -> Result<(), Fault> {
        row.only(&["status", "pays", "id"])?;
        if let Some(status) = row.get("status") {
            self.account.status = AccountStatus::from_text(status);
        }
        if let Some(method) = row.read("pays", method)? {
            self.account.payment_method = method;
        }
        if let Some(id) = row.read("id", number::<i64>)? {
            self.account.id = id.into();
        }
        Ok(())
    }

    fn given_subscription(&mut self, row: &Row, word: Option<&str>) -> Result<(), Fault> {
        row.only(&[
            "status",
            "id",
            "pays",
            "account",
            "stripe",
            "ending",
            "past_due_since",
        ])?;
        match word {
            Some("none") => self.subscription = None,
            Some(status) => {
                self.subscription = Some(in_status(SubscriptionStatus::from_text(status)));
            }
            None => {}
        }
        let Some(subscription) = &mut self.subscription else {
            return Ok(());
        };
        for (name, value) in &row.named {
            match *name {
                "status" => subscription.status = SubscriptionStatus::from_text(value),
                "id" => subscription.id = number::<i64>(value)?.into(),
                "pays" => subscription.payment_method = method(value)?,
                "account" => subscription.account = number::<i64>(value)?.into(),
                "stripe" => subscription.stripe_subscription_id = Some((*value).to_owned()),
                "ending" => subscription.cancel_at_period_end = *value == "yes",
                _ => subscription.past_due_since = Some(moment(value)?),
            }
        }
        Ok(())
    }

    fn given_plan(&mut self, row: &Row, id: &str) -> Result<(), Fault> {
        let id: i64 = number(id)?;
        let plan = self.plans.entry(id).or_insert_with(|| Plan {
            id: id.into(),
            ..plan(49, true)
        });
        for (name, value) in &row.named {
            match *name {
                "price" => plan.price = money(value, None)?,
                "credits" => plan.credits = credit(value)?,
                "every" => plan.interval = interval(value)?,
                "needs" => plan.needs_subscription = *value != "nothing",
                "active" => plan.active = *value != "no",
                _ => return Err(format!("a plan has no `{name}`")),
            }
        }
        Ok(())
    }

    fn given_deposit(&mut self, row: &Row, word: Option<&str>) -> Result<(), Fault> {
        row.only(&[
            "amount",
            "applied",
            "in",
            "applied_in",
            "credited",
            "account",
            "version",
        ])?;
        self.adds_up = false;
        self.deposit = match word {
            Some("none") => None,
            Some(word) => return Err(format!("there is no deposit `{word}`")),
            None => Some(Deposit {
                credited: money(row.get("credited").unwrap_or("0"), row.get("applied_in"))?,
                account: row.read("account", number::<i64>)?.unwrap_or(TENANT).into(),
                amount: money(row.get("amount").unwrap_or("0"), row.get("in"))?,
                applied: money(row.get("applied").unwrap_or("0"), row.get("applied_in"))?,
                version: row.read("version", number)?.unwrap_or(1),
            }),
        };
        Ok(())
    }

    /// Turns a record into one that an older version has written.
    fn given_legacy(&mut self, row: &Row, name: &str) -> Result<(), Fault> {
        row.only(&[])?;
        let record = self.record(row, &reference(name)?)?;
        *record = legacy(record);
        Ok(())
    }

    /// The record of a transfer: the latest, or that of the day that the row names.
    fn record(
        &mut self,
        row: &Row,
        transaction: &BankReference,
    ) -> Result<&mut ConfirmedTransfer, Fault> {
        let day = row.read("booked", day)?;
        let records = self.records.get_mut(transaction).into_iter().flatten();
        records
            .rev()
            .find(|record| day.is_none() || record.transfer.booked_on() == day)
            .ok_or("no such transfer".to_owned())
    }

    /// Records a fact that takes a key, and tells nothing.
    fn given_fact(&mut self, row: &Row, key: &str) -> Result<(), Fault> {
        row.only(&[])?;
        let id = self
            .subscription
            .as_ref()
            .ok_or("no subscription")?
            .id
            .clone();
        let fact = Fact::Void(Void {
            key: key.into(),
            payment: "none".into(),
        });
        let change = self.paid_time(&id).record([fact]);
        let change = change.map_err(|error| error.to_string())?;
        self.paid_times
            .insert(id, change.ok_or("it is known")?.into_row());
        Ok(())
    }

    /// The stored paid time of a subscription, or a new row.
    fn paid_time(&self, id: &SubscriptionId) -> PaidTime {
        let stored = self.paid_times.get(id).cloned();
        stored.unwrap_or_else(|| PaidTime::new(TENANT.into(), id.clone()))
    }

    /// The paid time that the host loads, if it makes no mistake.
    fn loaded_paid_time(
        &self,
        row: &Row,
        id: Option<&SubscriptionId>,
    ) -> Result<Option<PaidTime>, Fault> {
        match row.get("paid_time") {
            None => Ok(id.map(|id| self.paid_time(id))),
            Some("none") => Ok(None),
            Some("other") => Ok(Some(PaidTime::new(TENANT.into(), 1_000.into()))),
            Some(other) => Err(format!("there is no paid time `{other}`")),
        }
    }

    /// Writes paid time, and sets the wallet to it, once: the same again changes nothing.
    fn write_paid_time(&mut self, change: Option<&RowChange<PaidTime>>) {
        let count = |row: &PaidTime, of: fn(&Fact) -> bool| {
            row.facts().iter().filter(|fact| of(fact)).count()
        };
        let is_span = |fact: &Fact| matches!(fact, Fact::Span(_));
        let is_credit = |fact: &Fact| matches!(fact, Fact::Credit(_));
        let (mut spans, mut credits) = (0, 0);
        if let Some(change) = change {
            let id = change.row().subscription().clone();
            let before = self.paid_time(&id);
            let after = Self::write(before.version(), change);
            assert_eq!(after.version(), before.version() + 1, "one change");
            spans = count(&after, is_span) - count(&before, is_span);
            credits = count(&after, is_credit) - count(&before, is_credit);

            let (schedule, terms) = (after.schedule(), self.policy.align_terms());
            let wallet = self.wallet.clone();
            if let Some(change) = wallet.align(&schedule, terms, self.now).unwrap() {
                self.wallet = change.wallet().clone();
            }
            let again = self.wallet.clone().align(&schedule, terms, self.now);
            assert_eq!(again.unwrap(), None, "aligned once");
            self.paid_times.insert(id, after);
        }
        self.wrote.insert("spans", spans.to_string());
        self.wrote.insert("credits", credits.to_string());
    }

    /// The plan that the host loads: the one that the next payment is for, if it makes no mistake.
    fn plan(&self, row: &Row) -> Result<Arc<Plan>, Fault> {
        let next = self
            .subscription
            .as_ref()
            .and_then(|subscription| subscription.next_plan().as_integer());
        let id = row.read("plan", number)?.or(next).unwrap_or(1);
        let plan = self.plans.get(&id).ok_or("no such plan is given")?;
        Ok(Arc::new(plan.clone()))
    }

    /// Writes a row over the version that its change was made from.
    fn write<T: Clone>(before: u64, change: &RowChange<T>) -> T {
        assert_eq!(change.expected_version(), before);
        change.row().clone()
    }

    fn write_account(&mut self, change: &RowChange<Account>) {
        assert_eq!(change.row().version, self.account.version + 1);
        self.account = Self::write(self.account.version, change);
    }

    fn write_subscription(&mut self, change: Option<&RowChange<Subscription>>) {
        self.wrote.insert("subscription", yes(change.is_some()));
        if let Some(change) = change {
            let before = self.subscription.as_ref().unwrap().version;
            assert_eq!(change.row().version, before + 1, "one change");
            self.subscription = Some(Self::write(before, change));
        }
    }

    fn write_deposit(&mut self, change: Option<&RowChange<Deposit>>) {
        self.wrote.insert("deposit", yes(change.is_some()));
        if let Some(change) = change {
            let before = self.deposit.as_ref().map_or(0, |deposit| deposit.version);
            assert_eq!(change.row().version, before + 1);
            self.deposit = Some(Self::write(before, change));
        }
    }

    /// Grants what is due, once: the same again changes nothing.
    fn grant(&mut self, due: &[DueGrant]) {
        self.wrote.insert("grants", due.len().to_string());
        for due in due {
            let prior = self.outcomes.get(due.key()).cloned();
            let wallet = self.wallet.clone();
            let Some(change) = wallet.grant_due(due, prior.as_ref(), self.now).unwrap() else {
                continue;
            };
            let outcome = change.outcome().unwrap().outcome().clone();
            self.wallet = change.wallet().clone();
            let wallet = self.wallet.clone();
            let again = wallet.grant_due(due, Some(&outcome), self.now).unwrap();
            assert_eq!(again, None, "granted once");
            self.outcomes.insert(outcome.key().to_owned(), outcome);
        }
    }

    /// Takes back what is due to be, once.
    fn revoke(&mut self, due: &[DueRevocation]) {
        self.wrote.insert("revocations", due.len().to_string());
        for due in due {
            let prior = self.outcomes.get(&due.key()).cloned();
            let wallet = self.wallet.clone();
            let Some(change) = wallet.revoke_due(due, prior.as_ref(), self.now).unwrap() else {
                continue;
            };
            let outcome = change.outcome().unwrap().outcome().clone();
            self.wallet = change.wallet().clone();
            let wallet = self.wallet.clone();
            let again = wallet.revoke_due(due, Some(&outcome), self.now).unwrap();
            assert_eq!(again, None, "taken back once");
            self.outcomes.insert(outcome.key().to_owned(), outcome);
        }
    }

    fn confirm(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&[
            "in",
            "to",
            "payer",
            "proof",
            "claim",
            "plan",
            "account",
            "by",
            "paid_time",
            "booked",
            "different_from",
            "prior",
        ])?;
        let [transaction, amount] = row.words()?;
        let transaction = reference(transaction)?;
        let transfer = BankTransfer::new(
            reference(row.get("to").unwrap_or("DE02120300000000202051"))?,
            transaction.clone(),
            day(row.get("booked").unwrap_or("2027-01-15"))?,
            money(amount, row.get("in"))?,
            &spaced(row.get("payer").unwrap_or("Wayne_Ltd")),
            row.get("proof")
                .unwrap_or("https://bank.example/statement/1"),
        );
        let mut transfer = transfer.map_err(|error| error.to_string())?;
        if let Some(other) = row.read("different_from", day)? {
            transfer = transfer.different_from(other);
        }
        let prior = self.records.values().flatten();
        let prior = prior.filter(|record| {
            row.get("prior").is_some()
                || (record.transfer.transaction() == transfer.transaction()
                    && record.transfer.receiving_account() == transfer.receiving_account())
        });
        let prior = prior.cloned().collect();
        let claim = row.read("claim", reference)?;
        let claim = claim.map(|reference| self.claims.get(&reference).ok_or("no such claim"));
        let mut account = self.account.clone();
        if let Some(id) = row.read("account", number::<i64>)? {
            account.id = id.into();
        }
        let facts = TransferFacts {
            charge: None,
            account,
            plan: self.plan(row)?,
            subscription: self.subscription.clone(),
            paid_time: self.loaded_paid_time(
                row,
                self.subscription
                    .as_ref()
                    .map(|subscription| &subscription.id),
            )?,
            deposit: self.deposit.clone(),
            claim: claim.transpose()?.cloned(),
            prior,
        };
        match self
            .policy
            .confirm_bank_transfer(&desk(row)?, &transfer, facts, self.now)
        {
            Err(error) => Ok(self.refusals.answer(row, &error)),
            Ok(Answer::Replayed(record)) => {
                assert!(self.records[&transaction].contains(&record));
                Ok("replayed".to_owned())
            }
            Ok(Answer::Fresh(change)) => {
                self.write_account(change.account());
                self.write_subscription(change.subscription());
                self.write_paid_time(change.paid_time());
                self.write_deposit(change.deposit());
                if let Some(claim) = change.claim() {
                    let reference = claim.row().facts.reference();
                    let before = self.claims[reference].version;
                    let claim = Self::write(before, claim);
                    self.claims.insert(claim.facts.reference().clone(), claim);
                }
                self.grant(change.grants());
                self.wrote.insert("plan", change.plan().to_string());
                let record = change.record().clone();
                let records = self.records.entry(transaction).or_default();
                let key = |record: &ConfirmedTransfer| {
                    let receiver = record.transfer.receiving_account().clone();
                    (receiver, record.transfer.booked_on(), record.retractions)
                };
                assert!(
                    records.iter().all(|other| key(other) != key(&record)),
                    "the registry's key is unique"
                );
                records.push(record);
                Ok("fresh".to_owned())
            }
        }
    }

    fn refund(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&["in", "paid_time", "by", "booked"])?;
        let [transaction, total, then] = row.words()?;
        let transaction = reference(transaction)?;
        let refund = TransferRefund {
            total: money(total, row.get("in"))?,
            then: one_of(
                then,
                "way to go on",
                &[
                    ("keep", AfterRefund::KeepService),
                    ("end", AfterRefund::EndService),
                ],
            )?,
        };
        let record = self.record(row, &transaction)?.clone();
        let before = record.version;
        let facts = RefundFacts {
            record: record.clone(),
            subscription: self.subscription.clone(),
            deposit: self.deposit.clone(),
            paid_time: self.loaded_paid_time(row, record.subscription.as_ref())?,
        };
        match ConfirmedTransfer::refund(&desk(row)?, refund, facts, self.now) {
            Err(error) => Ok(self.refusals.answer(row, &error)),
            Ok(Answer::Replayed(replayed)) => {
                assert_eq!(replayed, record);
                Ok("replayed".to_owned())
            }
            Ok(Answer::Fresh(change)) => {
                let record = Self::write(before, change.record());
                assert_eq!(record.version, before + 1);
                *self.record(row, &transaction)? = record;
                self.write_subscription(change.subscription());
                self.write_paid_time(change.paid_time());
                self.write_deposit(change.deposit());
                self.revoke(change.revocations());
                Ok("fresh".to_owned())
            }
        }
    }

    fn retract(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&["account", "claim", "paid_time", "by", "booked"])?;
        let [transaction] = row.words()?;
        let transaction = reference(transaction)?;
        let record = self.record(row, &transaction)?.clone();
        let before = record.version;
        let mut account = self.account.clone();
        if let Some(id) = row.read("account", number::<i64>)? {
            account.id = id.into();
        }
        let claim = record.claim.as_ref();
        let claim = claim.filter(|_| row.get("claim").is_none());
        let facts = RetractionFacts {
            charge: None,
            account,
            subscription: self.subscription.clone(),
            paid_time: self.loaded_paid_time(row, record.subscription.as_ref())?,
            deposit: self.deposit.clone(),
            claim: claim.map(|reference| self.claims[reference].clone()),
            record: record.clone(),
        };
        match ConfirmedTransfer::retract(&desk(row)?, facts, self.now) {
            Err(error) => Ok(self.refusals.answer(row, &error)),
            Ok(Answer::Replayed(replayed)) => {
                assert_eq!(replayed, record);
                Ok("replayed".to_owned())
            }
            Ok(Answer::Fresh(change)) => {
                let record = Self::write(before, change.record());
                assert_eq!(record.version, before + 1);
                *self.record(row, &transaction)? = record;
                self.write_account(change.account());
                self.write_subscription(change.subscription());
                self.write_paid_time(change.paid_time());
                self.write_deposit(change.deposit());
                if let Some(claim) = change.claim() {
                    let reference = claim.row().facts.reference();
                    let claim = Self::write(self.claims[reference].version, claim);
                    self.claims.insert(claim.facts.reference().clone(), claim);
                }
                self.revoke(change.revocations());
                let plan = change.plan().map(ToString::to_string);
                self.wrote.insert("plan", plan.unwrap_or("none".to_owned()));
                Ok("fresh".to_owned())
            }
        }
    }

    /// What a host's job does at the end of a period.
    fn apply_deposit(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&["plan", "paid_time"])?;
        let [] = row.words()?;
        let subscription = self.subscription.clone().ok_or("no subscription")?;
        let paid_time = self.loaded_paid_time(row, Some(&subscription.id))?;
        let facts = DepositFacts {
            account: self.account.clone(),
            plan: self.plan(row)?,
            subscription,
            paid_time: paid_time.ok_or("a deposit pays for a subscription")?,
            deposit: self.deposit.clone().ok_or("no deposit")?,
        };
        match self.policy.apply_deposit(facts, self.now) {
            Err(error) => Ok(self.refusals.answer(row, &error)),
            Ok(None) => Ok("nothing".to_owned()),
            Ok(Some(change)) => {
                self.write_account(change.account());
                self.write_subscription(Some(change.subscription()));
                self.write_paid_time(change.paid_time());
                self.write_deposit(Some(change.deposit()));
                self.wrote.insert("plan", change.plan().to_string());
                Ok("fresh".to_owned())
            }
        }
    }

    fn claim(&mut self, row: &Row) -> Result<String, Fault> {
        let [name, amount] = row.words()?;
        let name = reference(name)?;
        let request = ClaimRequest::new(
            name.clone(),
            money(amount, None)?,
            "Wayne Ltd",
            "https://bank.example/statement/1",
        );
        let request = request.map_err(|error| error.to_string())?;
        let prior = self.claims.get(&name).cloned();
        let answer = match row.command {
            "record_claim" => self.policy.record_claim(
                &desk(row)?,
                &self.account.id,
                request,
                prior.clone(),
                self.now,
            ),
            _ => {
                let whose = if row.is("by", "other") { 8 } else { TENANT };
                self.policy
                    .submit_claim(&billing(whose), request, prior.clone(), self.now)
            }
        };
        self.answer_claim(row, prior, answer)
    }

    fn reject(&mut self, row: &Row) -> Result<String, Fault> {
        let [name, reason] = row.words()?;
        let claim = self.claims.get(&reference(name)?).ok_or("no such claim")?;
        let claim = claim.clone();
        let answer = claim.clone().reject(&desk(row)?, &spaced(reason));
        self.answer_claim(row, Some(claim), answer)
    }

    fn answer_claim<E: bailiwick::problem::Explained + std::fmt::Debug>(
        &mut self,
        row: &Row,
        prior: Option<Claim>,
        answer: Result<Answer<RowChange<Claim>, Claim>, E>,
    ) -> Result<String, Fault> {
        match answer {
            Err(error) => Ok(self.refusals.answer(row, &error)),
            Ok(Answer::Replayed(claim)) => {
                assert_eq!(Some(claim), prior);
                Ok("replayed".to_owned())
            }
            Ok(Answer::Fresh(change)) => {
                let claim = Self::write(prior.map_or(0, |prior| prior.version), &change);
                self.claims.insert(claim.facts.reference().clone(), claim);
                Ok("fresh".to_owned())
            }
        }
    }

    /// A command of the subscription's own, and the account after it.
    fn apply(&mut self, row: &Row) -> Result<String, Fault> {
        row.only(&["plan", "until"])?;
        let [name] = row.words()?;
        let plan = row.read("plan", number::<i64>)?.unwrap_or(1).into();
        let before = self.subscription.clone().ok_or("no subscription")?;
        let command = match name {
            "change_plan" => Command::ChangePlan { plan },
            "change_plan_at_period_end" => Command::ChangePlanAtPeriodEnd { plan },
            "pause" => Command::Pause,
            "cancel_at_period_end" => Command::CancelAtPeriodEnd,
            "cancel_now" => Command::CancelNow,
            "resume" => Command::Resume,
            "start_trial" => Command::StartTrial {
                until: row.read("until", moment)?.ok_or("a trial has an end")?,
            },
            "record_payment" => Command::RecordPayment(RecordedPayment {
                interval: Interval::MONTHLY,
                slack: TimeDelta::zero(),
                method: PaymentMethod::BankTransfer,
                external_id: None,
            }),
            _ => return Err(format!("there is no command `{name}` here")),
        };
        let done = match before.apply(command, self.now) {
            Ok(done) => done,
            Err(refusal) => return Ok(refusal.reason().as_str().to_owned()),
        };
        if let Some(change) = self.account.after(&done) {
            self.write_account(&change);
        }
        self.write_subscription(Some(&done.into_change()));
        Ok("fresh".to_owned())
    }

    /// What time alone has made due.
    fn advance(&mut self) -> Result<String, Fault> {
        let before = self.subscription.clone().ok_or("no subscription")?;
        let mut commands = Vec::new();
        for done in self.policy.advance_subscription(&before, &[], self.now) {
            commands.push(done.command().unwrap().as_str());
            self.write_subscription(Some(&done.into_change()));
        }
        Ok(if commands.is_empty() {
            "nothing".to_owned()
        } else {
            commands.join("+")
        })
    }

    fn prorate(&mut self, row: &Row) -> Result<String, Fault> {
        let [from, to] = row.words()?;
        let plan = |id: &str| {
            self.plans
                .get(&number(id)?)
                .ok_or("no such plan".to_owned())
        };
        let subscription = self.subscription.clone().ok_or("no subscription")?;
        match subscription.prorate(plan(from)?, plan(to)?, self.now) {
            Ok(proration) => Ok(proration.due().amount().to_string()),
            Err(error) => Ok(self.refusals.answer(row, &error)),
        }
    }

    /// Whether the tenant is let in.
    fn gate(&mut self, row: &Row) -> Result<String, Fault> {
        let tenant = Tenant {
            account: self.account.clone(),
            plan: Some(self.plan(row)?),
            next_plan: None,
            subscription: self.subscription.clone(),
            sites: Arc::new([]),
        };
        let principal = Principal::session(5.into()).of_account(TENANT.into());
        match validate_account_and_plan(&principal, Some(&tenant), self.now) {
            Ok(_) => Ok("admitted".to_owned()),
            Err(error) => Ok(self.refusals.answer(row, &error)),
        }
    }

    fn look(&self, row: &Row) -> Compared {
        let of = || -> Result<BankReference, Fault> {
            match row.words[..] {
                [name] => reference(name),
                _ => Err(format!("`{}` takes one name", row.command)),
            }
        };
        if [
            "account",
            "subscription",
            "deposit",
            "paid",
            "wrote",
            "balance",
        ]
        .contains(&row.command)
        {
            row.no_words()?;
        }
        let unknown = |name: &str| format!("`{}` knows no `{name}=`", row.command);
        let or_none = |text: Option<String>| text.unwrap_or("none".to_owned());
        match row.command {
            "account" => row.compare(|name, _| match name {
                "status" => Ok(self.account.status.to_string()),
                "pays" => Ok(self.account.payment_method.as_str().to_owned()),
                "version" => Ok(self.account.version.to_string()),
                _ => Err(unknown(name)),
            }),
            "subscription" => {
                let paid = self.subscription.as_ref().ok_or("no subscription")?;
                let period = paid.current_period;
                let pending = paid.pending_plan.as_ref();
                row.compare(|name, expected| match name {
                    "status" => Ok(paid.status.as_str().to_owned()),
                    "from" => told(period.map(|period| period.start), expected),
                    "until" => told(period.map(|period| period.end), expected),
                    "plan" => Ok(paid.plan.to_string()),
                    "pending" => Ok(or_none(pending.map(|pending| pending.plan.to_string()))),
                    "pays" => Ok(paid.payment_method.as_str().to_owned()),
                    "ending" => Ok(yes(paid.cancel_at_period_end)),
                    "external" => Ok(or_none(paid.external_payment_id.clone())),
                    "past_due_since" => told(paid.past_due_since, expected),
                    "version" => Ok(paid.version.to_string()),
                    _ => Err(unknown(name)),
                })
            }
            "deposit" => {
                let deposit = self.deposit.as_ref().ok_or("no deposit")?;
                row.compare(|name, _| match name {
                    "amount" => Ok(deposit.amount.amount().to_string()),
                    "applied" => Ok(deposit.applied.amount().to_string()),
                    "version" => Ok(deposit.version.to_string()),
                    _ => Err(unknown(name)),
                })
            }
            "paid" => {
                let paid = self.subscription.as_ref().ok_or("no subscription")?;
                let paid_time = self.paid_time(&paid.id);
                let count = |of: fn(&Fact) -> bool| {
                    let facts = paid_time.facts().iter();
                    Ok(facts.filter(|fact| of(fact)).count().to_string())
                };
                row.compare(|name, expected| match name {
                    "until" => {
                        assert_eq!(paid.paid_until, paid_time.paid_until());
                        told(paid_time.paid_until(), expected)
                    }
                    "spans" => count(|fact| matches!(fact, Fact::Span(_))),
                    "credits" => count(|fact| matches!(fact, Fact::Credit(_))),
                    "voids" => count(|fact| matches!(fact, Fact::Void(_))),
                    _ => Err(unknown(name)),
                })
            }
            "transfer" => {
                let day = row.read("booked", day)?;
                let records = self.records.get(&of()?).into_iter().flatten();
                let record = records
                    .rev()
                    .find(|record| day.is_none() || record.transfer.booked_on() == day)
                    .ok_or("no such transfer")?;
                let provider = record.ends_at_provider.as_ref();
                let user = record.confirmed_by.as_ref();
                row.compare(|name, expected| match name {
                    "periods" => Ok(record.periods.to_string()),
                    "applied" => Ok(record.applied.amount().to_string()),
                    "noted" => Ok(record.noted.amount().to_string()),
                    "refunded" => Ok(record.refunded.amount().to_string()),
                    "written_off" => Ok(record.written_off.amount().to_string()),
                    "retractions" => Ok(record.retractions.to_string()),
                    "retracted" => told(record.retracted_at, expected),
                    "booked" => Ok(expected.to_owned()),
                    "taken_back" => Ok(record.taken_back.amount().to_string()),
                    "credits" => Ok(record.credits.to_string()),
                    "until" => told(record.paid_until, expected),
                    "by" => Ok(or_none(user.map(ToString::to_string))),
                    "ends_at_provider" => Ok(or_none(provider.map(|(_, id)| id.clone()))),
                    "version" => Ok(record.version.to_string()),
                    _ => Err(unknown(name)),
                })
            }
            "claimed" => {
                let claim = self.claims.get(&of()?).ok_or("no such claim")?;
                let (state, transaction) = match &claim.state {
                    ClaimState::Submitted => ("submitted", None),
                    ClaimState::Rejected { .. } => ("rejected", None),
                    ClaimState::Confirmed { transaction, .. } => {
                        ("confirmed", Some(transaction.to_string()))
                    }
                };
                row.compare(|name, _| match name {
                    "state" => Ok(state.to_owned()),
                    "transaction" => Ok(or_none(transaction.clone())),
                    "version" => Ok(claim.version.to_string()),
                    _ => Err(unknown(name)),
                })
            }
            "wrote" => row.compare(|name, _| {
                let wrote = self.wrote.get(name).cloned();
                wrote.ok_or_else(|| unknown(name))
            }),
            "balance" => {
                let balance = self.wallet.balance_at(self.now);
                let balance = balance.map_err(|error| error.to_string())?;
                row.compare(|name, _| match name {
                    "free" => Ok(balance.free.to_string()),
                    "scheduled" => Ok(balance.scheduled.to_string()),
                    "granted" => Ok(balance.granted.to_string()),
                    "expired" => Ok(balance.expired.to_string()),
                    "debt" => Ok(balance.debt.to_string()),
                    _ => Err(unknown(name)),
                })
            }
            unknown => Err(format!("there is no command `{unknown}`")),
        }
    }
}

impl Script for Books {
    fn new() -> Self {
        Self::under(PolicySettings::default())
    }

    fn row(&mut self, row: &Row) -> Compared {
        let seen = match row.command {
            "policy" => return self.policy(row).map(|()| None),
            "given" => return self.given(row).map(|()| None),
            "clock" => match row.words[..] {
                [time] if row.named.is_empty() => {
                    self.now = moment(time)?;
                    return Ok(None);
                }
                _ => return Err("`clock` takes one time".to_owned()),
            },
            "confirm" => self.confirm(row)?,
            "refund" => self.refund(row)?,
            "retract" => self.retract(row)?,
            "apply_deposit" => self.apply_deposit(row)?,
            "claim" | "record_claim" => self.claim(row)?,
            "reject" => self.reject(row)?,
            "apply" => self.apply(row)?,
            "advance" => self.advance()?,
            "prorate" => self.prorate(row)?,
            "gate" => self.gate(row)?,
            _ => return self.look(row),
        };
        Ok(Some((row.answer().to_owned(), seen)))
    }

    /// Checks that everything that arrived is accounted for, to the cent.
    fn check(&self) -> Result<(), Fault> {
        let sum = |part: fn(&ConfirmedTransfer) -> Money| {
            let open = self.records.values().flatten();
            let open = open.filter(|record| record.retracted_at.is_none());
            let parts = open.map(|record| part(record).amount());
            parts.fold(euros(0).amount(), |sum, part| sum + part)
        };
        let arrived = sum(|record| record.transfer.amount()) - sum(|record| record.refunded);
        let arrived = arrived + sum(|record| record.written_off);
        let kept = self.deposit.as_ref().map_or(euros(0), |kept| kept.amount);
        let by_itself = self.deposit.as_ref().map_or(euros(0), |kept| kept.applied);
        let earned = sum(|record| record.applied) + by_itself.amount();
        let earned = earned - sum(|record| record.taken_back);
        let accounted = kept.amount() + sum(|record| record.noted) + earned;
        if self.adds_up && arrived != accounted {
            return Err(format!(
                "{arrived} arrived, and {accounted} are accounted for"
            ));
        }
        Ok(())
    }
}

fn all() -> Vec<Played<Books>> {
    play_all("bank_transfer", Books::new)
}

#[test]
fn b5_every_row_of_every_script_answers_as_it_says() {
    pass_all(&all());
}

/// Every variant of the errors of the room, as the source lists them, is some row's answer.
#[test]
fn b5_the_scripts_reach_every_refusal_of_every_error_of_bank_transfers() {
    let reached: BTreeSet<(&str, String)> = all()
        .into_iter()
        .flat_map(|played| played.script.refusals.0)
        .map(|(error, variant, _)| (error, variant))
        .collect();
    for error in [
        "ConfirmError",
        "ClaimError",
        "TransferRefundError",
        "RetractionError",
    ] {
        for variant in variants(error) {
            // A refund cancels a subscription only while it runs, which no status refuses: that
            // takes a version at the end of its range.
            if (error, variant.as_str()) == ("TransferRefundError", "Refused") {
                continue;
            }
            assert!(
                reached.contains(&(error, variant.clone())),
                "no row answers {error}::{variant}"
            );
        }
    }
}

#[test]
fn a_script_that_cannot_be_read_is_reported_with_its_line() {
    for (script, expected) in [
        (
            "\nfly 1 fresh",
            "t:2: fly 1 fresh\n    there is no command `fly`",
        ),
        (
            "confirm a fresh",
            "t:1: confirm a fresh\n    `confirm` takes 2 words and an answer",
        ),
        (
            "confirm a 49 wings=2 fresh",
            "t:1: confirm a 49 wings=2 fresh\n    `confirm` knows no `wings=`",
        ),
        ("given moon", "t:1: given moon\n    there is no fact `moon`"),
        (
            "policy overpayment=lose",
            "t:1: policy overpayment=lose\n    there is no policy for overpayments `lose`",
        ),
        (
            "account wings=2",
            "t:1: account wings=2\n    `account` knows no `wings=`",
        ),
        (
            "transfer a periods=1",
            "t:1: transfer a periods=1\n    no such transfer",
        ),
        (
            "confirm a 49 replayed",
            "t:1: confirm a 49 replayed\n    expected replayed\n    seen     fresh",
        ),
        (
            "account version=2",
            "t:1: account version=2\n    expected version=2\n    seen     version=1",
        ),
    ] {
        fails::<Books>(script, expected);
    }
}

scripts! { Books:
    fn b5_a_confirmed_transfer_opens_the_service_and_tops_up_once() runs "bank_transfer/confirm.txt";
    fn b5_the_same_transfer_with_other_facts_is_a_conflict() runs "bank_transfer/conflict.txt";
    fn b5_a_payment_lifts_a_suspension_for_payment_and_no_other() runs "bank_transfer/suspension.txt";
    fn b5_no_command_but_a_payment_lifts_a_suspension_for_payment() runs "bank_transfer/suspension_commands.txt";
    fn b5_only_a_privileged_operator_of_another_account_confirms() runs "bank_transfer/operator.txt";
    fn b5_what_cannot_be_paid_is_refused_and_changes_nothing() runs "bank_transfer/refused.txt";
    fn pf2_a_year_brings_the_credits_of_twelve_months_and_another_plan_is_refused() runs "bank_transfer/year.txt";
    fn b5_no_service_is_free() runs "bank_transfer/late.txt";
    fn b5_parts_are_kept_until_they_reach_the_price() runs "bank_transfer/parts.txt";
    fn b5_what_is_above_the_price_goes_as_the_policy_says() runs "bank_transfer/overpayment.txt";
    fn b5_a_transfer_without_a_subscription_tops_up() runs "bank_transfer/top_up.txt";
    fn b5_what_time_had_made_due_comes_before_the_payment() runs "bank_transfer/time_first.txt";
    fn b5_a_pending_plan_is_what_is_paid_for() runs "bank_transfer/pending_plan.txt";
    fn b5_a_part_moves_no_plan() runs "bank_transfer/pending_plan_part.txt";
    fn b5_money_for_a_plan_without_a_price_is_kept() runs "bank_transfer/pending_free.txt";
    fn b5_a_plan_that_is_paid_early_is_not_withdrawn() runs "bank_transfer/pending_plan_paid.txt";
    fn b5_a_claim_is_made_once_and_answered_once() runs "bank_transfer/claims.txt";
    fn b5_claims_have_a_switch_of_their_own() runs "bank_transfer/claims_switch.txt";
    fn b5_a_refund_is_cumulative_and_ends_what_it_had_paid() runs "bank_transfer/refund.txt";
    fn b5_a_refund_ends_what_its_own_money_paid_for() runs "bank_transfer/refund_order.txt";
    fn b5_a_plan_without_a_price_sells_nothing() runs "bank_transfer/no_price.txt";
    fn b5_time_without_service_is_not_paid_for() runs "bank_transfer/shut_out.txt";
    fn b5_a_providers_subscription_is_to_be_ended_there() runs "bank_transfer/provider.txt";
    fn b5_a_deposit_pays_for_the_next_period() runs "bank_transfer/deposit.txt";
    fn pf3_a_refund_gives_the_time_back_that_is_left() runs "bank_transfer/refund_time.txt";
    fn b5_a_booking_date_tells_two_transfers_apart() runs "bank_transfer/booking_date.txt";
    fn b5_a_sum_may_miss_the_price_by_the_tolerance() runs "bank_transfer/tolerance.txt";
    fn pf5_a_retracted_transfer_never_was() runs "bank_transfer/retraction.txt";
    fn b5_a_retraction_comes_after_what_was_paid_on_top() runs "bank_transfer/retraction_refused.txt";
}
