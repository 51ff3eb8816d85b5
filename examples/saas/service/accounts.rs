//! Accounts: registration, and what an account owns.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use bailiwick::account::AccountStatus;
use bailiwick::axum::Json;
use bailiwick::credit::{Balance, IdempotencyKey};
use bailiwick::gate::BillingAccess;
use bailiwick::http::{Anyone, Gatekeeper};
use bailiwick::id::{PlanId, UserId};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::registration::Subject;
use bailiwick::subscription::{SubscriptionStatus, Transition};
use bailiwick::{AccountId, Code, Credits, Problem, SiteId, Subscription, Tenant};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::change_sets::Newcomer;
use super::error::AppError;
use super::store::plans_of;
use super::subscriptions::TRIAL;
use super::{App, REGISTER};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// A real service verifies the address before it comes here.
    email: String,
    plan: PlanId,
    payment_method: PaymentMethod,
    /// Asks to try the plan before it is paid.
    #[serde(default)]
    trial: bool,
}

#[derive(Serialize)]
pub struct Welcome {
    account: AccountId,
    owner: UserId,
    site: SiteId,
    plan: PlanId,
    payment_method: PaymentMethod,
    credits: Credits,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_until: Option<DateTime<Utc>>,
}

/// `POST /register`: open to everyone, so it is throttled by address. That is the socket's own: a
/// header such as `X-Forwarded-For` is worth as much as its sender.
pub async fn register(
    _: Anyone,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    key: IdempotencyKey,
    State(app): State<Arc<App>>,
    Json(application): Json<Application>,
) -> Result<(StatusCode, Json<Welcome>), AppError> {
    let now = app.now();
    app.throttle
        .check_address(client.ip(), REGISTER, &app.registrations, now)?;

    let email = application.email.trim().to_lowercase();
    if !(3..=254).contains(&email.len()) || !email.contains('@') {
        let detail = "The email is not an address.";
        return Err(Problem::new(Code::RegistrationInvalid, detail).into());
    }

    let newcomer = Newcomer {
        key,
        // A real service keys this digest with a secret, so that nobody can tell whose it is by
        // trying addresses.
        subject: Subject::from_digest(Sha256::digest(email.as_bytes()).into()),
        plan: application.plan,
        payment_method: application.payment_method,
        trial_until: application.trial.then(|| now + TRIAL),
    };
    let registered = app.store.register(&app.policy, newcomer, now).await?;

    let welcome = Welcome {
        account: registered.account,
        owner: registered.owner,
        site: registered.site,
        plan: registered.plan,
        payment_method: registered.payment_method,
        credits: registered.credits,
        trial_until: registered.trial_until,
    };
    Ok((StatusCode::CREATED, Json(welcome)))
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

/// `GET /account`: a billing route, so that tenants whose payment is due can see their account.
pub async fn show(
    access: BillingAccess,
    State(app): State<Arc<App>>,
) -> Result<Json<AccountView>, AppError> {
    let (tenant, wallet) = app.store.billing(&access).await?;
    let subscription = subscription_by_now(&app, &tenant);
    let subscription = subscription.as_ref();
    let own = tenant.plan.map(|plan| plan.id.clone());

    Ok(Json(AccountView {
        id: tenant.account.id,
        status: tenant.account.status,
        payment_method: tenant.account.payment_method,
        plan: subscription.map(|paid| paid.plan.clone()).or(own),
        subscription: subscription.map(|paid| paid.status),
        paid_until: subscription.and_then(paid_until),
        balance: wallet.balance_at(app.now())?,
    }))
}

/// Returns a tenant's subscription as time has left it, whether or not a job has noticed.
pub fn subscription_by_now(app: &App, tenant: &Tenant) -> Option<Subscription> {
    let stored = tenant.subscription.as_ref()?;
    let due = app
        .policy
        .advance_subscription(stored, &plans_of(tenant), app.now());
    let last = due.last().map_or(stored, Transition::subscription);
    Some(last.clone())
}

/// Returns the end of what is paid: of the period or of the paid time, whichever is later.
pub fn paid_until(subscription: &Subscription) -> Option<DateTime<Utc>> {
    let period = subscription.current_period;
    let paid = period.filter(|_| !subscription.free_period);
    paid.map(|period| period.end).max(subscription.paid_until)
}
