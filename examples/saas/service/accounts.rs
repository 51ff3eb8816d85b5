//! Accounts: registration, and what an account owns.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bailiwick::account::AccountStatus;
use bailiwick::credit::Balance;
use bailiwick::gate::BillingAccess;
use bailiwick::id::{PlanId, UserId};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::registration::{Registered, Subject};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{AccountId, Code, Credits, SiteId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::change_sets::Newcomer;
use super::error::AppError;
use super::extract::{Anyone, Json, RequestKey};
use super::{App, REGISTER};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// A real service verifies the address before it comes here.
    email: String,
    plan: PlanId,
    payment_method: PaymentMethod,
}

#[derive(Serialize)]
struct Welcome {
    account: AccountId,
    owner: UserId,
    site: SiteId,
    plan: PlanId,
    payment_method: PaymentMethod,
    credits: Credits,
}

/// POST /register
pub async fn register(
    Anyone(address): Anyone,
    State(app): State<App>,
    RequestKey(key): RequestKey,
    Json(application): Json<Application>,
) -> Result<Response, AppError> {
    let now = app.now();
    app.throttle
        .check_address(address, REGISTER, &app.registrations, now)?;
    let email = application.email.trim().to_lowercase();
    if !(3..=254).contains(&email.len()) || !email.contains('@') {
        return Err(AppError::new(
            Code::RegistrationInvalid,
            "email is not an address",
        ));
    }
    let newcomer = Newcomer {
        key,
        // A real service keys this digest with a secret, so that nobody can tell whose it is by
        // trying addresses.
        subject: Subject::from_digest(Sha256::digest(email.as_bytes()).into()),
        plan: application.plan,
        payment_method: application.payment_method,
    };
    let Registered {
        account,
        owner,
        site,
        plan,
        payment_method,
        credits,
        ..
    } = app.store.register(&app.policy, newcomer, now).await?;
    let welcome = Welcome {
        account,
        owner,
        site,
        plan,
        payment_method,
        credits,
    };
    Ok((StatusCode::CREATED, axum::Json(welcome)).into_response())
}

#[derive(Serialize)]
pub struct AccountView {
    id: AccountId,
    status: AccountStatus,
    payment_method: PaymentMethod,
    plan: Option<PlanId>,
    subscription: Option<SubscriptionStatus>,
    paid_until: Option<DateTime<Utc>>,
    balance: Balance,
}

/// GET /account: a billing route, so that a tenant who owes sees what is owed.
pub async fn show(
    access: BillingAccess,
    State(app): State<App>,
) -> Result<axum::Json<AccountView>, AppError> {
    let (tenant, wallet) = app.store.billing(&access).await?;
    let subscription = tenant.subscription.as_ref();
    Ok(axum::Json(AccountView {
        id: tenant.account.id,
        status: tenant.account.status,
        payment_method: tenant.account.payment_method,
        plan: tenant.plan.map(|plan| plan.id.clone()),
        subscription: subscription.map(|subscription| subscription.status),
        paid_until: subscription
            .and_then(|subscription| subscription.current_period)
            .map(|period| period.end),
        balance: wallet.balance_at(app.now())?,
    }))
}
