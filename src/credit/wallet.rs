//! The wallet: its grants, its open holds, and the balance that always adds up.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::draft::Draft;
use super::grant::Grant;
use super::hold::{HoldRecord, Slice};
use super::ledger::Event;
use super::outcome::IdempotencyKey;
use super::{Change, add, take};
use crate::id::AccountId;
use crate::money::Credits;
use crate::problem::{Code, Explained};

/// Why a wallet cannot take part in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WalletError {
    /// Wallet, access, hold and outcome are not all of one account and one key: the host loaded the wrong row.
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

/// Where a wallet's credits are. At every moment
/// `granted = scheduled + free + held + spent + expired + revoked - debt`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// All that was ever granted.
    pub granted: Credits,
    /// Granted, and not yet in effect.
    pub scheduled: Credits,
    /// In effect, and neither held nor spent.
    pub free: Credits,
    /// Set aside by open holds.
    pub held: Credits,
    /// Charged, debt included.
    pub spent: Credits,
    /// Run out unspent.
    pub expired: Credits,
    /// Taken back. Nothing takes credits back yet.
    pub revoked: Credits,
    /// Charged beyond what there was. While there is debt, nothing is free.
    pub debt: Credits,
}

impl Balance {
    const ZERO: Self = Self {
        granted: Credits::ZERO,
        scheduled: Credits::ZERO,
        free: Credits::ZERO,
        held: Credits::ZERO,
        spent: Credits::ZERO,
        expired: Credits::ZERO,
        revoked: Credits::ZERO,
        debt: Credits::ZERO,
    };

    /// What can be held now: `free - debt`, or nothing while there is debt.
    pub fn available(&self) -> Credits {
        self.free.saturating_sub(self.debt)
    }

    /// Whether `free - debt` covers an amount. While there is debt, it covers not even nothing.
    pub fn covers(&self, amount: Credits) -> bool {
        self.debt.is_zero() && amount <= self.free
    }

    fn is_exact(&self) -> bool {
        let parts = [self.scheduled, self.free, self.held, self.spent, self.expired, self.revoked];
        let sum: i128 = parts.iter().map(|part| i128::from(part.micros())).sum();
        i128::from(self.granted.micros()).checked_add(self.debt.micros().into()) == Some(sum)
            && (self.free.is_zero() || self.debt.is_zero())
    }
}

/// A grant as it stands in a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Funds {
    #[serde(flatten)]
    grant: Grant,
    scheduled: bool,
    free: Credits,
    held: Credits,
}

impl Funds {
    /// The next instant at which the grant changes by itself.
    fn boundary(&self) -> Option<DateTime<Utc>> {
        if self.scheduled {
            Some(self.grant.effective_at)
        } else {
            self.grant.expires_at.filter(|_| !self.free.is_zero())
        }
    }

    /// Whether its parts can be parts of it: what is scheduled is neither free nor held, and lives at all.
    fn is_sound(&self) -> bool {
        let used = self.free.checked_add(self.held);
        !self.grant.amount.is_zero()
            && !self.grant.is_expired_at(self.grant.effective_at)
            && used.is_some_and(|used| used <= self.grant.amount && (!self.scheduled || used.is_zero()))
    }

    fn is_spent(&self) -> bool {
        !self.scheduled && self.free.is_zero() && self.held.is_zero()
    }
}

