//! A host in memory that hears of subscriptions and payments at providers: one account and its rows,
//! under the guards that each change names.
#![allow(dead_code, reason = "some of it is for a provider that is a feature")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::support::*;
use bailiwick::account::AccountStatus;
use bailiwick::change::{Answer, RowChange};
use bailiwick::credit::{DueGrant, Outcome};
use bailiwick::gate::Denial;
use bailiwick::paid_time::{Fact, PaidTime};
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::{Interval, Period};
use bailiwick::policy::PolicySettings;
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, LineKind, LineOutcome, PaidInvoice, PaidLine,
    PaymentError, PaymentFacts, ProviderItem, ProviderPayment, ProviderPrice, ProviderReport,
    ProviderSnapshot, ProviderUndone, UndoneError, UndoneFacts,
};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Account, Credits, Money, Plan, Policy, Principal, Subscription, Tenant, Wallet};
use chrono::{DateTime, Utc};

pub const ACCOUNT: i64 = 7;
pub const DAY: i64 = 86_400;

pub fn policy() -> Policy {
    slack_of(0)
}

pub fn slack_of(renewal_slack_seconds: u64) -> Policy {
    let methods = [PaymentMethod::Stripe, PaymentMethod::Paypal];
    Policy::load(PolicySettings {
        payment_methods: methods.into(),
        renewal_slack_seconds,
        ..PolicySettings::default()
    })
    .unwrap()
}

/// Plan `n` brings `n` hundred credits a month.
pub fn plan_of(price: &str) -> Arc<Plan> {
    let number: i64 = price.parse().unwrap();
    Arc::new(Plan {
        id: number.into(),
        credits: credits(number * 100),
        ..plan(49, true)
    })
}

/// The prices that the host knows.
pub fn prices() -> Vec<ProviderPrice> {
    ["1", "2", "3", "4"]
        .map(|price| known(price, plan_of(price)))
        .into()
}

pub fn known(price: &str, plan: Arc<Plan>) -> ProviderPrice {
    ProviderPrice {
        price: price.into(),
        plan,
    }
}

pub fn month(number: u32) -> Period {
    Interval::MONTHLY.period(at(0), number).unwrap()
}

pub fn snapshot(status: SubscriptionStatus, second: i64) -> ProviderSnapshot {
    ProviderSnapshot {
        provider: Provider::Stripe,
        subscription: "sub_1".into(),
        reference: Some("9".into()),
        items: items("1", Some(month(0))),
        at: at(second),
        status,
        anchor: at(0),
        trial: None,
        cancel_at_period_end: false,
        cancel_at: None,
        ended_at: None,
    }
}

pub fn items(price: &str, period: Option<Period>) -> Vec<ProviderItem> {
    vec![ProviderItem {
        price: price.into(),
        quantity: 1,
        period,
    }]
}

pub fn line(key: &str, price: &str, kind: LineKind) -> PaidLine {
    PaidLine {
        key: key.into(),
        price: Some(price.into()),
        quantity: 1,
        amount: euros(49),
        kind,
    }
}

pub fn payment(invoice: &str, price: &str, kind: LineKind) -> ProviderPayment {
    with_lines(invoice, vec![line("line", price, kind)])
}

pub fn with_lines(invoice: &str, lines: Vec<PaidLine>) -> ProviderPayment {
    ProviderPayment {
        provider: Provider::Stripe,
        subscription: "sub_1".into(),
        reference: Some("9".into()),
        invoice: invoice.into(),
        made: at(0),
        received: at(0),
        amount: euros(49),
        lines,
    }
}

/// A payment of which one line has another amount.
pub fn of_amount(amount: Money, invoice: &str) -> ProviderPayment {
    let line = PaidLine {
        amount,
        ..line("line", "1", LineKind::Period(month(0)))
    };
    with_lines(invoice, vec![line])
}

