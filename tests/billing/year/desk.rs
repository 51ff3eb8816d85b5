//! The desk of the host: transfers, refunds and retractions, charges, and trials.

use super::{Books, Host, PACK, Part, at, cents, euros, identity, whole};
use bailiwick::bank_transfer::{
    AfterRefund, BankTransfer, ConfirmedTransfer, Deposit, RefundFacts, RetractionFacts,
    TransferFacts, TransferRefund,
};
use bailiwick::change::Answer;
use bailiwick::charge::{Charge, ChargeOpened, CreditPack, PlanChangeFacts};
use bailiwick::gate::BillingAccess;
use bailiwick::paid_time::PaidTime;
use bailiwick::period::Interval;
use bailiwick::registration::{Subject, SubjectRecord, TrialFacts};
use bailiwick::subscription::Transition;
use bailiwick::{Evidence, Money, Principal, Route, Tenant, admit};
use chrono::NaiveDate;

impl Host {
    pub(super) fn confirm(
        &mut self,
        number: usize,
        (transaction, amount, booked): (&str, Money, NaiveDate),
        charge: Option<Charge>,
        now: i64,
    ) {
        let receiving = "DE02120300000000202051".parse().unwrap();
        let proof = "https://bank.example/statements/1";
        let transaction_id = transaction.parse().unwrap();
        let transfer =
            BankTransfer::new(receiving, transaction_id, booked, amount, "Somebody", proof);

        // A host that looks first knows what is due next.
        let due = self.due(number, now).pop();
        let books = &self.books[number];
        let next = due
            .as_ref()
            .map_or(&books.subscription, Transition::subscription)
            .next_plan();
        let facts = TransferFacts {
            charge,
            account: books.account.clone(),
            plan: self.plan(next),
            subscription: Some(books.subscription.clone()),
            paid_time: Some(books.paid_time.clone()),
            deposit: books.deposit.clone(),
            claim: None,
            prior: self.transfers.get(transaction).cloned().unwrap_or_default(),
        };
        let transfer = transfer.unwrap();
        let answer = self
            .policy
            .confirm_bank_transfer(&self.operator, &transfer, facts, at(now));
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            books.set_account(Some(change.account()));
            books.set_plan(Some(change.plan()));
            books.set_subscription(change.subscription());
            books.set_deposit(change.deposit());
            books.set_charge(change.charge());
            books.set_paid_time(change.paid_time(), terms, now);
            books.grant(change.grants(), now);
            let records = self.transfers.entry(transaction.to_owned()).or_default();
            records.push(change.record().clone());
        }
    }

    /// Pays a charge, if it was ever opened.
    pub(super) fn pay_charge(
        &mut self,
        number: usize,
        (transaction, booked): (&str, NaiveDate),
        (charge, part): (i64, Part),
        now: i64,
    ) {
        let Some(charge) = self.books[number].charges.get(&charge).cloned() else {
            return;
        };
        let due = charge.amount;
        let amount = match part {
            Part::Exact => Some(due),
            Part::AlmostAll => due.checked_sub(cents(50)),
            Part::Half => due.checked_sub(euros(10)),
            Part::More => due.checked_add(euros(5)),
        };
        if let Some(amount) = amount.filter(|amount| !amount.is_zero()) {
            self.confirm(number, (transaction, amount, booked), Some(charge), now);
        }
    }

    /// The record of a transfer that stands, and its place.
    fn record(&self, number: usize, transaction: &str) -> Option<(usize, ConfirmedTransfer)> {
        let account = &self.books[number].account.id;
        let records = self.transfers.get(transaction)?.iter().enumerate();
        let mut own = records.filter(|(_, record)| record.account == *account);
        let (place, record) = own.next_back()?;
        Some((place, record.clone()))
    }

    pub(super) fn refund(
        &mut self,
        number: usize,
        transaction: &str,
        total: Money,
        then: AfterRefund,
        now: i64,
    ) {
        let Some((place, record)) = self.record(number, transaction) else {
            return;
        };
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        let facts = RefundFacts {
            paid_time: books.paid_time_of(&record),
            record,
            subscription: Some(books.subscription.clone()),
            deposit: books.deposit.clone(),
        };
        let refund = TransferRefund { total, then };
        let answer = ConfirmedTransfer::refund(&self.operator, refund, facts, at(now));
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            books.set_subscription(change.subscription());
            books.set_deposit(change.deposit());
            books.set_paid_time(change.paid_time(), terms, now);
            books.revoke(change.revocations(), now);
            let records = self.transfers.get_mut(transaction).unwrap();
            records[place] = change.record().row().clone();
        }
    }

    pub(super) fn retract(&mut self, number: usize, transaction: &str, now: i64) {
        let Some((place, record)) = self.record(number, transaction) else {
            return;
        };
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        let charge = |id| books.charges.values().find(|charge| charge.id == id);
        let facts = RetractionFacts {
            paid_time: books.paid_time_of(&record),
            charge: record.charge.clone().and_then(charge).cloned(),
            record,
            account: books.account.clone(),
            subscription: Some(books.subscription.clone()),
            deposit: books.deposit.clone(),
            claim: None,
        };
        let answer = ConfirmedTransfer::retract(&self.operator, facts, at(now));
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            books.set_account(Some(change.account()));
            books.set_plan(change.plan());
            books.set_subscription(change.subscription());
            books.set_deposit(change.deposit());
            books.set_charge(change.charge());
            books.set_paid_time(change.paid_time(), terms, now);
            books.revoke(change.revocations(), now);
            let records = self.transfers.get_mut(transaction).unwrap();
            records[place] = change.record().row().clone();
        }
    }

    fn billing(&self, number: usize, now: i64) -> BillingAccess {
        let account = self.books[number].account.clone();
        let payer = Principal::session(1.into()).of_account(account.id.clone());
        let evidence = Evidence::Verified(payer);
        let admitted = admit(
            Route::Billing,
            &evidence,
            Some(&Tenant::new(account)),
            at(now),
        );
        admitted.into_result().unwrap().into_billing().unwrap()
    }

    /// A change to another plan from the one that time has put into force.
    fn plan_change(&self, number: usize, to: i64, now: i64) -> PlanChangeFacts {
        let due = self.due(number, now).pop();
        let books = &self.books[number];
        let present = due
            .as_ref()
            .map_or(&books.subscription, Transition::subscription);
        PlanChangeFacts {
            account: books.account.clone(),
            subscription: books.subscription.clone(),
            from: self.plan(&present.plan),
            to: self.plan(&to.into()),
            paid_time: books.paid_time.clone(),
            prior: None,
        }
    }

    pub(super) fn upgrade(&mut self, number: usize, charge: i64, to: i64, now: i64) {
        let facts = self.plan_change(number, to, now);
        let access = self.billing(number, now);
        let answer = self
            .policy
            .open_upgrade(&access, charge.into(), facts, at(now));
        self.opened(number, answer.ok());
    }

    pub(super) fn open_pack(&mut self, number: usize, charge: i64, now: i64) {
        let pack = CreditPack {
            expires_after: (charge % 2 == 0).then_some(Interval::MONTHLY),
            ..CreditPack::new("Pack", euros(PACK), whole(300))
        };
        let access = self.billing(number, now);
        let answer = self
            .policy
            .open_credit_pack(&access, charge.into(), pack, None, at(now));
        self.opened(number, answer.ok());
    }

    fn opened(&mut self, number: usize, answer: Option<Answer<ChargeOpened, Charge>>) {
        let books = &mut self.books[number];
        books.answers.push(answer.is_some());
        if let Some(Answer::Fresh(opened)) = answer {
            books.set_charge(Some(opened.charge()));
            assert!(opened.subscription().is_none(), "an upgrade is paid first");
        }
    }

    pub(super) fn downgrade(&mut self, number: usize, charge: i64, to: i64, now: i64) {
        let facts = self.plan_change(number, to, now);
        let access = self.billing(number, now);
        let answer = self
            .policy
            .downgrade_now(&access, charge.into(), facts, at(now));
        let terms = self.policy.align_terms();
        let books = &mut self.books[number];
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            let deposit = Deposit::with_credited(books.deposit.as_ref(), &change).unwrap();
            books.set_account(Some(change.account()));
            books.set_plan(Some(change.plan()));
            books.set_subscription(Some(change.subscription()));
            books.set_charge(Some(change.charge()));
            books.set_deposit(deposit.as_ref());
            books.set_paid_time(change.paid_time(), terms, now);
        }
    }

    pub(super) fn start_trial(&mut self, number: usize, until: i64, now: i64) {
        let identity = identity(number);
        let books = &self.books[number];
        let digest = [u8::try_from(identity % 251).unwrap(); 32];
        let facts = TrialFacts {
            account: books.account.clone(),
            subscription: books.subscription.clone(),
            plan: self.plan(&books.subscription.plan),
            subject: SubjectRecord {
                subject: Subject::from_digest(digest),
                account: Some(books.account.id.clone()),
                had_trial: self.had_trial.contains(&identity),
                version: 1,
            },
            prior: books.outcomes.get(TrialFacts::OUTCOME).cloned(),
        };
        let answer = self.policy.start_trial(facts, at(until), at(now));
        self.books[number].answers.push(answer.is_ok());
        let Ok(change) = answer else { return };

        if change.subject().row().had_trial {
            self.had_trial.insert(identity);
        }
        // What time had made due is part of it.
        let books = &mut self.books[number];
        let subscription = change.transition().clone().into_change();
        books.set_account(change.account());
        books.set_subscription(Some(&subscription));
        books.grant(change.grant().map_or(&[], std::slice::from_ref), now);
    }
}

impl Books {
    /// The paid time of the subscription that a transfer paid, if it paid one.
    fn paid_time_of(&self, record: &ConfirmedTransfer) -> Option<PaidTime> {
        let has_paid = record.subscription.is_some();
        has_paid.then(|| self.paid_time.clone())
    }
}
