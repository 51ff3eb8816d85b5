//! The wallet: its grants, its open holds, and the balance that always adds up.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::balance::Balance;
use super::draft::Draft;
use super::funds::{Funds, Lapse};
use super::grant::{Cause, CauseKind, Grant};
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
use super::ledger::Event;
use super::outcome::{Life, Outcome};
use super::stored::Stored;
use super::{Change, add, take};
use crate::id::{AccountId, SubscriptionId};
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// Why a wallet cannot take part in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WalletError {
    /// Wallet, access, hold and outcome are not all of one account and one key: the host loaded the
    /// wrong row.
    #[error("the wallet, the proof and the outcome do not belong together")]
    Mismatch,
    /// A sum leaves the range of 0 to 10^12 credits.
    #[error("a sum of credits leaves the range of 0 to 10^12")]
    AmountOverflow,
    /// A stored wallet does not add up.
    #[error("the stored wallet does not add up")]
    Inexact,
}

impl Explained for WalletError {
    fn code(&self) -> Code {
        match self {
            Self::Mismatch | Self::Inexact => Code::WalletMismatch,
            Self::AmountOverflow => Code::AmountOverflow,
        }
    }
}

/// An account's credits, as the host stores them: one row, guarded by its version.
///
/// Commands take the wallet and give back a [`Change`] with the next one. Each begins by applying
/// what time has decided meanwhile, so nothing depends on a job that expires things.
///
/// ```
/// use bailiwick::{Access, Credits, Hold, Wallet};
/// use bailiwick::change::Answer;
/// use bailiwick::credit::{Change, HoldError, HoldRequest, Outcome, PriceList};
/// # use bailiwick::{Account, Evidence, Money, Plan, Principal, Problem, Route, Tenant, admit, validate_account_and_plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::credit::{Cause, GrantTerms, Replayed};
/// # use bailiwick::money::Currency;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::period::Interval;
/// # use bailiwick::right::{Privilege, Privileges};
/// # use chrono::{DateTime, TimeDelta, Utc};
///
/// fn write_article(wallet: Wallet, access: &Access, prices: &PriceList, now: DateTime<Utc>) -> Result<Wallet, Problem> {
///     let request = HoldRequest {
///         key: "request-1".parse()?,
///         quote: prices.quote("article", 100)?, // 3 credits at most
///         time_to_live: TimeDelta::minutes(2),
///         fingerprint: None,
///     };
///     // The host reads the wallet, then the outcome of the key; there is none yet.
///     let Answer::Fresh(held) = wallet.hold(access, &request, None, now)? else { unreachable!() };
///     assert_eq!(held.wallet().balance().held, Credits::whole(3));
///     // It writes the change, and when that is committed, takes the hold and makes the call.
///     let stored = (held.wallet().clone(), held.outcome().map(|write| write.outcome().clone()));
///     let hold: Hold = held.into_result();
///
///     // The call took 75 words; the rest of the hold goes back.
///     let cost = prices.quote("article", 75)?.price();
///     let (wallet, outcome) = stored;
///     let Answer::Fresh(settled) = wallet.settle(&hold, cost, outcome.as_ref(), now)? else { unreachable!() };
///     assert_eq!(settled.wallet().balance().spent, "2.5".parse()?);
///
///     // The same request again finds what became of the first, and cannot run the call.
///     let outcome = settled.outcome().map(|write| write.outcome().clone());
///     let again = settled.wallet().clone().hold(access, &request, outcome.as_ref(), now)?;
///     assert!(matches!(again, Answer::Replayed(Replayed::Settled(_))));
///     Ok(settled.wallet().clone())
/// }
/// # let now = "2026-01-01T00:00:00Z".parse()?;
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: Money::new("0".parse()?, Currency::EUR)?, interval: Interval::MONTHLY,
/// #     credits_per_month: Credits::ZERO, needs_subscription: false, quotas: Default::default(),
/// #     concurrency: Default::default(),
/// # };
/// # let tenant = |id: i64| Tenant {
/// #     account: Account {
/// #         id: id.into(), status: AccountStatus::Active, payment_method: PaymentMethod::BankTransfer, version: 1,
/// #         privileges: Privileges::from_iter([Privilege::GrantCredits]),
/// #     },
/// #     plan: Some(plan.clone().into()), subscription: None, sites: [].into(),
/// # };
/// # let privilege = Privilege::GrantCredits;
/// # let staff = Principal::session(1.into()).of_account(1.into()).with_privileges([privilege].into_iter().collect());
/// # let operator = admit(Route::Operator(privilege), &Evidence::Verified(staff), Some(&tenant(1)), now);
/// # let cause = Cause::promotion(&operator.into_result()?.into_operator()?, &7.into(), &"welcome".parse()?)?;
/// # let grant = Wallet::open(7.into(), now).grant(&cause, GrantTerms::forever(Credits::whole(5)), None, now)?;
/// # let Answer::Fresh(granted) = grant else { panic!() };
/// # let access = validate_account_and_plan(&Principal::session(2.into()).of_account(7.into()), Some(&tenant(7)), now)?;
/// # let prices = serde_json::from_str(r#"{ "article": { "base": "1", "per_unit": "0.02" } }"#)?;
/// # write_article(granted.wallet().clone(), &access, &prices, now).map_err(|problem| problem.detail().to_owned())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Wallet {
    pub(super) account: AccountId,
    pub(super) version: u64,
    pub(super) as_of: DateTime<Utc>,
    pub(super) sequence: u64,
    pub(super) balance: Balance,
    /// In burn order.
    pub(super) grants: Vec<Funds>,
    pub(super) holds: Vec<HoldRecord>,
    /// What periods had left, the latest last.
    pub(super) lapses: Vec<Lapse>,
}

