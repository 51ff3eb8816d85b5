//! The suite's commands on a book, each written and read back.

use std::fmt;

use chrono::{DateTime, Utc};

use super::book::Book;
use super::facts;
use super::fault::{self, Fault};
use super::store::CreditStore;
use crate::change::Answer;
use crate::credit::{
    Change, Ended, GrantTerms, Hold, HoldRequest, Outcome, Quote, Receipt, Replayed,
};
use crate::money::Credits;

impl<S: CreditStore> Book<'_, '_, S> {
    /// Grants under a name that was not used before.
    pub(super) fn grant(
        &mut self,
        name: &str,
        terms: GrantTerms,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let change = self.granting(name, terms, now)?;
        self.write(change).map(drop)
    }

    /// Computes a grant, and does not write it yet.
    pub(super) fn granting(
        &self,
        name: &str,
        terms: GrantTerms,
        now: DateTime<Utc>,
    ) -> Result<Change, Fault> {
        let cause = self.probe.own(facts::cause(&self.account, name))?;
        let (wallet, prior) = self.load(cause.key())?;
        let answer = self
            .probe
            .allowed(wallet.grant(&cause, terms, prior.as_ref(), now))?;
        Ok(self.fresh(answer)?.without_result())
    }

    pub(super) fn hold(
        &mut self,
        name: &str,
        credits: u64,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<Hold, Fault> {
        let change = self.holding(name, credits, life, now)?;
        self.write(change)
    }

    /// Computes a hold, and does not write it yet.
    pub(super) fn holding(
        &self,
        name: &str,
        credits: u64,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<Change<Hold>, Fault> {
        let answer = self.ask_hold(name, credits, life, now)?;
        self.fresh(answer)
    }

    /// Asks for a hold, whether the request is new or not.
    pub(super) fn ask_hold(
        &self,
        name: &str,
        credits: u64,
        life: i64,
        now: DateTime<Utc>,
    ) -> Result<Answer<Change<Hold>, Replayed>, Fault> {
        let request: HoldRequest = self.probe.own(facts::request(name, credits, life))?;
        let (wallet, prior) = self.load(&Outcome::spend_key(&request.key))?;
        self.probe
            .allowed(wallet.hold(&self.access, &request, prior.as_ref(), now))
    }

    pub(super) fn settle(
        &mut self,
        hold: &Hold,
        cost: Credits,
        now: DateTime<Utc>,
    ) -> Result<Receipt, Fault> {
        let change = self.settling(hold, cost, now)?;
        self.write(change)
    }

    /// Computes a settlement, and does not write it yet.
    pub(super) fn settling(
        &self,
        hold: &Hold,
        cost: Credits,
        now: DateTime<Utc>,
    ) -> Result<Change<Receipt>, Fault> {
        let (wallet, prior) = self.load(&Outcome::spend_key(hold.key()))?;
        let answer = self
            .probe
            .allowed(wallet.settle(hold, cost, prior.as_ref(), now))?;
        self.fresh(answer)
    }

    pub(super) fn release(&mut self, hold: &Hold, now: DateTime<Utc>) -> Result<Ended, Fault> {
        let (wallet, prior) = self.load(&Outcome::spend_key(hold.key()))?;
        let answer = self
            .probe
            .allowed(wallet.release(hold, prior.as_ref(), now))?;
        let change = self.fresh(answer)?;
        self.write(change)
    }

    pub(super) fn deduct(
        &mut self,
        name: &str,
        quote: &Quote,
        now: DateTime<Utc>,
    ) -> Result<Receipt, Fault> {
        let change = self.deducting(name, quote, now)?;
        self.write(change)
    }

    /// Computes a deduction, and does not write it yet.
    pub(super) fn deducting(
        &self,
        name: &str,
        quote: &Quote,
        now: DateTime<Utc>,
    ) -> Result<Change<Receipt>, Fault> {
        let request = self.probe.own(facts::deduction(name, quote))?;
        let (wallet, prior) = self.load(&Outcome::spend_key(&request.key))?;
        let answer =
            self.probe
                .allowed(wallet.deduct(&self.access, &request, prior.as_ref(), now))?;
        self.fresh(answer)
    }

    pub(super) fn advance(&mut self, now: DateTime<Utc>) -> Result<(), Fault> {
        let change = self.probe.allowed(self.wallet().advance(now))?;
        self.write(change)
    }

    /// Takes the change of a command that must be new.
    fn fresh<T, R: fmt::Debug>(&self, answer: Answer<Change<T>, R>) -> Result<Change<T>, Fault> {
        match answer {
            Answer::Fresh(change) => Ok(change),
            Answer::Replayed(earlier) => Err(self.probe.fault(
                fault::OUTCOME_FOREIGN,
                "a command that is new",
                format_args!("{earlier:?}"),
            )),
        }
    }
}
