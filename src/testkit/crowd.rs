//! Many threads on one wallet, through the store's own guards.

use super::CreditStore;
use super::book::{audit, charged, tell_entries, tell_wallet};
use super::facts::{self, at};
use super::fault::{self, Fault};
use super::probe::Probe;
use crate::change::Answer;
use crate::credit::{GrantTerms, Hold, HoldError, Outcome, Receipt, Replayed, Wallet};
use crate::gate::Access;
use crate::id::AccountId;
use crate::money::Credits;

/// How many threads send one request.
const SENDERS: usize = 32;
/// How many threads spend one wallet.
const SPENDERS: usize = 64;

/// The same request from many threads is carried out once, whatever it asks for.
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
    once(
        "a grant",
        grants
            .iter()
            .filter(|answer| matches!(answer, Answer::Fresh(_)))
            .count(),
    )?;

    let request = probe.own(facts::request("once-held", 3, 60))?;
    let holds = probe.together(SENDERS, |number| {
        let hold =
            |wallet: Wallet, prior: Option<&Outcome>| wallet.hold(&access, &request, prior, at(1));
        probe.allowed(probe.transact(number, &account, &Outcome::spend_key(&request.key), hold)?)
    })?;
    if holds
        .iter()
        .any(|answer| matches!(answer, Answer::Replayed(Replayed::Expired { .. })))
    {
        return Err(probe.fault(
            fault::NOT_ONCE,
            "a request that is at work is pending",
            "expired",
        ));
    }
    once(
        "a hold",
        holds
            .iter()
            .filter(|answer| matches!(answer, Answer::Fresh(_)))
            .count(),
    )?;

    let quote = probe.own(facts::quote(2))?;
    let once_deducted = probe.own(facts::deduction("once-deducted", &quote))?;
    let receipts = probe.together(SENDERS, |number| {
        let deduct = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.deduct(&access, &once_deducted, prior, at(2))
        };
        probe.allowed(probe.transact(
            number,
            &account,
            &Outcome::spend_key(&once_deducted.key),
            deduct,
        )?)
    })?;
    once(
        "a deduction",
        receipts
            .iter()
            .filter(|answer| matches!(answer, Answer::Fresh(_)))
            .count(),
    )?;

    // A hold that is settled by many, as after a time-out that was none.
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
    once(
        "a settlement",
        settled
            .iter()
            .filter(|answer| matches!(answer, Answer::Fresh(_)))
            .count(),
    )?;

    let (wallet, entries) = audit(probe, &account)?;
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

/// What a spender was charged.
struct Spender<'p, 'a, S> {
    probe: &'p Probe<'a, S>,
    number: usize,
    account: &'p AccountId,
    access: &'p Access,
}

impl<S: CreditStore> Spender<'_, '_, S> {
    /// Spends in one of three ways; what it was charged, or `None` where there was not enough.
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
            self.probe.allowed(self.probe.transact(
                self.number,
                self.account,
                &spend,
                release,
            )?)?;
            return Ok(Some(Credits::ZERO));
        }
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
        match self.probe.transact(
            self.number,
            self.account,
            &Outcome::spend_key(&request.key),
            deduct,
        )? {
            Err(HoldError::Insufficient { .. }) => Ok(None),
            answer => Ok(Some(self.probe.allowed(answer)?.into_inner())),
        }
    }

    fn hold(&self, name: &str) -> Result<Option<Hold>, Fault> {
        let request = self.probe.own(facts::request(name, 3, 60))?;
        let hold = |wallet: Wallet, prior: Option<&Outcome>| {
            wallet.hold(self.access, &request, prior, at(1))
        };
        match self.probe.transact(
            self.number,
            self.account,
            &Outcome::spend_key(&request.key),
            hold,
        )? {
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

/// Many spenders want more than there is: they are charged what the wallet and its ledger say, and
/// never more.
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
    let (wallet, entries) = audit(probe, &account)?;
    let balance = wallet.balance();
    let sum = spent
        .iter()
        .flatten()
        .try_fold(Credits::ZERO, |sum, charged| sum.checked_add(*charged));
    let entered = entries
        .iter()
        .flat_map(|entry| charged(&entry.event))
        .try_fold(Credits::ZERO, Credits::checked_add);
    let is_exact = sum == Some(balance.spent)
        && entered == sum
        && balance.spent.checked_add(balance.free) == Some(all)
        && balance.held.is_zero()
        && !balance.spent.is_zero();
    if !is_exact {
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