impl Wallet {
    /// The empty wallet of an account, not stored yet: version 0.
    pub fn open(account: AccountId, now: DateTime<Utc>) -> Self {
        Self {
            account,
            version: 0,
            as_of: now,
            sequence: 0,
            balance: Balance::ZERO,
            grants: Vec::new(),
            holds: Vec::new(),
            lapses: Vec::new(),
        }
    }

    /// Whose wallet it is.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The version of the row.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The sequence of its ledger's last entry; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The time up to which everything that time decides has been applied.
    pub fn as_of(&self) -> DateTime<Utc> {
        self.as_of
    }

    /// The balance at [`as_of`](Self::as_of).
    pub fn balance(&self) -> Balance {
        self.balance
    }

    /// The balance at `now`, without writing anything.
    pub fn balance_at(&self, now: DateTime<Utc>) -> Result<Balance, WalletError> {
        Ok(Draft::begin(self.clone(), now)?.wallet.balance)
    }

    /// The holds that are open at [`as_of`](Self::as_of).
    pub fn holds(&self) -> &[HoldRecord] {
        &self.holds
    }

    /// Applies what time alone has decided up to `now`: holds and grants that ran out, grants that
    /// took effect, debt that could be repaid. No host needs to call it, since every command begins
    /// with it.
    pub fn advance(self, now: DateTime<Utc>) -> Result<Change, WalletError> {
        Draft::begin(self, now)?.finish(None, ())
    }

    pub(super) fn open_hold(&self, key: &IdempotencyKey) -> Option<&HoldRecord> {
        self.holds.iter().find(|hold| hold.key == *key)
    }

    /// Slices of free credits in burn order, of `amount` together or of all that is free.
    pub(super) fn slices(&self, amount: Credits) -> Vec<Slice> {
        let mut missing = amount;
        let mut slices = Vec::new();
        for funds in &self.grants {
            if missing.is_zero() {
                break;
            }
            let amount = missing.min(funds.free);
            if !amount.is_zero() {
                missing = missing.saturating_sub(amount);
                slices.push(Slice {
                    grant: funds.grant.id.clone(),
                    amount,
                });
            }
        }
        slices
    }

    /// Whether the hold of a stored outcome is open.
    pub(super) fn is_open(&self, outcome_key: &str) -> bool {
        self.holds
            .iter()
            .any(|hold| Outcome::spend_key(&hold.key) == *outcome_key)
    }

    /// A grant's own identifier, what is free or scheduled of it, and what holds pin; `None` if
    /// nothing is left, or it was taken back before.
    pub(super) fn left_of(&self, id: &str) -> Option<(Arc<str>, Credits, Credits)> {
        let funds = self
            .grants
            .iter()
            .find(|funds| *funds.grant.id == *id && !funds.revoked)?;
        let left = if funds.scheduled {
            funds.grant.amount
        } else {
            funds.free
        };
        Some((funds.grant.id.clone(), left, funds.held))
    }

    /// What the wallet still has of the months of a subscription: their grants, what larger plans
    /// added, what rolled over.
    pub(crate) fn grants_of(
        &self,
        subscription: &SubscriptionId,
    ) -> impl Iterator<Item = Arc<str>> {
        let months = Cause::months_key(subscription);
        let is_of = move |id: &str| {
            id.strip_prefix(&*months)
                .is_some_and(|rest| !rest.contains('/'))
        };
        let left = |funds: &&Funds| {
            !funds.revoked && (funds.scheduled || !funds.free.is_zero() || !funds.held.is_zero())
        };
        self.grants
            .iter()
            .filter(left)
            .map(|funds| funds.grant.id.clone())
            .filter(move |id| is_of(id))
    }