/// A host in memory: one account, and its rows under the guards that each change names.
#[derive(Clone)]
pub struct Host {
    pub policy: Policy,
    pub account: Account,
    pub subscription: Subscription,
    pub prices: Vec<ProviderPrice>,
    pub paid_time: PaidTime,
    pub had_trial: bool,
    pub wallet: Wallet,
    pub outcomes: BTreeMap<String, Outcome>,
    pub invoices: BTreeMap<String, PaidInvoice>,
    pub refetches: usize,
}

impl Host {
    pub fn new(status: AccountStatus) -> Self {
        let method = PaymentMethod::Stripe;
        Self {
            policy: policy(),
            account: Account {
                payment_method: method,
                ..account(ACCOUNT, status)
            },
            subscription: Subscription::new(9.into(), ACCOUNT.into(), 1.into(), method, at(-100)),
            prices: prices(),
            paid_time: PaidTime::new(ACCOUNT.into(), 9.into()),
            had_trial: false,
            wallet: Wallet::open(ACCOUNT.into(), at(-100 * DAY)),
            outcomes: BTreeMap::new(),
            invoices: BTreeMap::new(),
            refetches: 0,
        }
    }

    /// One that pays by PayPal.
    pub fn at_paypal(status: AccountStatus) -> Self {
        let mut host = Self::new(status);
        (
            host.account.payment_method,
            host.subscription.payment_method,
        ) = (PaymentMethod::Paypal, PaymentMethod::Paypal);
        host.subscription.paypal_subscription_id = Some("sub_1".into());
        host
    }

    pub fn grant(&mut self, due: &[DueGrant], now: i64) {
        for due in due {
            let prior = self.outcomes.get(due.key());
            if let Some(change) = self.wallet.clone().grant_due(due, prior, at(now)).unwrap() {
                assert_eq!(change.expected_version(), self.wallet.version());
                let outcome = change.outcome().unwrap().outcome().clone();
                self.wallet = change.wallet().clone();
                self.outcomes.insert(outcome.key().to_owned(), outcome);
            }
        }
    }

    pub fn set_account(&mut self, change: Option<&RowChange<Account>>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
    }

    pub fn set_subscription(&mut self, change: &RowChange<Subscription>) {
        assert_eq!(change.expected_version(), self.subscription.version);
        // Through the store's text.
        let text = serde_json::to_string(change.row()).unwrap();
        self.subscription = serde_json::from_str(&text).unwrap();
    }

    /// Writes the paid time, and aligns the wallet.
    pub fn set_paid_time(&mut self, change: Option<&RowChange<PaidTime>>, now: i64) {
        let Some(change) = change else { return };
        assert_eq!(change.expected_version(), self.paid_time.version());
        let text = serde_json::to_string(change.row()).unwrap();
        self.paid_time = serde_json::from_str(&text).unwrap();
        assert_eq!(
            self.subscription.paid_until,
            self.paid_time.paid_until(),
            "the gate reads no wallet"
        );

        let schedule = self.paid_time.schedule();
        let terms = self.policy.align_terms();
        if let Some(change) = self
            .wallet
            .clone()
            .align(&schedule, terms, at(now))
            .unwrap()
        {
            assert_eq!(change.expected_version(), self.wallet.version());
            self.wallet = change.wallet().clone();
        }
    }

    pub fn adopt(
        &mut self,
        snapshot: &ProviderSnapshot,
        now: i64,
    ) -> Result<Freshness, AdoptError> {
        let (account, subscription) = (self.account.clone(), self.subscription.clone());
        let facts = AdoptionFacts {
            account,
            subscription,
            prices: self.prices.clone(),
            paid_time: self.paid_time.clone(),
            had_trial: self.had_trial,
        };
        let adoption = self.policy.adopt_snapshot(snapshot, facts, at(now))?;
        if let Some(transition) = adoption.transition() {
            assert_eq!(transition.command(), None);
            self.set_subscription(&transition.clone().into_change());
        }
        self.set_account(adoption.account());
        self.set_paid_time(adoption.paid_time(), now);
        self.grant(adoption.grants(), now);
        self.had_trial |= adoption.starts_trial();
        self.refetches += usize::from(adoption.needs_refetch());
        Ok(adoption.freshness())
    }