/// An account's credits, as the host stores them: one row, guarded by its version.
///
/// Commands take the wallet and give back a [`Change`] with the next one. Each begins by applying what time has decided
/// meanwhile, so nothing depends on a job that expires things.
///
/// ```
/// use bailiwick::{Access, Answer, Change, Credits, Hold, HoldError, HoldRequest, Outcome, PriceList, Wallet};
/// # use bailiwick::*;
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
    account: AccountId,
    pub(super) version: u64,
    pub(super) as_of: DateTime<Utc>,
    pub(super) sequence: u64,
    balance: Balance,
    /// In burn order.
    grants: Vec<Funds>,
    holds: Vec<HoldRecord>,
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

    /// Applies what time alone has decided up to `now`: holds and grants that ran out, grants that took effect, debt
    /// that could be repaid. No host needs to call it, since every command begins with it.
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
                slices.push(Slice { grant: funds.grant.id.clone(), amount });
            }
        }
        slices
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
            Event::Settled { hold, captured, beyond, debt, .. } => {
                self.end_hold(hold, *captured, at)?;
                self.spend_free(beyond)?;
                for slice in beyond {
                    add(&mut self.balance.spent, slice.amount)?;
                }
                add(&mut self.balance.spent, *debt)?;
                add(&mut self.balance.debt, *debt)
            }
            Event::Released { hold } | Event::HoldExpired { hold } => self.end_hold(hold, Credits::ZERO, at),
            Event::GrantExpired { grant, amount } => {
                take(&mut find(&mut self.grants, grant)?.free, *amount)?;
                take(&mut self.balance.free, *amount)?;
                add(&mut self.balance.expired, *amount)?;
                self.drop_spent();
                Ok(())
            }
            Event::DebtRepaid { slices } => {
                self.spend_free(slices)?;
                slices.iter().try_for_each(|slice| take(&mut self.balance.debt, slice.amount))
            }
        }
    }

    fn fund(&mut self, grant: &Grant, at: DateTime<Utc>) -> Result<(), WalletError> {
        if self.grants.iter().any(|funds| funds.grant.id == grant.id) {
            return Err(WalletError::Mismatch);
        }
        let scheduled = at < grant.effective_at;
        let (part, free) = if scheduled {
            (&mut self.balance.scheduled, Credits::ZERO)
        } else {
            (&mut self.balance.free, grant.amount)
        };
        add(part, grant.amount)?;
        add(&mut self.balance.granted, grant.amount)?;
        let place = self.grants.partition_point(|funds| funds.grant.burn_order(grant).is_lt());
        self.grants.insert(place, Funds { grant: grant.clone(), scheduled, free, held: Credits::ZERO });
        Ok(())
    }

    /// Ends a hold: `captured` of it is spent, slice by slice in order; the rest goes back to its own grants, and
    /// lapses where a grant has expired meanwhile.
    fn end_hold(&mut self, key: &IdempotencyKey, captured: Credits, at: DateTime<Utc>) -> Result<(), WalletError> {
        let place = self.holds.iter().position(|hold| hold.key == *key).ok_or(WalletError::Inexact)?;
        let hold = self.holds.swap_remove(place);
        let mut captured = captured;
        for slice in &hold.slices {
            let spent = slice.amount.min(captured);
            let rest = slice.amount.saturating_sub(spent);
            captured = captured.saturating_sub(spent);
            let funds = find(&mut self.grants, &slice.grant)?;
            take(&mut funds.held, slice.amount)?;
            take(&mut self.balance.held, slice.amount)?;
            add(&mut self.balance.spent, spent)?;
            if funds.grant.is_expired_at(at) {
                add(&mut self.balance.expired, rest)?;
            } else {
                add(&mut funds.free, rest)?;
                add(&mut self.balance.free, rest)?;
            }
        }
        self.drop_spent();
        if captured.is_zero() { Ok(()) } else { Err(WalletError::Inexact) }
    }

    fn spend_free(&mut self, slices: &[Slice]) -> Result<(), WalletError> {
        for slice in slices {
            take(&mut find(&mut self.grants, &slice.grant)?.free, slice.amount)?;
            take(&mut self.balance.free, slice.amount)?;
        }
        self.drop_spent();
        Ok(())
    }

    fn drop_spent(&mut self) {
        self.grants.retain(|funds| !funds.is_spent());
    }

    /// The next instant at which time alone changes the wallet.
    pub(super) fn next_boundary(&self) -> Option<DateTime<Utc>> {
        let holds = self.holds.iter().map(|hold| hold.expires_at);
        holds.chain(self.grants.iter().filter_map(Funds::boundary)).min()
    }

    /// What happens at one instant, one event at a time: holds run out, grants run out, grants take effect.
    pub(super) fn due_at(&self, at: DateTime<Utc>) -> Option<Event> {
        if let Some(hold) = self.holds.iter().filter(|hold| hold.expires_at <= at).min_by_key(|hold| &hold.key) {
            return Some(Event::HoldExpired { hold: hold.key.clone() });
        }
        let expired = |funds: &&Funds| !funds.free.is_zero() && funds.grant.is_expired_at(at);
        if let Some(funds) = self.grants.iter().find(expired) {
            return Some(Event::GrantExpired { grant: funds.grant.id.clone(), amount: funds.free });
        }
        let effective = self.grants.iter().find(|funds| funds.scheduled && funds.grant.effective_at <= at)?;
        Some(Event::TookEffect { grant: effective.grant.id.clone() })
    }

    /// Whether every part adds up to the balance, and the balance to itself.
    fn is_exact(&self) -> bool {
        let scheduled = self.grants.iter().filter(|funds| funds.scheduled).map(|funds| funds.grant.amount);
        let pinned = |id: &Arc<str>| {
            let slices = self.holds.iter().flat_map(|hold| &hold.slices);
            total(slices.filter(|slice| slice.grant == *id).map(|slice| slice.amount))
        };
        let keys: BTreeSet<&IdempotencyKey> = self.holds.iter().map(|hold| &hold.key).collect();
        let ids: BTreeSet<&Arc<str>> = self.grants.iter().map(|funds| &funds.grant.id).collect();
        let slices = |hold: &HoldRecord| total(hold.slices.iter().map(|slice| slice.amount));
        self.balance.is_exact()
            && keys.len() == self.holds.len()
            && ids.len() == self.grants.len()
            && self.grants.iter().all(Funds::is_sound)
            && self.holds.iter().all(|hold| slices(hold) == Some(hold.amount))
            && self.holds.iter().flat_map(|hold| &hold.slices).all(|slice| ids.contains(&slice.grant))
            && total(scheduled) == Some(self.balance.scheduled)
            && total(self.grants.iter().map(|funds| funds.free)) == Some(self.balance.free)
            && total(self.holds.iter().map(|hold| hold.amount)) == Some(self.balance.held)
            && self.grants.iter().all(|funds| pinned(&funds.grant.id) == Some(funds.held))
            && self.grants.iter().zip(self.grants.iter().skip(1)).all(|(a, b)| a.grant.burn_order(&b.grant).is_lt())
    }
}

fn total(mut parts: impl Iterator<Item = Credits>) -> Option<Credits> {
    parts.try_fold(Credits::ZERO, Credits::checked_add)
}

fn find<'a>(grants: &'a mut [Funds], id: &Arc<str>) -> Result<&'a mut Funds, WalletError> {
    grants.iter_mut().find(|funds| funds.grant.id == *id).ok_or(WalletError::Inexact)
}

/// A wallet as it is read, before it is believed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    account: AccountId,
    version: u64,
    as_of: DateTime<Utc>,
    sequence: u64,
    balance: Balance,
    grants: Vec<Funds>,
    holds: Vec<HoldRecord>,
}

impl TryFrom<Stored> for Wallet {
    type Error = WalletError;

    fn try_from(stored: Stored) -> Result<Self, WalletError> {
        let Stored { account, version, as_of, sequence, balance, grants, holds } = stored;
        let wallet = Self { account, version, as_of, sequence, balance, grants, holds };
        if wallet.is_exact() { Ok(wallet) } else { Err(WalletError::Inexact) }
    }
}
