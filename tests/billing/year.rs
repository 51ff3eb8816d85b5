//! A year of a service, simulated: accounts that pay by bank transfer, Stripe and PayPal, with
//! reports that are late, lost and sent again, doubled and out of order; and a host in memory that
//! takes them, under the guards that each change names.
#![allow(dead_code, reason = "each file uses what it needs")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::{
    AfterRefund, BankTransfer, ConfirmedTransfer, Deposit, RefundFacts, TransferFacts,
    TransferRefund,
};
use bailiwick::change::{Answer, RowChange};
use bailiwick::credit::{AlignTerms, Balance, Change, DeductRequest, DueGrant, Outcome, PriceList};
use bailiwick::gate::Operator;
use bailiwick::id::PlanId;
use bailiwick::money::Currency;
use bailiwick::paid_time::PaidTime;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::{Interval, Period};
use bailiwick::policy::{GraceMode, GraceSettings, Overpayment, PolicySettings};
use bailiwick::provider::{
    AdoptionFacts, LineKind, PaidInvoice, PaidLine, PaymentFacts, ProviderItem, ProviderPayment,
    ProviderPrice, ProviderSnapshot,
};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::{Command, Effect, SubscriptionStatus, Transition};
use bailiwick::{
    Account, Credits, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant,
    Wallet, admit,
};
use chrono::{DateTime, Utc};

pub const DAY: i64 = 86_400;
pub const YEAR: i64 = 365 * DAY;
pub const SLACK: i64 = DAY / 4;
pub const GRACE: i64 = 5 * DAY;
/// What a month costs, and what it brings.
pub const PRICE: i64 = 49;
pub const CREDITS: i64 = 500;

pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub fn euros(amount: i64) -> Money {
    Money::new(amount.into(), Currency::EUR).unwrap()
}

fn whole(credits: i64) -> Credits {
    Credits::whole(credits.try_into().unwrap())
}

/// SplitMix64 (Steele, Lea and Flood): the same story for the same seed, everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Debug)]
pub enum What {
    Snapshot(ProviderSnapshot),
    Payment(ProviderPayment),
    Transfer {
        transaction: String,
        amount: i64,
    },
    Refund {
        transaction: String,
        total: i64,
        then: AfterRefund,
    },
    Order(Command),
    Spend {
        key: String,
        credits: i64,
    },
}

#[derive(Clone, Debug)]
pub struct Happening {
    /// When it reaches the host, in seconds.
    pub second: i64,
    pub account: usize,
    pub what: What,
}

pub fn method(account: usize) -> PaymentMethod {
    PaymentMethod::ALL[account % PaymentMethod::ALL.len()]
}

/// All that reaches the host in a year, in the order in which it does.
pub fn story(seed: u64, accounts: usize) -> Vec<Happening> {
    let mut random = Random(seed);
    let mut events = Vec::new();
    for account in 0..accounts {
        let began = random.below(30 * DAY);
        match method(account) {
            PaymentMethod::BankTransfer => by_transfer(&mut random, account, began, &mut events),
            PaymentMethod::Stripe => {
                by_provider(&mut random, account, Provider::Stripe, began, &mut events)
            }
            PaymentMethod::Paypal => {
                by_provider(&mut random, account, Provider::Paypal, began, &mut events)
            }
        }
        for number in 0..random.below(40) {
            let what = What::Spend {
                key: format!("spend-{number}"),
                credits: 1 + random.below(120),
            };
            events.push(Happening {
                second: random.below(YEAR),
                account,
                what,
            });
        }
    }
    events.sort_by_key(|event| (event.second, event.account));
    events
}

/// Sends a report: mostly soon, sometimes late, sometimes twice; what is lost is found weeks later.
fn send(random: &mut Random, account: usize, made: i64, what: &What, events: &mut Vec<Happening>) {
    let delay = match random.below(10) {
        0 => random.below(3 * DAY),
        1 => 20 * DAY + random.below(5 * DAY),
        _ => random.below(60),
    };
    let times = if random.chance(20) { 3 } else { 1 };
    for _ in 0..times {
        let again = if times > 1 { random.below(2 * DAY) } else { 0 };
        events.push(Happening {
            second: made + delay + again,
            account,
            what: what.clone(),
        });
    }
}