    pub fn pay(&mut self, payment: &ProviderPayment, now: i64) -> Result<bool, PaymentError> {
        let facts = PaymentFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            prices: self.prices.clone(),
            paid_time: self.paid_time.clone(),
            prior: self.invoices.get(&payment.invoice).cloned(),
        };
        match self
            .policy
            .record_provider_payment(payment, facts, at(now))?
        {
            Answer::Replayed(record) => {
                assert_eq!(self.invoices.get(&payment.invoice), Some(&record));
                Ok(false)
            }
            Answer::Fresh(change) => {
                self.set_account(change.account());
                self.set_subscription(change.subscription());
                self.set_paid_time(change.paid_time(), now);
                let text = serde_json::to_string(change.record()).unwrap();
                let record = serde_json::from_str(&text).unwrap();
                assert!(
                    self.invoices
                        .insert(payment.invoice.clone(), record)
                        .is_none()
                );
                Ok(true)
            }
        }
    }

    /// Undoes a payment; whether anything changed.
    pub fn undo(&mut self, undone: &ProviderUndone, now: i64) -> Result<bool, UndoneError> {
        let facts = UndoneFacts {
            record: self.invoices[undone.invoice.as_ref().unwrap()].clone(),
            subscription: self.subscription.clone(),
            paid_time: self.paid_time.clone(),
        };
        let Some(change) = self.policy.record_provider_undone(undone, facts, at(now))? else {
            return Ok(false);
        };
        self.set_subscription(change.subscription());
        self.set_paid_time(Some(change.paid_time()), now);
        Ok(true)
    }

    /// What became of the lines of an invoice.
    pub fn outcomes_of(&self, invoice: &str) -> Vec<LineOutcome> {
        let lines = &self.invoices[invoice].lines;
        lines.iter().map(|line| line.outcome).collect()
    }

    pub fn free(&self, now: i64) -> Credits {
        self.wallet.balance_at(at(now)).unwrap().free
    }

    /// Takes what an event reports, at the instant at which it was made.
    pub fn hear(&mut self, report: &ProviderReport, now: DateTime<Utc>) {
        let now = (now - at(0)).num_seconds();
        match report {
            ProviderReport::Snapshot(snapshot) => drop(self.adopt(snapshot, now).unwrap()),
            ProviderReport::Payment(payment) => drop(self.pay(payment, now).unwrap()),
            ProviderReport::Undone(undone) => drop(self.undo(undone, now).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// The gate's answer: until when it admits, or why it does not.
    pub fn admitted(&self, now: i64) -> Result<Option<DateTime<Utc>>, Denial> {
        let tenant = Tenant {
            plan: Some(self.plan()),
            subscription: Some(self.subscription.clone()),
            ..Tenant::new(self.account.clone())
        };
        let principal = Principal::session(5.into()).of_account(ACCOUNT.into());
        self.policy
            .validate_account_and_plan(&principal, Some(&tenant), at(now))
            .map(|access| access.valid_until())
    }

    fn plan(&self) -> Arc<Plan> {
        let known = self.prices.iter();
        let mut plans = known.map(|known| known.plan.clone());
        plans
            .find(|plan| plan.id == self.subscription.plan)
            .unwrap()
    }

    /// Carries out what time has made due.
    pub fn tick(&mut self, now: i64) {
        for transition in self
            .policy
            .advance_subscription(&self.subscription, &[], at(now))
        {
            self.set_subscription(&transition.into_change());
        }
    }

    /// What must converge: the subscription and the account but for their versions, the gifts, the
    /// payments, the facts of paid time.
    pub fn outcome(
        &self,
    ) -> (
        Subscription,
        AccountStatus,
        BTreeSet<String>,
        BTreeSet<String>,
        Vec<Fact>,
    ) {
        let grants = self.outcomes.keys().cloned().collect();
        let subscription = Subscription {
            version: 0,
            ..self.subscription.clone()
        };
        (
            subscription,
            self.account.status,
            grants,
            self.invoices.keys().cloned().collect(),
            self.paid_time.facts().to_vec(),
        )
    }
}