    /// How long the longest of these slices live, of as much of them as is taken first.
    pub(super) fn life_of(&self, slices: &[Slice], amount: Credits) -> Life {
        let (mut missing, mut life) = (amount, Life::None);
        for slice in slices {
            if missing.is_zero() {
                break;
            }
            missing = missing.saturating_sub(slice.amount);
            let funds = self
                .grants
                .iter()
                .find(|funds| funds.grant.id == slice.grant);
            let own = funds.map_or(Life::None, |funds| {
                funds.grant.expires_at.map_or(Life::Forever, Life::Until)
            });
            life = life.max(own);
        }
        life
    }

    /// Applies an event: the one place in which a wallet changes.
    pub(super) fn apply(&mut self, event: &Event, at: DateTime<Utc>) -> Result<(), WalletError> {
        match event {
            Event::Granted { grant } => self.fund(grant, at),
            Event::TookEffect { grant } => {
                let funds = find(&mut self.grants, grant)?;
                funds.scheduled = false;
                funds.free = funds.grant.amount;
                take(&mut self.balance.scheduled, funds.grant.amount)?;
                add(&mut self.balance.free, funds.grant.amount)
            }
            Event::Held { hold } => {
                if self.open_hold(&hold.key).is_some() {
                    return Err(WalletError::Mismatch);
                }
                for slice in &hold.slices {
                    let funds = find(&mut self.grants, &slice.grant)?;
                    take(&mut funds.free, slice.amount)?;
                    add(&mut funds.held, slice.amount)?;
                    take(&mut self.balance.free, slice.amount)?;
                    add(&mut self.balance.held, slice.amount)?;
                }
                self.holds.push(hold.clone());
                Ok(())
            }
            Event::Drawn { hold, amount } => self.draw_slices(hold, *amount),
            Event::Settled {
                hold,
                captured,
                beyond,
                debt,
                ..
            } => {
                self.end_hold(hold, *captured, at)?;
                self.charge(beyond, *debt)
            }
            Event::SettledLate { slices, debt, .. } => self.charge(slices, *debt),
            Event::Released { hold } | Event::HoldExpired { hold } => {
                let drawn = self
                    .open_hold(hold)
                    .map_or(Credits::ZERO, |hold| hold.drawn);
                self.end_hold(hold, drawn, at)
            }
            Event::GrantExpired { grant, amount } => self.expire(grant, *amount),
            Event::Revoked { grant, amount } => self.revoke_funds(grant, *amount),
            Event::RolledOver { grant, amount, .. } => self.roll_over(grant, *amount, at),
            Event::DebtRepaid { slices } => {
                self.spend_free(slices)?;
                slices
                    .iter()
                    .try_for_each(|slice| take(&mut self.balance.debt, slice.amount))
            }
        }
    }

    fn fund(&mut self, grant: &Grant, at: DateTime<Utc>) -> Result<(), WalletError> {
        if self.grants.iter().any(|funds| funds.grant.id == grant.id) {
            return Err(WalletError::Mismatch);
        }
        let funds = Funds::new(grant, at);
        add(
            if funds.scheduled {
                &mut self.balance.scheduled
            } else {
                &mut self.balance.free
            },
            grant.amount,
        )?;
        add(&mut self.balance.granted, grant.amount)?;
        let place = self
            .grants
            .partition_point(|funds| funds.grant.burn_order(grant).is_lt());
        self.grants.insert(place, funds);
        Ok(())
    }

    /// Spends a part of a hold, slice by slice in order. The rest stays set aside.
    fn draw_slices(&mut self, key: &IdempotencyKey, amount: Credits) -> Result<(), WalletError> {
        let hold = self
            .holds
            .iter_mut()
            .find(|hold| hold.key == *key)
            .ok_or(WalletError::Inexact)?;
        let mut missing = amount;
        for slice in &mut hold.slices {
            let part = slice.amount.min(missing);
            take(&mut slice.amount, part)?;
            take(&mut missing, part)?;
            take(&mut find(&mut self.grants, &slice.grant)?.held, part)?;
        }
        hold.slices.retain(|slice| !slice.amount.is_zero());
        add(&mut hold.drawn, amount)?;
        take(&mut self.balance.held, amount)?;
        add(&mut self.balance.spent, amount)?;
        self.drop_spent();
        if missing.is_zero() {
            Ok(())
        } else {
            Err(WalletError::Inexact)
        }
    }