fn by_provider(
    random: &mut Random,
    account: usize,
    provider: Provider,
    began: i64,
    events: &mut Vec<Happening>,
) {
    let subscription = format!("sub_{account}");
    let snapshot = |status, made: i64, period: Period, ends| {
        What::Snapshot(ProviderSnapshot {
            provider,
            subscription: subscription.clone(),
            reference: Some((account + 10).to_string()),
            items: vec![ProviderItem {
                price: "1".into(),
                quantity: 1,
                period: Some(period),
            }],
            at: at(made),
            status,
            anchor: at(began),
            trial: None,
            cancel_at_period_end: ends,
            cancel_at: None,
            ended_at: None,
        })
    };
    let first = Interval::MONTHLY.period(at(began), 0).unwrap();
    send(
        random,
        account,
        began,
        &snapshot(SubscriptionStatus::Incomplete, began, first, false),
        events,
    );
    for number in 0..12 {
        let period = Interval::MONTHLY.period(at(began), number).unwrap();
        let start = (period.start - at(0)).num_seconds();
        if start >= YEAR {
            return;
        }
        let story = random.below(100);
        let mut paid_at = start + 1;
        if story < 12 {
            let made = start + random.below(3600);
            send(
                random,
                account,
                made,
                &snapshot(SubscriptionStatus::PastDue, made, period, false),
                events,
            );
            paid_at = made + 1 + random.below(8 * DAY);
        }
        if story < 3 {
            let made = paid_at;
            send(
                random,
                account,
                made,
                &snapshot(SubscriptionStatus::Canceled, made, period, false),
                events,
            );
            return;
        }
        let ends = story == 99;
        send(
            random,
            account,
            paid_at,
            &snapshot(SubscriptionStatus::Active, paid_at, period, ends),
            events,
        );
        let payment = What::Payment(ProviderPayment {
            provider,
            subscription: subscription.clone(),
            reference: Some((account + 10).to_string()),
            invoice: format!("in_{account}_{number}"),
            made: period.start,
            received: at(paid_at),
            amount: euros(PRICE),
            lines: vec![PaidLine {
                key: "line".into(),
                price: Some("1".into()),
                quantity: 1,
                amount: euros(PRICE),
                kind: LineKind::Period(period),
            }],
        });
        send(random, account, paid_at, &payment, events);
        if ends {
            let made = (period.end - at(0)).num_seconds();
            send(
                random,
                account,
                made,
                &snapshot(SubscriptionStatus::Canceled, made, period, false),
                events,
            );
            return;
        }
    }
}

fn by_transfer(random: &mut Random, account: usize, began: i64, events: &mut Vec<Happening>) {
    let mut second = began;
    let mut order = |second: i64, command: Command| {
        events.push(Happening {
            second,
            account,
            what: What::Order(command),
        })
    };
    if random.chance(40) {
        order(
            began,
            Command::StartTrial {
                until: at(began + 14 * DAY),
            },
        );
    }
    for _ in 0..random.below(4) {
        let command = match random.below(6) {
            0 => Command::Pause,
            1 => Command::Resume,
            2 => Command::CancelAtPeriodEnd,
            3 => Command::WithdrawCancellation,
            4 => Command::ChangePlanAtPeriodEnd { plan: 2.into() },
            _ => Command::ChangePlan { plan: 1.into() },
        };
        order(random.below(YEAR), command);
    }
    for number in 0..14 {
        if second >= YEAR {
            return;
        }
        // Two names for one account's transfers never meet; the same name for two accounts is a
        // conflict.
        let transaction = format!("tx-{account}-{number}");
        let amount = [PRICE, PRICE, PRICE, PRICE, 20, 29, 2 * PRICE, 90, 110]
            [usize::try_from(random.below(9)).unwrap()];
        let what = What::Transfer {
            transaction: transaction.clone(),
            amount,
        };
        send(random, account, second, &what, events);
        if random.chance(6) {
            let then = if random.chance(50) {
                AfterRefund::KeepService
            } else {
                AfterRefund::EndService
            };
            let what = What::Refund {
                transaction,
                total: 1 + random.below(amount),
                then,
            };
            send(random, account, second + 25 * DAY, &what, events);
        }
        second += 20 * DAY + random.below(20 * DAY);
    }
}

/// One account and all its rows.
#[derive(Clone, Debug)]
pub struct Books {
    pub account: Account,
    /// The plan that the account is on.
    pub plan: PlanId,
    pub subscription: Subscription,
    pub paid_time: PaidTime,
    pub wallet: Wallet,
    pub outcomes: BTreeMap<String, Outcome>,
    /// What was granted beside what paid time brings.
    pub granted: Credits,
    pub deposit: Option<Deposit>,
    pub transfers: BTreeMap<String, ConfirmedTransfer>,
    pub invoices: BTreeMap<String, PaidInvoice>,
    pub spent: Credits,
    pub answers: Vec<bool>,
}

