//! The calls of the host's tenants: the gate, and what they cost.

use super::{Host, at, whole};
use bailiwick::change::Answer;
use bailiwick::credit::{DeductRequest, HoldRequest, Outcome, Quote};
use bailiwick::subscription::{SubscriptionStatus, Transition};
use bailiwick::{Access, Principal, Tenant};
use chrono::TimeDelta;

impl Host {
    /// Asks the gate, and gives what a free plan gives.
    fn access(&mut self, number: usize, now: i64) -> Option<Access> {
        // The gate serves all that time has made due but the grace: that begins with its command.
        let is_past_due = |last: &Transition| last.to() == SubscriptionStatus::PastDue;
        if self.due(number, now).last().is_some_and(is_past_due) {
            self.advance(number, now);
        }

        let books = &self.books[number];
        let pending = books.subscription.pending_plan.as_ref();
        let tenant = Tenant {
            plan: Some(self.plan(&books.plan)),
            next_plan: pending.map(|pending| self.plan(&pending.plan)),
            subscription: Some(books.subscription.clone()),
            ..Tenant::new(books.account.clone())
        };
        let principal = Principal::session(1.into()).of_account(books.account.id.clone());
        let access = self
            .policy
            .validate_account_and_plan(&principal, Some(&tenant), at(now))
            .ok()?;

        let account = &self.books[number].account;
        let gift = self
            .policy
            .free_credits_due(account, access.plan(), at(now));
        if let Some(gift) = gift {
            self.books[number].grant(&[gift], now);
        }
        Some(access)
    }

    fn quote(&self, credits: i64) -> Quote {
        let units = u64::try_from(credits).unwrap();
        self.prices.quote("unit", units).unwrap()
    }

    pub(super) fn spend(&mut self, number: usize, key: &str, credits: i64, now: i64) {
        let request = DeductRequest {
            key: key.parse().unwrap(),
            quote: self.quote(credits),
            fingerprint: None,
        };
        let Some(access) = self.access(number, now) else {
            return self.books[number].answers.push(false);
        };
        let books = &mut self.books[number];
        let prior = books.outcomes.get(&Outcome::spend_key(&request.key));
        let wallet = books.wallet.clone();
        let answer = wallet.deduct(&access, &request, prior, at(now));
        if let Ok(Answer::Fresh(change)) = &answer {
            books.write(change);
            books.spent = books.spent.checked_add(whole(credits)).unwrap();
        }
        books.answers.push(answer.is_ok());
    }

    pub(super) fn hold(
        &mut self,
        number: usize,
        key: &str,
        (credits, seconds): (i64, i64),
        now: i64,
    ) {
        let life = TimeDelta::try_seconds(seconds).unwrap();
        let request = HoldRequest::new(key.parse().unwrap(), self.quote(credits), life);
        let Some(access) = self.access(number, now) else {
            return self.books[number].answers.push(false);
        };
        let books = &mut self.books[number];
        let prior = books.outcomes.get(&Outcome::spend_key(&request.key));
        let answer = books.wallet.clone().hold(&access, &request, prior, at(now));
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            books.write(&change);
            books.holds.insert(key.to_owned(), change.into_result());
        }
    }

    pub(super) fn settle(&mut self, number: usize, key: &str, credits: i64, now: i64) {
        let books = &mut self.books[number];
        let Some(hold) = books.holds.remove(key) else {
            return;
        };
        let prior = books.outcomes.get(&Outcome::spend_key(hold.key()));
        let wallet = books.wallet.clone();
        let answer = wallet.settle(&hold, whole(credits), prior, at(now));
        books.answers.push(answer.is_ok());
        if let Ok(Answer::Fresh(change)) = answer {
            books.write(&change);
            books.spent = books.spent.checked_add(whole(credits)).unwrap();
        }
    }
}
