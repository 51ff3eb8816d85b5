//! Demo tenants, one for each thing that the demo shows.

use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::bank_transfer::BankTransfer;
use bailiwick::change::Answer;
use bailiwick::credit::{Cause, GrantTerms};
use bailiwick::gate::Operator;
use bailiwick::http::Gatekeeper;
use bailiwick::id::UserId;
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::right::{Privilege, Privileges};
use bailiwick::subscription::{PendingPlan, SubscriptionStatus};
use bailiwick::{
    Account, Credits, Evidence, Money, Plan, Principal, Quota, Route, Subscription, Tenant, Wallet,
    admit,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::change_sets::{insert_account, insert_subscription};
use super::ledger::write_wallet;
use super::store::{Transaction, digest_of};
use super::transfers::Confirmation;
use super::{AI, API, App};

const DAY: TimeDelta = TimeDelta::new(86_400, 0).unwrap();

/// The service's own account, whose members are its operators.
pub const STAFF: i64 = 1;
pub const ACME: i64 = 2;
pub const GLOBEX: i64 = 3;
pub const INITECH: i64 = 4;
pub const HOOLI: i64 = 5;
pub const UMBRELLA: i64 = 6;
pub const WAYNE: i64 = 7;
pub const STARK: i64 = 8;
pub const CYBERDYNE: i64 = 9;
pub const SOYLENT: i64 = 10;
pub const TYRELL: i64 = 11;

/// The smaller plan with a price.
pub const PRO: i64 = 1;
/// The plan without one.
pub const FREE: i64 = 2;
/// A plan that was taken off the market.
const RETIRED: i64 = 3;
/// The larger plan with a price.
pub const BUSINESS: i64 = 4;

/// A tenant of the demo: an account with one user, one site and one API key.
pub struct DemoTenant {
    pub account: i64,
    pub name: &'static str,
    pub about: &'static str,
    plan: i64,
    status: AccountStatus,
    subscription: Option<SubscriptionStatus>,
    /// The days since its first month was paid by a transfer, if it was.
    paid_days_ago: Option<i32>,
    /// Credits as a gift, beside those that are paid for.
    credits: u32,
}

const PAID_UP: DemoTenant = DemoTenant {
    account: 0,
    name: "",
    about: "paid up: 500 credits for the month, and 500 as a gift",
    plan: PRO,
    status: AccountStatus::Active,
    subscription: Some(SubscriptionStatus::Active),
    paid_days_ago: None,
    credits: 500,
};

const OWING: DemoTenant = DemoTenant {
    status: AccountStatus::PendingPayment,
    subscription: Some(SubscriptionStatus::Incomplete),
    paid_days_ago: Some(0),
    ..PAID_UP
};

pub const TENANTS: [DemoTenant; 11] = [
    DemoTenant {
        account: STAFF,
        name: "staff",
        about: "the service's own operator, who may confirm payments",
        plan: FREE,
        subscription: None,
        credits: 0,
        ..PAID_UP
    },
    DemoTenant {
        account: ACME,
        name: "acme",
        ..OWING
    },
    DemoTenant {
        account: GLOBEX,
        name: "globex",
        about: "acme's neighbour: paid up in the same way",
        ..OWING
    },
    DemoTenant {
        account: INITECH,
        name: "initech",
        about: "suspended for abuse",
        status: AccountStatus::Suspended(SuspensionCause::Abuse),
        ..PAID_UP
    },
    DemoTenant {
        account: HOOLI,
        name: "hooli",
        about: "its last payment failed",
        subscription: Some(SubscriptionStatus::PastDue),
        ..PAID_UP
    },
    DemoTenant {
        account: UMBRELLA,
        name: "umbrella",
        about: "paid up, 1 credit left",
        credits: 1,
        ..PAID_UP
    },
    DemoTenant {
        account: WAYNE,
        name: "wayne",
        about: "owes its first payment, by bank transfer",
        paid_days_ago: None,
        credits: 0,
        ..OWING
    },
    DemoTenant {
        account: STARK,
        name: "stark",
        about: "on a plan that was taken off the market",
        plan: RETIRED,
        ..PAID_UP
    },
    DemoTenant {
        account: CYBERDYNE,
        name: "cyberdyne",
        about: "its subscription is canceled",
        subscription: Some(SubscriptionStatus::Canceled),
        ..PAID_UP
    },
    DemoTenant {
        account: SOYLENT,
        name: "soylent",
        about: "asked for the free plan, and its last paid month ended two days ago",
        credits: 0,
        ..PAID_UP
    },
    DemoTenant {
        account: TYRELL,
        name: "tyrell",
        about: "paid for its month ten days ago: 500 credits",
        paid_days_ago: Some(10),
        credits: 0,
        ..OWING
    },
];

/// Returns an account's one site.
pub const fn site(account: i64) -> i64 {
    account * 10 + 1
}

/// Returns the API key of an account, bound to its one site. A real service makes secrets at random
/// and shows them once.
pub fn api_key(account: i64) -> String {
    format!("bw_{account}_{}", secret(account))
}

fn secret(account: i64) -> String {
    format!("demo-secret-of-account-{account}")
}

/// Returns the user who owns an account.
pub fn user(account: i64) -> UserId {
    UserId::from(account)
}

/// Fills an empty database. Leaves any other as it is.
pub async fn plant(app: &App) -> anyhow::Result<()> {
    let now = app.now();
    let mut transaction = app.store.begin().await?;
    let plans: i64 = sqlx::query_scalar("SELECT count(*) FROM plans")
        .fetch_one(&mut *transaction)
        .await?;
    if plans > 0 {
        return Ok(());
    }

    let retired = Plan {
        active: false,
        ..plan(RETIRED, 49, 500)?
    };
    let (pro, business) = (plan(PRO, 49, 500)?, plan(BUSINESS, 149, 2_000)?);
    for plan in [pro, plan(FREE, 0, 20)?, retired, business] {
        sqlx::query("INSERT INTO plans (id, facts) VALUES (?, ?)")
            .bind(plan.id.as_integer())
            .bind(serde_json::to_string(&plan)?)
            .execute(&mut *transaction)
            .await?;
    }
    for tenant in TENANTS {
        let since = now - DAY * tenant.paid_days_ago.unwrap_or(0);
        plant_tenant(&mut transaction, &tenant, since).await?;
    }
    transaction.commit().await?;

    for tenant in TENANTS {
        let Some(days) = tenant.paid_days_ago else {
            continue;
        };
        let then = now - DAY * days;
        let desk = operator(Privilege::ConfirmPayments, then)?;
        let paid = Confirmation::of(tenant.account.into(), first_transfer(&tenant, then)?);
        app.store.confirm(&app.policy, &desk, &paid, then).await?;
    }
    Ok(())
}

fn first_transfer(tenant: &DemoTenant, now: DateTime<Utc>) -> anyhow::Result<BankTransfer> {
    Ok(BankTransfer::new(
        "DE02120300000000202051".parse()?,
        format!("first-{}", tenant.name).parse()?,
        now.date_naive(),
        Money::new(49.into(), Currency::EUR)?,
        tenant.name,
        "https://bank.example/statements/0",
    )?)
}

async fn plant_tenant(
    transaction: &mut Transaction,
    tenant: &DemoTenant,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let id = tenant.account;
    let account = match id {
        STAFF => staff(),
        _ => Account {
            registered_at: Some(now),
            ..Account::new(id.into(), tenant.status, PaymentMethod::BankTransfer)
        },
    };
    insert_account(transaction, &account, &tenant.plan.into()).await?;
    if let Some(status) = tenant.subscription {
        let subscription = subscribed(id, tenant.plan, status, now);
        insert_subscription(transaction, &subscription).await?;
    }

    // An operator needs a privilege twice: as a person, here, and in the account.
    let privileges = match id {
        STAFF => Privilege::ConfirmPayments.as_str(),
        _ => "",
    };
    sqlx::query("INSERT INTO users (id, account_id, privileges) VALUES (?, ?, ?)")
        .bind(user(id).as_integer())
        .bind(id)
        .bind(privileges)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO sites (id, account_id, name) VALUES (?, ?, 'First site')")
        .bind(site(id))
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO api_keys (id, account_id, secret_digest, sites) VALUES (?, ?, ?, ?)")
        .bind(id)
        .bind(id)
        .bind(digest_of(&secret(id)))
        .bind(format!("[{}]", site(id)))
        .execute(&mut **transaction)
        .await?;

    let opened = Wallet::open(id.into(), now).advance(now)?;
    write_wallet(transaction, &opened).await?;
    if tenant.credits > 0 {
        let wallet = opened.wallet().clone();
        let terms = GrantTerms::forever(Credits::whole(tenant.credits));
        if let Answer::Fresh(change) = wallet.grant(&gift(id, now)?, terms, None, now)? {
            write_wallet(transaction, &change).await?;
        }
    }
    Ok(())
}

fn plan(id: i64, price: i64, credits: u32) -> anyhow::Result<Plan> {
    let api = Quota::new(600, 60)?.with_burst(100)?;
    let ai = Quota::new(6, 60)?.with_burst(3)?;
    let money = Money::new(price.into(), Currency::EUR)?;
    Ok(Plan {
        credits: Credits::whole(credits),
        trial_credits: Some(Credits::whole(100)),
        quotas: [(API, api.into()), (AI, ai.into())].into(),
        ..Plan::new(id.into(), money, Interval::MONTHLY)
    })
}

fn subscribed(
    account: i64,
    plan: i64,
    status: SubscriptionStatus,
    now: DateTime<Utc>,
) -> Subscription {
    let waits_for_free = account == SOYLENT;
    let end = match status {
        SubscriptionStatus::PastDue | SubscriptionStatus::Canceled => now,
        _ if waits_for_free => now - DAY * 2,
        _ => now + DAY * 20,
    };
    let start = end - DAY * 30;
    let is_paid = status != SubscriptionStatus::Incomplete;
    let free = PendingPlan {
        plan: FREE.into(),
        at: end,
    };

    Subscription {
        status,
        current_period: is_paid.then_some(Period { start, end }),
        past_due_since: (status == SubscriptionStatus::PastDue).then_some(end),
        pending_plan: waits_for_free.then_some(free),
        ..Subscription::new(
            account.into(),
            account.into(),
            plan.into(),
            PaymentMethod::BankTransfer,
            if is_paid { start } else { now },
        )
    }
}

/// Returns the service's own account. Customers' accounts hold no privileges.
fn staff() -> Account {
    let privileges = [Privilege::ConfirmPayments, Privilege::GrantCredits];
    Account {
        privileges: Privileges::from_iter(privileges),
        ..Account::new(
            STAFF.into(),
            AccountStatus::Active,
            PaymentMethod::BankTransfer,
        )
    }
}

/// Makes the cause of a tenant's first credits.
fn gift(account: i64, now: DateTime<Utc>) -> anyhow::Result<Cause> {
    let operator = operator(Privilege::GrantCredits, now)?;
    let reference = format!("seed-{account}").parse()?;
    Ok(Cause::promotion(&operator, &account.into(), &reference)?)
}

/// Asks the gate for an operator, like everybody else: without one there are neither gifts nor
/// confirmations.
fn operator(privilege: Privilege, now: DateTime<Utc>) -> anyhow::Result<Operator> {
    let operator = Principal::session(user(STAFF))
        .of_account(STAFF.into())
        .with_privileges([privilege].into_iter().collect());
    let evidence = Evidence::Verified(operator);
    let tenant = Tenant::new(staff());
    let decision = admit(Route::Operator(privilege), &evidence, Some(&tenant), now);
    Ok(decision.into_result()?.into_operator()?)
}