/// A host in memory.
pub struct Host {
    pub policy: Policy,
    pub plans: [Arc<Plan>; 2],
    pub prices: PriceList,
    pub operator: Operator,
    pub books: Vec<Books>,
}

impl Host {
    pub fn new(accounts: usize) -> Self {
        let grace = GraceSettings {
            seconds: GRACE.unsigned_abs(),
            mode: GraceMode::Full,
        };
        let settings = PolicySettings {
            payment_methods: PaymentMethod::ALL.into(),
            renewal_slack_seconds: SLACK.unsigned_abs(),
            past_due_grace: Some(grace),
            overpayment: Overpayment::Deposit,
            ..PolicySettings::default()
        };
        let plan = |id: i64, price, credits| {
            Arc::new(Plan {
                id: id.into(),
                active: true,
                price: euros(price),
                interval: Interval::MONTHLY,
                credits: whole(credits),
                credits_every: Interval::MONTHLY,
                trial_credits: None,
                needs_subscription: true,
                quotas: BTreeMap::new(),
                concurrency: BTreeMap::new(),
            })
        };
        let books = (0..accounts).map(|number| {
            let id = i64::try_from(number).unwrap() + 10;
            let payment_method = method(number);
            Books {
                account: Account {
                    id: id.into(),
                    status: AccountStatus::PendingPayment,
                    payment_method,
                    version: 1,
                    privileges: Privileges::NONE,
                    registered_at: None,
                },
                plan: 1.into(),
                subscription: Subscription {
                    paypal_subscription_id: (payment_method == PaymentMethod::Paypal)
                        .then(|| format!("sub_{number}")),
                    ..Subscription::new(id.into(), id.into(), 1.into(), payment_method, at(0))
                },
                paid_time: PaidTime::new(id.into(), id.into()),
                wallet: Wallet::open(id.into(), at(0)),
                outcomes: BTreeMap::new(),
                granted: Credits::ZERO,
                deposit: None,
                transfers: BTreeMap::new(),
                invoices: BTreeMap::new(),
                spent: Credits::ZERO,
                answers: Vec::new(),
            }
        });
        Self {
            policy: Policy::load(settings).unwrap(),
            plans: [plan(1, PRICE, CREDITS), plan(2, 90, 900)],
            prices: serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap(),
            operator: operator(),
            books: books.collect(),
        }
    }

    fn plan(&self, id: &PlanId) -> Arc<Plan> {
        self.plans
            .iter()
            .find(|plan| plan.id == *id)
            .unwrap()
            .clone()
    }

    fn prices_of_providers(&self) -> Vec<ProviderPrice> {
        vec![ProviderPrice {
            price: "1".into(),
            plan: self.plans[0].clone(),
        }]
    }

    /// The job that a host runs now and then, or never.
    pub fn tick(&mut self, now: i64) {
        for number in 0..self.books.len() {
            self.advance(number, now);
        }
    }

    fn advance(&mut self, number: usize, now: i64) {
        for transition in
            self.policy
                .advance_subscription(&self.books[number].subscription, &[], at(now))
        {
            self.carry_out(number, transition);
        }
        let books = &mut self.books[number];
        let change = books.wallet.clone().advance(at(now)).unwrap();
        books.write(&change);
    }

    /// Writes a transition, and all that follows from it.
    fn carry_out(&mut self, number: usize, transition: Transition) {
        let books = &mut self.books[number];
        assert_eq!(transition.expected_version(), books.subscription.version);
        let account = books.account.after(&transition);
        books.set_account(account.as_ref());
        for effect in transition.effects() {
            if let Effect::PlanChanged { from, to } = effect {
                assert_eq!(&books.plan, from);
                books.plan = to.clone();
            }
        }
        books.subscription = transition.into_subscription();
    }

    pub fn take(&mut self, event: &Happening) {
        let (number, now) = (event.account, event.second);
        match &event.what {
            What::Snapshot(snapshot) => self.adopt(number, snapshot, now),
            What::Payment(payment) => self.pay(number, payment, now),
            What::Transfer {
                transaction,
                amount,
            } => self.confirm(number, transaction, *amount, now),
            What::Refund {
                transaction,
                total,
                then,
            } => self.refund(number, transaction, *total, *then, now),
            What::Order(command) => self.order(number, command.clone(), now),
            What::Spend { key, credits } => self.spend(number, key, *credits, now),
        }
    }

