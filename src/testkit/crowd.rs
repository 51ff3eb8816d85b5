//! Many threads on one wallet, through the store's own guards.

use super::auditor::{audit, charged};
use super::facts::{self, at};
use super::fault::{self, Fault};
use super::probe::Probe;
use super::store::CreditStore;
use super::tell::{tell_entries, tell_wallet};
use crate::change::Answer;
use crate::credit::{GrantTerms, Hold, HoldError, Outcome, Receipt, Replayed, Wallet};
use crate::gate::Access;
use crate::id::AccountId;
use crate::money::Credits;

/// The number of threads that send one request.
const SENDERS: usize = 32;
/// The number of threads that spend one wallet.
const SPENDERS: usize = 64;

/// Checks that the same request from many threads is carried out once, whatever it asks for.
pub(super) fn replays_once<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let account = probe.new_account()?;
    let access = probe.own(facts::access(&account))?;
    let once = |what: &str, fresh: usize| {
        let expected = format!("{what} is carried out once by {SENDERS} threads");
        if fresh == 1 {
            Ok(())
        } else {
            Err(probe.fault(fault::NOT_ONCE, expected, format_args!("{fresh} times")))
        }
    };

    // The first grant inserts the wallet, too.
    let cause = probe.own(facts::cause(&account, "once"))?;
    let terms = GrantTerms::forever(Credits::whole(10));
    let grants = probe.together(SENDERS, |number| {
        let grant = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.grant(&cause, terms.clone(), prior, at(0))
        };
        probe.allowed(probe.transact(number, &account, cause.key(), grant)?)
    })?;
    once("a grant", count_fresh(&grants))?;

    let request = probe.own(facts::request("once-held", 3, 60))?;
    let holds = probe.together(SENDERS, |number| {
        let hold =
            |wallet: Wallet, prior: Option<&Outcome>| wallet.hold(&access, &request, prior, at(1));
        probe.allowed(probe.transact(number, &account, &Outcome::spend_key(&request.key), hold)?)
    })?;
    let is_expired = |answer: &Answer<Hold, Replayed>| {
        matches!(answer, Answer::Replayed(Replayed::Expired { .. }))
    };
    if holds.iter().any(is_expired) {
        let expected = "a request that is at work is pending";
        return Err(probe.fault(fault::NOT_ONCE, expected, "expired"));
    }
    once("a hold", count_fresh(&holds))?;

    let quote = probe.own(facts::quote(2))?;
    let request = probe.own(facts::deduction("once-deducted", &quote))?;
    let key = Outcome::spend_key(&request.key);
    let receipts = probe.together(SENDERS, |number| {
        let deduct = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.deduct(&access, &request, prior, at(2))
        };
        probe.allowed(probe.transact(number, &account, &key, deduct)?)
    })?;
    once("a deduction", count_fresh(&receipts))?;

    // A hold that is settled by many, as after a time-out of a call that had succeeded.
    let fresh = holds.into_iter().find_map(|answer| {
        if let Answer::Fresh(hold) = answer {
            Some(hold)
        } else {
            None
        }
    });
    let hold = fresh.ok_or_else(|| probe.fault(fault::NOT_ONCE, "one fresh hold", "none"))?;
    let settled = probe.together(SENDERS, |number| {
        let settle = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.settle(&hold, Credits::whole(1), prior, at(3))
        };
        probe.allowed(probe.transact(number, &account, &Outcome::spend_key(hold.key()), settle)?)
    })?;
    once("a settlement", count_fresh(&settled))?;

    check_once(probe, &account)
}

/// Counts the requests that were carried out, and not replayed.
fn count_fresh<T, R>(answers: &[Answer<T, R>]) -> usize {
    answers
        .iter()
        .filter(|answer| matches!(answer, Answer::Fresh(_)))
        .count()
}

/// Checks that the wallet and the ledger have each of the requests of [`replays_once`] once.
fn check_once<S: CreditStore>(probe: &Probe<'_, S>, account: &AccountId) -> Result<(), Fault> {
    let (wallet, entries) = audit(probe, account)?;

    let balance = wallet.balance();
    if (balance.granted, balance.spent, balance.held)
        != (Credits::whole(10), Credits::whole(3), Credits::ZERO)
    {
        let seen = tell_wallet(Some(&wallet));
        return Err(probe.fault(fault::OVERSPENT, "granted 10, spent 3, held 0", seen));
    }
    if entries.len() != 5 {
        let expected = "five entries: granted, held, held and settled at once, settled";
        return Err(probe.fault(fault::NOT_ONCE, expected, tell_entries(&entries)));
    }
    Ok(())
}

