//! The wallet: its grants, its open holds, and the balance that always adds up.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::balance::Balance;
use super::funds::{Funds, Lapse};
use super::grant::Cause;
use super::hold::{HoldRecord, Slice};
use super::key::IdempotencyKey;
use super::life::Life;
use super::outcome::Outcome;
use crate::id::{AccountId, SubscriptionId};
use crate::money::Credits;

/// An account's credits, as the host stores them: one row, guarded by its version.
///
/// Commands take the wallet and give back a [`Change`](crate::credit::Change) with the next one. Each begins by applying
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

    /// The holds that are open at [`as_of`](Self::as_of).
    pub fn holds(&self) -> &[HoldRecord] {
        &self.holds
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
}