    fn adopt(&mut self, number: usize, snapshot: &ProviderSnapshot, now: i64) {
        let books = &self.books[number];
        let (account, subscription) = (books.account.clone(), books.subscription.clone());
        let facts = AdoptionFacts {
            account,
            subscription,
            prices: self.prices_of_providers(),
            paid_time: books.paid_time.clone(),
            had_trial: false,
        };
        let adoption = self
            .policy
            .adopt_snapshot(snapshot, facts, at(now))
            .unwrap();
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        if let Some(transition) = adoption.transition() {
            assert_eq!(transition.expected_version(), books.subscription.version);
            books.subscription = transition.subscription().clone();
        }
        if let Some(plan) = adoption.plan() {
            books.plan = plan.clone();
        }
        books.set_account(adoption.account());
        books.set_paid_time(adoption.paid_time(), terms, now);
        books.grant(adoption.grants(), now);
    }

    fn pay(&mut self, number: usize, payment: &ProviderPayment, now: i64) {
        let books = &self.books[number];
        let facts = PaymentFacts {
            account: books.account.clone(),
            subscription: books.subscription.clone(),
            prices: self.prices_of_providers(),
            paid_time: books.paid_time.clone(),
            prior: books.invoices.get(&payment.invoice).cloned(),
        };
        let answer = self
            .policy
            .record_provider_payment(payment, facts, at(now))
            .unwrap();
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        if let Answer::Fresh(change) = answer {
            books.set_account(change.account());
            assert_eq!(
                change.subscription().expected_version(),
                books.subscription.version
            );
            books.subscription = change.subscription().row().clone();
            books.set_paid_time(change.paid_time(), terms, now);
            books
                .invoices
                .insert(payment.invoice.clone(), change.record().clone());
        }
    }

    fn confirm(&mut self, number: usize, transaction: &str, amount: i64, now: i64) {
        let books = &self.books[number];
        let receiving = "DE02120300000000202051".parse().unwrap();
        let proof = "https://bank.example/statements/1";
        let transfer = BankTransfer::new(
            receiving,
            transaction.parse().unwrap(),
            "2027-01-15".parse().unwrap(),
            euros(amount),
            "Somebody",
            proof,
        )
        .unwrap();
        // A host that advances first knows what is due next.
        let due = self
            .policy
            .advance_subscription(&books.subscription, &[], at(now))
            .pop();
        let next = due
            .as_ref()
            .map_or(&books.subscription, Transition::subscription)
            .next_plan();
        let facts = TransferFacts {
            charge: None,
            account: books.account.clone(),
            plan: self.plan(next),
            subscription: Some(books.subscription.clone()),
            paid_time: Some(books.paid_time.clone()),
            deposit: books.deposit.clone(),
            claim: None,
            prior: books
                .transfers
                .get(transaction)
                .cloned()
                .into_iter()
                .collect(),
        };
        let answer = self
            .policy
            .confirm_bank_transfer(&self.operator, &transfer, facts, at(now));
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            books.set_account(Some(change.account()));
            books.plan = change.plan().clone();
            if let Some(paid) = change.subscription() {
                assert_eq!(paid.expected_version(), books.subscription.version);
                books.subscription = paid.row().clone();
            }
            books.set_deposit(change.deposit());
            books.set_paid_time(change.paid_time(), terms, now);
            books
                .transfers
                .insert(transaction.to_owned(), change.record().clone());
        }
    }

    fn refund(
        &mut self,
        number: usize,
        transaction: &str,
        total: i64,
        then: AfterRefund,
        now: i64,
    ) {
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        let Some(record) = books.transfers.get(transaction).cloned() else {
            return;
        };
        let facts = RefundFacts {
            record,
            subscription: Some(books.subscription.clone()),
            deposit: books.deposit.clone(),
            paid_time: Some(books.paid_time.clone()),
        };
        let refund = TransferRefund {
            total: euros(total),
            then,
        };
        let answer = ConfirmedTransfer::refund(&self.operator, refund, facts, at(now));
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            if let Some(ended) = change.subscription() {
                books.subscription = ended.row().clone();
            }
            books.set_deposit(change.deposit());
            books.set_paid_time(change.paid_time(), terms, now);
            assert!(change.revocations().is_empty(), "nothing was topped up");
            books
                .transfers
                .insert(transaction.to_owned(), change.record().row().clone());
        }
    }

    fn order(&mut self, number: usize, command: Command, now: i64) {
        // What time has made due comes before what anyone else wants.
        self.advance(number, now);
        let answer = self.books[number]
            .subscription
            .clone()
            .apply(command, at(now));
        self.books[number].answers.push(answer.is_ok());
        if let Ok(transition) = answer {
            self.carry_out(number, transition);
        }
    }

    fn spend(&mut self, number: usize, key: &str, credits: i64, now: i64) {
        let books = &self.books[number];
        let tenant = Tenant {
            plan: Some(self.plan(&books.plan)),
            subscription: Some(books.subscription.clone()),
            ..Tenant::new(books.account.clone())
        };
        let principal = Principal::session(1.into()).of_account(books.account.id.clone());
        let access = self
            .policy
            .validate_account_and_plan(&principal, Some(&tenant), at(now));
        let quote = self
            .prices
            .quote("unit", u64::try_from(credits).unwrap())
            .unwrap();
        let request = DeductRequest {
            key: key.parse().unwrap(),
            quote,
            fingerprint: None,
        };
        let books = &mut self.books[number];
        let Ok(access) = access else {
            return books.answers.push(false);
        };
        let prior = books.outcomes.get(&Outcome::spend_key(&request.key));
        match books
            .wallet
            .clone()
            .deduct(&access, &request, prior, at(now))
        {
            Ok(Answer::Fresh(change)) => {
                books.write(&change);
                books.spent = books.spent.checked_add(whole(credits)).unwrap();
                books.answers.push(true);
            }
            _ => books.answers.push(false),
        }
    }
}

