//! A host in memory: what time makes due, and the reports of providers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    BASIC, Books, FREE, GRACE, Happening, PRO, SLACK, What, YEARLY, at, cents, credits, euros,
    identity, method, price, whole,
};
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::ConfirmedTransfer;
use bailiwick::change::Answer;
use bailiwick::credit::PriceList;
use bailiwick::gate::Operator;
use bailiwick::id::PlanId;
use bailiwick::paid_time::PaidTime;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::policy::{GraceMode, GraceSettings, Overpayment, PolicySettings};
use bailiwick::provider::{
    AdoptionFacts, PaymentFacts, ProviderPayment, ProviderPrice, ProviderSnapshot, ProviderUndone,
    UndoneFacts,
};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::{Command, Effect, Transition};
use bailiwick::{
    Account, Credits, Evidence, Plan, Policy, Principal, Route, Subscription, Tenant, Wallet, admit,
};

pub struct Host {
    pub policy: Policy,
    pub plans: Vec<Arc<Plan>>,
    pub(super) prices: PriceList,
    pub operator: Operator,
    pub books: Vec<Books>,
    /// The registry of all transfers, by the bank's identifier.
    pub transfers: BTreeMap<String, Vec<ConfirmedTransfer>>,
    /// The identities that had a trial.
    pub had_trial: BTreeSet<usize>,
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
            transfer_tolerance: Some(euros(1)),
            ..PolicySettings::default()
        };
        Self {
            policy: Policy::load(settings).unwrap(),
            plans: [BASIC, PRO, YEARLY, FREE].map(plan).into(),
            prices: serde_json::from_str(r#"{ "unit": { "per_unit": "1" } }"#).unwrap(),
            operator: operator(),
            books: (0..accounts).map(books).collect(),
            transfers: BTreeMap::new(),
            had_trial: BTreeSet::new(),
        }
    }

    pub fn plan(&self, id: &PlanId) -> Arc<Plan> {
        self.plans
            .iter()
            .find(|plan| plan.id == *id)
            .unwrap()
            .clone()
    }

    fn prices_of_providers(&self) -> Vec<ProviderPrice> {
        let known = |plan: &Arc<Plan>| ProviderPrice {
            price: plan.id.to_string(),
            plan: plan.clone(),
        };
        self.plans.iter().map(known).collect()
    }

    /// The job that a host runs now and then, or never.
    pub fn tick(&mut self, now: i64) {
        for number in 0..self.books.len() {
            self.advance(number, now);
        }
    }

    /// What time has made due of a subscription.
    pub fn due(&self, number: usize, now: i64) -> Vec<Transition> {
        let subscription = &self.books[number].subscription;
        self.policy
            .advance_subscription(subscription, &self.plans, at(now))
    }

    pub fn advance(&mut self, number: usize, now: i64) {
        for transition in self.due(number, now) {
            self.carry_out(number, transition);
        }
        let books = &mut self.books[number];
        let change = books.wallet.clone().advance(at(now)).unwrap();
        books.write(&change);
    }

    /// Writes a transition, and all that follows from it.
    pub fn carry_out(&mut self, number: usize, transition: Transition) {
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
            What::Snapshot(snapshot, _) => self.adopt(number, snapshot, now),
            What::Payment(payment, _) => self.pay(number, payment, now),
            What::Undone(undone, _) => self.undo(number, undone, now),
            What::Transfer {
                transaction,
                amount,
                booked,
            } => {
                let amount = euros(*amount);
                self.confirm(number, (transaction, amount, *booked), None, now);
            }
            What::ChargePayment {
                transaction,
                charge,
                part,
                booked,
            } => self.pay_charge(number, (transaction, *booked), (*charge, *part), now),
            What::Refund {
                transaction,
                total,
                then,
            } => self.refund(number, transaction, euros(*total), *then, now),
            What::Retraction { transaction } => self.retract(number, transaction, now),
            What::Trial { until } => self.start_trial(number, *until, now),
            What::Upgrade { charge, to } => self.upgrade(number, *charge, *to, now),
            What::Downgrade { charge, to } => self.downgrade(number, *charge, *to, now),
            What::Pack { charge } => self.open_pack(number, *charge, now),
            What::Order(command) => self.order(number, command.clone(), now),
            What::Spend { key, credits } => self.spend(number, key, *credits, now),
            What::Hold {
                key,
                credits,
                seconds,
            } => self.hold(number, key, (*credits, *seconds), now),
            What::Settle { key, credits } => self.settle(number, key, *credits, now),
        }
    }

    fn adopt(&mut self, number: usize, snapshot: &ProviderSnapshot, now: i64) {
        let books = &self.books[number];
        let facts = AdoptionFacts {
            account: books.account.clone(),
            subscription: books.subscription.clone(),
            prices: self.prices_of_providers(),
            paid_time: books.paid_time.clone(),
            had_trial: self.had_trial.contains(&identity(number)),
        };
        let adoption = self
            .policy
            .adopt_snapshot(snapshot, facts, at(now))
            .unwrap();
        if adoption.starts_trial() {
            self.had_trial.insert(identity(number));
        }
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        if let Some(transition) = adoption.transition() {
            assert_eq!(transition.expected_version(), books.subscription.version);
            books.subscription = transition.subscription().clone();
        }
        books.set_plan(adoption.plan());
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
        let Answer::Fresh(change) = answer else {
            return;
        };
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        books.set_account(change.account());
        books.set_subscription(Some(change.subscription()));
        books.set_paid_time(change.paid_time(), terms, now);
        let record = change.record().clone();
        books.invoices.insert(payment.invoice.clone(), record);

        // The provider sends again what could not be recorded before.
        let is_own = |undone: &ProviderUndone| undone.invoice.as_ref() == Some(&payment.invoice);
        let early = books.undone_early.clone();
        for undone in early.iter().filter(|undone| is_own(undone)) {
            self.undo(number, undone, now);
        }
    }

    fn undo(&mut self, number: usize, undone: &ProviderUndone, now: i64) {
        let books = &mut self.books[number];
        let Some(record) = books.invoices.get(undone.invoice.as_ref().unwrap()) else {
            books.undone_early.push(undone.clone());
            return;
        };
        let facts = UndoneFacts {
            record: record.clone(),
            subscription: books.subscription.clone(),
            paid_time: books.paid_time.clone(),
        };
        let change = self.policy.record_provider_undone(undone, facts, at(now));
        if let Some(change) = change.unwrap() {
            books.set_subscription(Some(change.subscription()));
            books.set_paid_time(Some(change.paid_time()), self.policy.align_terms(), now);
        }
    }

    fn order(&mut self, number: usize, command: Command, now: i64) {
        // What time has made due comes before what anyone else wants.
        self.advance(number, now);
        let subscription = self.books[number].subscription.clone();
        // Where something was paid, a change at once goes by a charge.
        let is_change = matches!(command, Command::ChangePlan { .. });
        if is_change && !subscription.free_period {
            return self.books[number].answers.push(false);
        }
        let answer = subscription.apply(command, at(now));
        self.books[number].answers.push(answer.is_ok());
        if let Ok(transition) = answer {
            self.carry_out(number, transition);
        }
    }
}

