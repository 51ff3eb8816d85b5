//! Demo tenants, one for each thing that the demo shows.

use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::change::Answer;
use bailiwick::credit::{Cause, GrantTerms};
use bailiwick::id::UserId;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::quota::QuotaSet;
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{
    Account, Credits, Evidence, Money, Plan, Principal, Quota, Route, Subscription, Tenant, Wallet,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::change_sets::{insert_account, insert_subscription};
use super::ledger::write_wallet;
use super::store::{Failure, digest_of};
use super::{AI, API, App};

/// A day.
const DAY: TimeDelta = TimeDelta::new(86_400, 0).unwrap();

/// The service's own staff.
pub const STAFF: i64 = 1;
/// What its members may hold. Each holds what is stored for the person, too, and customers'
/// accounts hold nothing.
const STAFF_PRIVILEGES: [Privilege; 2] = [Privilege::ConfirmPayments, Privilege::GrantCredits];
/// Paid up, with credits and an API key.
pub const ACME: i64 = 2;
/// Paid up: the neighbour.
pub const GLOBEX: i64 = 3;
/// Suspended for abuse, with an API key.
pub const INITECH: i64 = 4;
/// Past due.
pub const HOOLI: i64 = 5;
/// Paid up, with next to no credits.
pub const UMBRELLA: i64 = 6;
/// Awaits its first payment, by bank transfer.
pub const WAYNE: i64 = 7;
/// On a plan that is not active any more.
pub const STARK: i64 = 8;
/// Canceled.
pub const CYBERDYNE: i64 = 9;

/// The plan with a price.
pub const PRO: i64 = 1;
/// The plan without one.
pub const FREE: i64 = 2;
/// The plan of old.
const RETIRED: i64 = 3;

/// Names for people.
pub const TENANTS: [(i64, &str, &str); 9] = [
    (
        STAFF,
        "staff",
        "the service's own operator, who may confirm payments",
    ),
    (ACME, "acme", "paid up, 1000 credits"),
    (GLOBEX, "globex", "paid up, 1000 credits: acme's neighbour"),
    (INITECH, "initech", "suspended for abuse"),
    (HOOLI, "hooli", "past due"),
    (UMBRELLA, "umbrella", "paid up, 1 credit left"),
    (WAYNE, "wayne", "awaits its first payment, by bank transfer"),
    (STARK, "stark", "on a plan that is not active any more"),
    (CYBERDYNE, "cyberdyne", "canceled"),
];

/// An account's one site in the demo.
pub const fn site(account: i64) -> i64 {
    account * 10 + 1
}

/// The API key of an account, bound to its one site. A real service makes secrets at random and
/// shows them once.
pub fn api_key(account: i64) -> String {
    format!("bw_{account}_{}", secret(account))
}

fn secret(account: i64) -> String {
    format!("demo-secret-of-account-{account}")
}

/// The user who owns an account.
pub fn user(account: i64) -> UserId {
    UserId::from(account)
}

/// Fills an empty database; leaves any other as it is.
pub async fn plant(app: &App) -> anyhow::Result<()> {
    let now = app.now();
    let mut transaction = app.store.begin().await?;
    let (plans,): (i64,) = sqlx::query_as("SELECT count(*) FROM plans")
        .fetch_one(&mut *transaction)
        .await?;
    if plans > 0 {
        return Ok(());
    }
    for plan in [
        plan(PRO, true, true)?,
        plan(FREE, true, false)?,
        plan(RETIRED, false, true)?,
    ] {
        sqlx::query("INSERT INTO plans (id, facts) VALUES (?, ?)")
            .bind(plan.id.as_integer())
            .bind(serde_json::to_string(&plan)?)
            .execute(&mut *transaction)
            .await?;
    }
    for (id, _, _) in TENANTS {
        let (plan, status, subscription) = match id {
            STAFF => (FREE, AccountStatus::Active, None),
            INITECH => (
                PRO,
                AccountStatus::Suspended(SuspensionCause::Abuse),
                Some(SubscriptionStatus::Active),
            ),
            HOOLI => (
                PRO,
                AccountStatus::Active,
                Some(SubscriptionStatus::PastDue),
            ),
            WAYNE => (
                PRO,
                AccountStatus::PendingPayment,
                Some(SubscriptionStatus::Incomplete),
            ),
            STARK => (
                RETIRED,
                AccountStatus::Active,
                Some(SubscriptionStatus::Active),
            ),
            CYBERDYNE => (
                PRO,
                AccountStatus::Active,
                Some(SubscriptionStatus::Canceled),
            ),
            _ => (PRO, AccountStatus::Active, Some(SubscriptionStatus::Active)),
        };
        let account = Account {
            id: id.into(),
            status,
            payment_method: PaymentMethod::BankTransfer,
            version: 1,
            privileges: if id == STAFF {
                STAFF_PRIVILEGES.into_iter().collect()
            } else {
                Privileges::NONE
            },
        };
        insert_account(&mut transaction, &account, &plan.into())
            .await
            .map_err(planting)?;
        sqlx::query("INSERT INTO users (id, account_id, privileges) VALUES (?, ?, ?)")
            .bind(user(id).as_integer())
            .bind(id)
            .bind(if id == STAFF {
                Privilege::ConfirmPayments.as_str()
            } else {
                ""
            })
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO sites (id, account_id, name) VALUES (?, ?, 'First site')")
            .bind(site(id))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO api_keys (id, account_id, secret_digest, sites) VALUES (?, ?, ?, ?)",
        )
        .bind(id)
        .bind(id)
        .bind(digest_of(&secret(id)))
        .bind(format!("[{}]", site(id)))
        .execute(&mut *transaction)
        .await?;
        if let Some(status) = subscription {
            let subscription = subscribed(id, plan, status, now);
            insert_subscription(&mut transaction, &subscription)
                .await
                .map_err(planting)?;
        }
        let credits = match id {
            UMBRELLA => Credits::whole(1),
            WAYNE | STAFF => Credits::ZERO,
            _ => Credits::whole(1000),
        };
        let wallet = Wallet::open(id.into(), now);
        let change = if credits.is_zero() {
            wallet.advance(now)?
        } else {
            match wallet.grant(&gift(id, now)?, GrantTerms::forever(credits), None, now)? {
                Answer::Fresh(change) => {
                    write_wallet(&mut transaction, &change)
                        .await
                        .map_err(planting)?;
                    continue;
                }
                Answer::Replayed(_) => continue,
            }
        };
        write_wallet(&mut transaction, &change)
            .await
            .map_err(planting)?;
    }
    transaction.commit().await?;
    Ok(())
}