/// A client that spends from a wallet which many others spend from too.
struct Spender<'p, 'a, S> {
    probe: &'p Probe<'a, S>,
    number: usize,
    account: &'p AccountId,
    access: &'p Access,
}

impl<S: CreditStore> Spender<'_, '_, S> {
    /// Spends in one of three ways, and returns the charge; `None` where there was not enough.
    fn spend(&self) -> Result<Option<Credits>, Fault> {
        let name = format!("spender-{}", self.number);
        if self.number.is_multiple_of(2) {
            return Ok(self.deduct(&name)?.map(|receipt| receipt.charged));
        }

        let Some(hold) = self.hold(&name)? else {
            return Ok(None);
        };
        let spend = Outcome::spend_key(hold.key());
        if self.number.is_multiple_of(3) {
            let release =
                |wallet: Wallet, prior: Option<&Outcome>| wallet.release(&hold, prior, at(2));
            let released = self
                .probe
                .transact(self.number, self.account, &spend, release)?;
            self.probe.allowed(released)?;
            return Ok(Some(Credits::ZERO));
        }

        // It costs less than it holds.
        let settle = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.settle(&hold, Credits::whole(2), prior, at(2))
        };
        let settled = self
            .probe
            .transact(self.number, self.account, &spend, settle)?;
        Ok(Some(self.probe.allowed(settled)?.into_inner().charged))
    }

    fn deduct(&self, name: &str) -> Result<Option<Receipt>, Fault> {
        let quote = self.probe.own(facts::quote(3))?;
        let request = self.probe.own(facts::deduction(name, &quote))?;
        let deduct = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.deduct(self.access, &request, prior, at(1))
        };
        let key = Outcome::spend_key(&request.key);

        match self
            .probe
            .transact(self.number, self.account, &key, deduct)?
        {
            Err(HoldError::Insufficient { .. }) => Ok(None),
            answer => Ok(Some(self.probe.allowed(answer)?.into_inner())),
        }
    }

    fn hold(&self, name: &str) -> Result<Option<Hold>, Fault> {
        let request = self.probe.own(facts::request(name, 3, 60))?;
        let hold = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.hold(self.access, &request, prior, at(1))
        };
        let key = Outcome::spend_key(&request.key);

        match self.probe.transact(self.number, self.account, &key, hold)? {
            Ok(Answer::Fresh(hold)) => Ok(Some(hold)),
            Ok(Answer::Replayed(earlier)) => {
                let seen = format!("{earlier:?}");
                Err(self
                    .probe
                    .fault(fault::OUTCOME_FOREIGN, "a request that is new", seen))
            }
            Err(HoldError::Insufficient { .. }) => Ok(None),
            Err(error) => self.probe.allowed(Err(error)),
        }
    }
}

/// Checks that many spenders who want more than there is are charged what the wallet and its ledger
/// say, and never more.
pub(super) fn spends_once<S: CreditStore>(probe: &Probe<'_, S>) -> Result<(), Fault> {
    let account = probe.new_account()?;
    let access = probe.own(facts::access(&account))?;
    let cause = probe.own(facts::cause(&account, "spend"))?;
    let all = Credits::whole(100);
    let grant = |wallet: Wallet, prior: Option<&Outcome>| {
        wallet.grant(&cause, GrantTerms::forever(all), prior, at(0))
    };
    probe.allowed(probe.transact(0, &account, cause.key(), grant)?)?;

    let spent = probe.together(SPENDERS, |number| {
        Spender {
            probe,
            number,
            account: &account,
            access: &access,
        }
        .spend()
    })?;

    // Three accounts of the same spending: the spenders', the wallet's and the ledger's.
    let (wallet, entries) = audit(probe, &account)?;
    let balance = wallet.balance();
    let sum = spent
        .iter()
        .flatten()
        .try_fold(Credits::ZERO, |sum, charged| sum.checked_add(*charged));

    let is_entered = charged(&entries) == balance.spent.micros().into();
    let agree = sum == Some(balance.spent) && is_entered;
    let all_there = balance.spent.checked_add(balance.free) == Some(all);
    let at_rest = balance.held.is_zero() && !balance.spent.is_zero();
    if !(agree && all_there && at_rest) {
        let sum = sum.map_or("more than amounts can hold".to_owned(), |sum| {
            sum.to_string()
        });
        let expected = format!(
            "granted {all}, held 0, and spent {sum}, which is what the spenders were charged"
        );
        return Err(probe.fault(fault::OVERSPENT, expected, tell_wallet(Some(&wallet))));
    }
    Ok(())
}
