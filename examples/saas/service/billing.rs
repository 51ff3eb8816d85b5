//! Billing: what is owed and how it can be paid, claims of bank transfers, and the operators' desk.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use bailiwick::account::AccountStatus;
use bailiwick::axum::Json;
use bailiwick::bank_transfer::{Claim, ClaimRequest, ConfirmedTransfer};
use bailiwick::gate::BillingAccess;
use bailiwick::http::{Gatekeeper, MayConfirmPayments};
use bailiwick::id::PlanId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Money, Subscription};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::App;
use super::error::AppError;
use super::transfers::{Choice, Confirmation, Refund, Rejection};

/// A way to pay, and whether this service takes it yet.
#[derive(Serialize)]
struct MethodView {
    method: PaymentMethod,
    state: &'static str,
}

#[derive(Serialize)]
pub struct BillingView {
    account: AccountStatus,
    payment_method: PaymentMethod,
    methods: Vec<MethodView>,
    plan: Option<PlanId>,
    price: Option<Money>,
    next_plan: Option<PlanId>,
    subscription: Option<SubscriptionStatus>,
    paid_until: Option<DateTime<Utc>>,
    ends_then: bool,
    /// Money that was received and has not paid for anything yet.
    deposit: Option<Money>,
    claims: Vec<Claim>,
}

/// `GET /billing`: open to tenants whose payment is due.
pub async fn show(
    access: BillingAccess,
    State(app): State<Arc<App>>,
) -> Result<Json<BillingView>, AppError> {
    let (tenant, _) = app.store.billing(&access).await?;
    let (claims, deposit) = app.store.claims_and_deposit(&access).await?;
    let subscription = tenant.subscription.as_ref();
    let period = subscription.and_then(|paid| paid.current_period);
    let pending = subscription.and_then(|paid| paid.pending_plan.as_ref());

    // The next payment is for the next plan, where a change is pending.
    let next = match subscription {
        Some(paid) => app.store.plan(paid.next_plan()).await?,
        None => tenant.plan.as_deref().cloned(),
    };
    let methods = PaymentMethod::ALL.map(|method| MethodView {
        method,
        state: if app.policy.is_enabled(method) {
            "enabled"
        } else {
            "coming_soon"
        },
    });

    Ok(Json(BillingView {
        account: tenant.account.status,
        payment_method: tenant.account.payment_method,
        methods: methods.into(),
        plan: tenant.plan.as_ref().map(|plan| plan.id.clone()),
        price: next.map(|plan| plan.price),
        next_plan: pending.map(|pending| pending.plan.clone()),
        subscription: subscription.map(|paid| paid.status),
        paid_until: period.map(|period| period.end),
        ends_then: subscription.is_some_and(|paid| paid.cancel_at_period_end),
        deposit: deposit.map(|deposit| deposit.amount),
        claims,
    }))
}

/// `POST /billing/subscribe`: a tenant whose subscription has ended begins a new one.
pub async fn subscribe(
    access: BillingAccess,
    State(app): State<Arc<App>>,
    Json(choice): Json<Choice>,
) -> Result<(StatusCode, Json<Subscription>), AppError> {
    let now = app.now();
    let begun = app.store.resubscribe(&app.policy, &access, &choice, now);
    Ok((StatusCode::CREATED, Json(begun.await?)))
}

/// `POST /billing/claims`: a tenant says that a transfer is on its way.
pub async fn claim(
    access: BillingAccess,
    State(app): State<Arc<App>>,
    Json(request): Json<ClaimRequest>,
) -> Result<(StatusCode, Json<Claim>), AppError> {
    let now = app.now();
    let claim = app.store.claim(&app.policy, &access, &request, now);
    Ok((StatusCode::CREATED, Json(claim.await?)))
}

/// `POST /billing/reject-claim`
pub async fn reject(
    MayConfirmPayments(operator): MayConfirmPayments,
    State(app): State<Arc<App>>,
    Json(rejection): Json<Rejection>,
) -> Result<Json<Claim>, AppError> {
    Ok(Json(app.store.reject(&operator, &rejection).await?))
}

/// `POST /billing/confirm-bank-transfer`
pub async fn confirm(
    MayConfirmPayments(operator): MayConfirmPayments,
    State(app): State<Arc<App>>,
    Json(confirmation): Json<Confirmation>,
) -> Result<Json<ConfirmedTransfer>, AppError> {
    let now = app.now();
    let record = app
        .store
        .confirm(&app.policy, &operator, &confirmation, now);
    Ok(Json(record.await?))
}

/// `POST /billing/refund-bank-transfer`
pub async fn refund(
    MayConfirmPayments(operator): MayConfirmPayments,
    State(app): State<Arc<App>>,
    Json(refund): Json<Refund>,
) -> Result<Json<ConfirmedTransfer>, AppError> {
    Ok(Json(app.store.refund(&operator, &refund, app.now()).await?))
}
