//! The facts of the suite's commands: a fixed time, prices, and proofs that the gate made.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::account::{Account, AccountStatus};
use crate::credit::{
    Cause, DeductRequest, HoldRequest, IdempotencyKey, Price, PriceList, Quote, Rounding,
};
use crate::gate::{Access, Evidence, Principal, Route, admit, validate_account_and_plan};
use crate::id::AccountId;
use crate::money::{Credits, Currency, Money};
use crate::payment_method::PaymentMethod;
use crate::period::Interval;
use crate::plan::Plan;
use crate::right::{Privilege, Privileges};
use crate::tenant::Tenant;

/// The suite's first instant, in microseconds: January 2027, with a fraction that a column of
/// seconds loses.
const START: i64 = 1_800_000_000_123_457;
/// The operation that costs one credit a unit.
const UNIT: &str = "unit";
/// The operation that costs a millionth of a credit a unit.
const MICRO: &str = "micro";
/// The account of the suite's operators, which no store holds.
const STAFF: &str = "bailiwick-testkit-staff";

/// An error that cannot occur.
pub(super) struct Broken(pub(super) String);

impl<E: fmt::Display> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Returns the instant so many seconds after the suite's first one.
pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    let micros = START.saturating_add(seconds.saturating_mul(1_000_000));
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

pub(super) fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::try_seconds(seconds).unwrap_or_default()
}

pub(super) fn key(text: &str) -> Result<IdempotencyKey, Broken> {
    Ok(text.parse()?)
}

pub(super) fn micros(micros: i64) -> Result<Credits, Broken> {
    Ok(Credits::from_micros(micros)?)
}

fn prices() -> Result<PriceList, Broken> {
    let price = |per_unit| Price {
        base: Decimal::ZERO,
        per_unit,
        tiers: Vec::new(),
        minimum: Credits::ZERO,
        rounding: Rounding::Up,
    };
    let micro = Credits::from_micros(1)?.to_decimal();

    let list: BTreeMap<Arc<str>, Price> = [
        (UNIT.into(), price(Decimal::ONE)),
        (MICRO.into(), price(micro)),
    ]
    .into();
    Ok(list.try_into()?)
}

/// Quotes a price of so many credits.
pub(super) fn quote(credits: u64) -> Result<Quote, Broken> {
    Ok(prices()?.quote(UNIT, credits)?)
}

/// Quotes a price of so many millionths of a credit.
pub(super) fn quote_micros(micros: u64) -> Result<Quote, Broken> {
    Ok(prices()?.quote(MICRO, micros)?)
}

pub(super) fn request(name: &str, credits: u64, life: i64) -> Result<HoldRequest, Broken> {
    Ok(HoldRequest {
        key: key(name)?,
        quote: quote(credits)?,
        time_to_live: seconds(life),
        fingerprint: Some([0xA5; 32]),
    })
}

pub(super) fn deduction(name: &str, quote: &Quote) -> Result<DeductRequest, Broken> {
    Ok(DeductRequest {
        key: key(name)?,
        quote: quote.clone(),
        fingerprint: Some([0x5A; 32]),
    })
}

fn tenant(id: AccountId, privileges: Privileges) -> Result<Tenant, Broken> {
    let free = Plan::new(1.into(), Money::zero(Currency::EUR), Interval::MONTHLY);
    let account = Account {
        privileges,
        ..Account::new(id, AccountStatus::Active, PaymentMethod::BankTransfer)
    };

    Ok(Tenant {
        plan: Some(Arc::new(free)),
        ..Tenant::new(account)
    })
}

/// Asks the gate for leave to spend an account's credits.
pub(super) fn access(account: &AccountId) -> Result<Access, Broken> {
    let principal = Principal::session(2.into()).of_account(account.clone());
    let tenant = tenant(account.clone(), Privileges::NONE)?;
    Ok(validate_account_and_plan(&principal, Some(&tenant), at(0))?)
}

/// Asks the gate for leave to give credits away, and uses it for one grant.
pub(super) fn cause(account: &AccountId, name: &str) -> Result<Cause, Broken> {
    let privileges = Privileges::from_iter([Privilege::GrantCredits]);
    let staff: AccountId = STAFF.parse()?;
    let principal = Principal::session(1.into())
        .of_account(staff.clone())
        .with_privileges(privileges);

    let route = Route::Operator(Privilege::GrantCredits);
    let evidence = Evidence::Verified(principal);
    let tenant = tenant(staff, privileges)?;
    let operator = admit(route, &evidence, Some(&tenant), at(0))
        .into_result()?
        .into_operator()?;

    Ok(Cause::promotion(&operator, account, &key(name)?)?)
}