    /// Ends a hold: `captured` of it is spent in all, what was drawn before included, slice by
    /// slice in order. The rest goes back to its own grants; it lapses where a grant has expired
    /// meanwhile, and is revoked where one was.
    fn end_hold(
        &mut self,
        key: &IdempotencyKey,
        captured: Credits,
        at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        let drawn = self.open_hold(key).ok_or(WalletError::Inexact)?.drawn;
        self.draw_slices(
            key,
            captured.checked_sub(drawn).ok_or(WalletError::Inexact)?,
        )?;
        let place = self
            .holds
            .iter()
            .position(|hold| hold.key == *key)
            .ok_or(WalletError::Inexact)?;
        for Slice { grant, amount } in self.holds.swap_remove(place).slices {
            let funds = find(&mut self.grants, &grant)?;
            take(&mut funds.held, amount)?;
            take(&mut self.balance.held, amount)?;
            if funds.revoked {
                add(&mut self.balance.revoked, amount)?;
            } else if funds.grant.is_expired_at(at) {
                add(&mut self.balance.expired, amount)?;
            } else {
                add(&mut funds.free, amount)?;
                add(&mut self.balance.free, amount)?;
            }
        }
        self.drop_spent();
        Ok(())
    }

    /// Charges free credits, and a debt beyond them.
    fn charge(&mut self, slices: &[Slice], debt: Credits) -> Result<(), WalletError> {
        self.spend_free(slices)?;
        for slice in slices {
            add(&mut self.balance.spent, slice.amount)?;
        }
        add(&mut self.balance.spent, debt)?;
        add(&mut self.balance.debt, debt)
    }

    fn expire(&mut self, grant: &Arc<str>, amount: Credits) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, grant)?;
        take(&mut funds.free, amount)?;
        take(&mut self.balance.free, amount)?;
        add(&mut self.balance.expired, amount)?;
        if funds.is_periodic() {
            let root = funds.grant.root().clone();
            match self.lapses.iter_mut().find(|lapse| lapse.grant == root) {
                Some(lapse) => add(&mut lapse.left, amount)?,
                None => self.lapses.push(Lapse {
                    grant: root,
                    left: amount,
                }),
            }
            let too_many = self.lapses.len().saturating_sub(Lapse::MAX);
            self.lapses.drain(..too_many);
        }
        self.drop_spent();
        Ok(())
    }

    fn revoke_funds(&mut self, grant: &Arc<str>, amount: Credits) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, grant)?;
        if funds.scheduled {
            take(&mut self.balance.scheduled, amount)?;
        } else {
            take(&mut funds.free, amount)?;
            take(&mut self.balance.free, amount)?;
        }
        (funds.scheduled, funds.revoked, funds.rolls_over) = (false, true, false);
        add(&mut self.balance.revoked, amount)?;
        self.drop_spent();
        Ok(())
    }

    fn roll_over(
        &mut self,
        into: &Arc<str>,
        amount: Credits,
        at: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        let funds = find(&mut self.grants, into)?;
        funds.rolls_over = false;
        let rollover = funds.grant.rollover.as_ref().ok_or(WalletError::Inexact)?;
        self.lapses.retain(|lapse| lapse.grant != rollover.from);
        let grant = Grant {
            // No key has a space, so no other grant has this identifier.
            id: format!("{into} rollover").into(),
            cause: CauseKind::Rollover,
            amount,
            effective_at: at,
            rollover: None,
            raises: None,
            ..funds.grant.clone()
        };
        self.drop_spent();
        if amount.is_zero() {
            Ok(())
        } else {
            self.fund(&grant, at)
        }
    }

    fn spend_free(&mut self, slices: &[Slice]) -> Result<(), WalletError> {
        for slice in slices {
            take(
                &mut find(&mut self.grants, &slice.grant)?.free,
                slice.amount,
            )?;
            take(&mut self.balance.free, slice.amount)?;
        }
        self.drop_spent();
        Ok(())
    }

    fn drop_spent(&mut self) {
        self.grants.retain(|funds| !funds.is_spent());
    }
}

fn find<'a>(grants: &'a mut [Funds], id: &Arc<str>) -> Result<&'a mut Funds, WalletError> {
    grants
        .iter_mut()
        .find(|funds| funds.grant.id == *id)
        .ok_or(WalletError::Inexact)
}