fn planting(_: Failure) -> anyhow::Error {
    anyhow::anyhow!("the demo tenants could not be written")
}

fn plan(id: i64, active: bool, needs_subscription: bool) -> anyhow::Result<Plan> {
    let quota = |cells, burst| {
        Ok::<QuotaSet, bailiwick::quota::QuotaError>(
            Quota::new(cells, 60)?.with_burst(burst)?.into(),
        )
    };
    Ok(Plan {
        id: id.into(),
        active,
        price: Money::new(
            if needs_subscription {
                49.into()
            } else {
                0.into()
            },
            Currency::EUR,
        )?,
        interval: Interval::MONTHLY,
        credits_per_month: Credits::whole(if needs_subscription { 500 } else { 0 }),
        needs_subscription,
        quotas: [(API, quota(600, 100)?), (AI, quota(6, 3)?)].into(),
        concurrency: Default::default(),
    })
}

fn subscribed(
    account: i64,
    plan: i64,
    status: SubscriptionStatus,
    now: DateTime<Utc>,
) -> Subscription {
    let start = now - DAY * 10;
    Subscription {
        status,
        current_period: (status != SubscriptionStatus::Incomplete).then_some(Period {
            start,
            end: now + DAY * 20,
        }),
        past_due_since: (status == SubscriptionStatus::PastDue).then_some(now),
        ..Subscription::new(
            account.into(),
            account.into(),
            plan.into(),
            PaymentMethod::BankTransfer,
            start,
        )
    }
}

/// Credits need a cause, and a gift needs an operator: the seed asks the gate like everybody else.
fn gift(account: i64, now: DateTime<Utc>) -> anyhow::Result<Cause> {
    let staff = Principal::session(user(STAFF))
        .of_account(STAFF.into())
        .with_privileges(Privileges::from_iter([Privilege::GrantCredits]));
    let own = Account {
        id: STAFF.into(),
        status: AccountStatus::Active,
        payment_method: PaymentMethod::BankTransfer,
        version: 1,
        privileges: STAFF_PRIVILEGES.into_iter().collect(),
    };
    let tenant = Tenant {
        account: own,
        plan: None,
        subscription: None,
        sites: [].into(),
    };
    let route = Route::Operator(Privilege::GrantCredits);
    let admission =
        bailiwick::admit(route, &Evidence::Verified(staff), Some(&tenant), now).into_result()?;
    Ok(Cause::promotion(
        &admission.into_operator()?,
        &account.into(),
        &format!("seed-{account}").parse()?,
    )?)
}