fn plan(id: i64) -> Arc<Plan> {
    let interval = if id == YEARLY {
        Interval::YEARLY
    } else {
        Interval::MONTHLY
    };
    Arc::new(Plan {
        credits: whole(credits(id)),
        credits_every: Interval::MONTHLY,
        trial_credits: Some(whole(100)),
        needs_subscription: true,
        ..Plan::new(id.into(), cents(price(id) * 100), interval)
    })
}

fn books(number: usize) -> Books {
    let id = i64::try_from(number).unwrap() + 10;
    let payment_method = method(number);
    Books {
        account: Account {
            id: id.into(),
            status: AccountStatus::PendingPayment,
            payment_method,
            version: 1,
            privileges: Privileges::NONE,
            registered_at: Some(at(id)),
        },
        plan: BASIC.into(),
        subscription: Subscription {
            paypal_subscription_id: (payment_method == PaymentMethod::Paypal)
                .then(|| format!("sub_{number}")),
            ..Subscription::new(id.into(), id.into(), BASIC.into(), payment_method, at(0))
        },
        paid_time: PaidTime::new(id.into(), id.into()),
        wallet: Wallet::open(id.into(), at(0)),
        outcomes: BTreeMap::new(),
        holds: BTreeMap::new(),
        granted: Credits::ZERO,
        taken: Credits::ZERO,
        pinned: Credits::ZERO,
        deposit: None,
        charges: BTreeMap::new(),
        invoices: BTreeMap::new(),
        undone_early: Vec::new(),
        spent: Credits::ZERO,
        answers: Vec::new(),
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