impl Books {
    pub fn write<T>(&mut self, change: &Change<T>) {
        assert_eq!(change.expected_version(), self.wallet.version());
        self.wallet = change.wallet().clone();
        if let Some(write) = change.outcome() {
            let outcome = write.outcome();
            self.outcomes
                .insert(outcome.key().to_owned(), outcome.clone());
        }
    }

    fn grant(&mut self, due: &[DueGrant], now: i64) {
        for due in due {
            let prior = self.outcomes.get(due.key());
            if let Some(change) = self.wallet.clone().grant_due(due, prior, at(now)).unwrap() {
                self.write(&change);
                self.granted = self.granted.checked_add(due.terms().amount).unwrap();
            }
        }
    }

    /// Writes paid time, and sets the wallet to it.
    fn set_paid_time(&mut self, change: Option<&RowChange<PaidTime>>, terms: AlignTerms, now: i64) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.paid_time.version());
            self.paid_time = change.row().clone();
            let schedule = self.paid_time.schedule();
            if let Some(change) = self
                .wallet
                .clone()
                .align(&schedule, terms, at(now))
                .unwrap()
            {
                self.write(&change);
                assert!(change.into_result().before_memory.is_empty());
            }
        }
    }

    fn set_account(&mut self, change: Option<&RowChange<Account>>) {
        if let Some(change) = change {
            assert_eq!(change.expected_version(), self.account.version);
            self.account = change.row().clone();
        }
    }

    fn set_deposit(&mut self, change: Option<&RowChange<Deposit>>) {
        if let Some(change) = change {
            assert_eq!(
                change.expected_version(),
                self.deposit.as_ref().map_or(0, |deposit| deposit.version)
            );
            self.deposit = Some(change.row().clone());
        }
    }

    /// Everything but versions.
    #[allow(clippy::type_complexity, reason = "it is only compared")]
    pub fn state(
        &self,
        now: i64,
    ) -> (
        AccountStatus,
        PlanId,
        Subscription,
        Balance,
        Option<Money>,
        BTreeSet<String>,
        Vec<bool>,
    ) {
        (
            self.account.status,
            self.plan.clone(),
            Subscription {
                version: 0,
                ..self.subscription.clone()
            },
            self.wallet.balance_at(at(now)).unwrap(),
            self.deposit.as_ref().map(|deposit| deposit.amount),
            self.outcomes.keys().cloned().collect(),
            self.answers.clone(),
        )
    }
}

fn operator() -> Operator {
    let privilege = Privilege::ConfirmPayments;
    let privileges = Privileges::from_iter([privilege]);
    let account = Account {
        id: 1.into(),
        status: AccountStatus::Active,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges,
        registered_at: None,
    };
    let tenant = Tenant {
        account,
        plan: None,
        next_plan: None,
        subscription: None,
        sites: Arc::new([]),
    };
    let principal = Principal::session(2.into())
        .of_account(1.into())
        .with_privileges(privileges);
    let decision = admit(
        Route::Operator(privilege),
        &Evidence::Verified(principal),
        Some(&tenant),
        at(0),
    );
    decision.into_result().unwrap().into_operator().unwrap()
}

/// Plays a story; the job runs at these seconds as well.
pub fn play(accounts: usize, events: &[Happening], ticks: &[i64]) -> Host {
    let mut host = Host::new(accounts);
    let mut ticks = ticks.iter().peekable();
    for event in events {
        while let Some(tick) = ticks.next_if(|tick| **tick <= event.second) {
            host.tick(*tick);
        }
        host.take(event);
    }
    ticks.for_each(|tick| host.tick(*tick));
    host
}
