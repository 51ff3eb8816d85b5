//! Billing: what is owed and how it can be paid, claims of bank transfers, and the operators' desk.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bailiwick::account::AccountStatus;
use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, Claim, ClaimRequest, ConfirmedTransfer,
    TransferRefund,
};
use bailiwick::change::Answer;
use bailiwick::gate::{BillingAccess, Operator};
use bailiwick::id::PlanId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{AccountId, Money};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::App;
use super::error::AppError;
use super::extract::Json;

/// One way to pay.
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
    /// What was received and has paid for nothing yet.
    deposit: Option<Money>,
    claims: Vec<Claim>,
}

/// GET /billing: open to a tenant who owes.
pub async fn show(
    access: BillingAccess,
    State(app): State<App>,
) -> Result<axum::Json<BillingView>, AppError> {
    let (tenant, _) = app.store.billing(&access).await?;
    let (claims, deposit) = app.store.claims_and_deposit(&access).await?;
    // What a transfer pays for next: another plan where a change is pending.
    let next = tenant
        .subscription
        .as_ref()
        .map(|paid| paid.next_plan().clone());
    let next = match next {
        Some(plan) => app.store.plan(&plan).await?,
        None => tenant.plan.as_deref().cloned(),
    };
    let state = |method| {
        if app.policy.is_enabled(method) {
            "enabled"
        } else {
            "coming_soon"
        }
    };
    let subscription = tenant.subscription.as_ref();
    Ok(axum::Json(BillingView {
        account: tenant.account.status,
        payment_method: tenant.account.payment_method,
        methods: PaymentMethod::ALL
            .into_iter()
            .map(|method| MethodView {
                method,
                state: state(method),
            })
            .collect(),
        plan: tenant.plan.as_ref().map(|plan| plan.id.clone()),
        price: next.map(|plan| plan.price),
        next_plan: subscription
            .and_then(|paid| paid.pending_plan.as_ref())
            .map(|pending| pending.plan.clone()),
        subscription: subscription.map(|paid| paid.status),
        paid_until: subscription
            .and_then(|paid| paid.current_period)
            .map(|period| period.end),
        ends_then: subscription.is_some_and(|paid| paid.cancel_at_period_end),
        deposit: deposit.map(|deposit| deposit.amount),
        claims,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    plan: PlanId,
    payment_method: PaymentMethod,
}

/// POST /billing/subscribe: a tenant whose subscription has ended begins a new one.
pub async fn subscribe(
    access: BillingAccess,
    State(app): State<App>,
    Json(choice): Json<Choice>,
) -> Result<Response, AppError> {
    let Choice {
        plan,
        payment_method,
    } = choice;
    let subscription = app
        .store
        .resubscribe(&app.policy, &access, &plan, payment_method, app.now())
        .await?;
    Ok((StatusCode::CREATED, axum::Json(subscription)).into_response())
}

/// POST /billing/claims: a tenant says that a transfer is on its way.
pub async fn claim(
    access: BillingAccess,
    State(app): State<App>,
    Json(facts): Json<ClaimRequest>,
) -> Result<Response, AppError> {
    let claim = app
        .store
        .claim(&app.policy, &access, &facts, app.now())
        .await?;
    Ok((StatusCode::CREATED, axum::Json(claim)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    account: AccountId,
    reference: BankReference,
    reason: String,
}

/// POST /billing/reject-claim
pub async fn reject(
    operator: Operator,
    State(app): State<App>,
    Json(rejection): Json<Rejection>,
) -> Result<axum::Json<Claim>, AppError> {
    let Rejection {
        account,
        reference,
        reason,
    } = rejection;
    Ok(axum::Json(
        app.store
            .reject(&operator, &account, &reference, &reason)
            .await?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    account: AccountId,
    transfer: BankTransfer,
    /// The claim that the transfer answers.
    #[serde(default)]
    claim: Option<BankReference>,
}

/// POST /billing/confirm-bank-transfer
pub async fn confirm_bank_transfer(
    operator: Operator,
    State(app): State<App>,
    Json(confirmation): Json<Confirmation>,
) -> Result<axum::Json<ConfirmedTransfer>, AppError> {
    let Confirmation {
        account,
        transfer,
        claim,
    } = confirmation;
    let confirmed = app
        .store
        .confirm(
            &app.policy,
            &operator,
            &account,
            &transfer,
            claim.as_ref(),
            app.now(),
        )
        .await?;
    match confirmed {
        Answer::Fresh(record) => {
            tracing::info!(%account, transaction = %transfer.transaction(), "transfer confirmed");
            Ok(axum::Json(record))
        }
        Answer::Replayed(record) => Ok(axum::Json(record)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    receiving_account: BankReference,
    transaction: BankReference,
    /// What all refunds of this transfer come to.
    total: Money,
    then: AfterRefund,
}

/// POST /billing/refund-bank-transfer
pub async fn refund_bank_transfer(
    operator: Operator,
    State(app): State<App>,
    Json(refund): Json<Refund>,
) -> Result<axum::Json<ConfirmedTransfer>, AppError> {
    let Refund {
        receiving_account,
        transaction,
        total,
        then,
    } = refund;
    let refund = TransferRefund { total, then };
    Ok(axum::Json(
        app.store
            .refund(
                &operator,
                &receiving_account,
                &transaction,
                refund,
                app.now(),
            )
            .await?,
    ))
}
