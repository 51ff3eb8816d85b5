//! Billing: what is owed and how it can be paid, charges, claims of bank transfers, and the operators'
//! desk.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use bailiwick::account::AccountStatus;
use bailiwick::axum::Json;
use bailiwick::bank_transfer::{Claim, ClaimRequest, ConfirmedTransfer};
use bailiwick::charge::{Charge, ChargeState};
use bailiwick::credit::IdempotencyKey;
use bailiwick::gate::BillingAccess;
use bailiwick::http::{Gatekeeper, MayConfirmPayments};
use bailiwick::id::PlanId;
use bailiwick::paid_time::Schedule;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Money, Subscription};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::App;
use super::accounts::{paid_until, subscription_by_now};
use super::claims::Rejection;
use super::error::AppError;
use super::store::plan_to_pay;
use super::subscriptions::{Choice, Wish};
use super::transfers::{Confirmation, Refund, TransferKey};

/// The most windows whose credits are explained.
const MAX_WINDOWS: usize = 12;

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
    /// What was asked to be paid, the latest first.
    charges: Vec<ChargeView>,
    /// A sentence for each payment that brought credits, the latest window first.
    credits: Vec<String>,
}

/// What a tenant reads of a charge.
#[derive(Serialize)]
pub struct ChargeView {
    /// The text to write on the transfer.
    reference: String,
    amount: Money,
    valid_until: DateTime<Utc>,
    #[serde(flatten)]
    state: ChargeState,
    /// The sentence that says how it was reckoned.
    reckoned: String,
}

impl From<Charge> for ChargeView {
    fn from(charge: Charge) -> Self {
        Self {
            reference: charge.reference(),
            amount: charge.amount,
            valid_until: charge.valid_until,
            reckoned: charge.to_string(),
            state: charge.state,
        }
    }
}

/// The plan that a tenant wants to change to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    plan: PlanId,
}

/// `GET /billing`: open to tenants whose payment is due.
pub async fn show(
    access: BillingAccess,
    State(app): State<Arc<App>>,
) -> Result<Json<BillingView>, AppError> {
    let (tenant, _) = app.store.billing(&access).await?;
    let (claims, deposit) = app.store.claims_and_deposit(&access).await?;
    let charges = app.store.charges(&access).await?;
    let schedule = app.store.schedule(&tenant).await?;
    let subscription = subscription_by_now(&app, &tenant);
    let subscription = subscription.as_ref();
    let own = tenant.plan.as_ref().map(|plan| plan.id.clone());
    let pending = subscription.and_then(|paid| paid.pending_plan.as_ref());

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
        plan: subscription.map(|paid| paid.plan.clone()).or(own),
        price: plan_to_pay(&tenant).ok().map(|plan| plan.price),
        next_plan: pending.map(|pending| pending.plan.clone()),
        subscription: subscription.map(|paid| paid.status),
        paid_until: subscription.and_then(paid_until),
        ends_then: subscription.is_some_and(|paid| paid.cancel_at_period_end),
        deposit: deposit.map(|deposit| deposit.amount),
        claims,
        charges: charges.into_iter().map(ChargeView::from).collect(),
        credits: schedule.map_or(Vec::new(), |paid| explain(&paid, app.now())),
    }))
}

fn explain(schedule: &Schedule, now: DateTime<Utc>) -> Vec<String> {
    let windows = schedule.windows_begun(now).into_iter().rev();
    windows
        .take(MAX_WINDOWS)
        .flat_map(|window| schedule.shares(window))
        .map(|share| share.sentence(payment_in_words))
        .collect()
}

/// Names the payment behind a span of paid time as a customer knows it.
fn payment_in_words(span: &str) -> String {
    let payment = match span.split('/').next() {
        Some("transfer") => "a bank transfer",
        Some("charge") => "the charge for a change of plan",
        Some("deposit") => "the deposit",
        _ => "card or PayPal",
    };
    payment.to_owned()
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

/// `POST /billing/trial`: a tenant that owes its first payment tries the plan first.
pub async fn start_trial(
    access: BillingAccess,
    State(app): State<Arc<App>>,
) -> Result<Json<Subscription>, AppError> {
    let begun = app.store.start_trial(&app.policy, &access, app.now());
    Ok(Json(begun.await?))
}

/// `POST /billing/subscription`: a tenant changes its plan or cancels.
pub async fn change(
    access: BillingAccess,
    State(app): State<Arc<App>>,
    Json(wish): Json<Wish>,
) -> Result<Json<Subscription>, AppError> {
    let now = app.now();
    let changed = app
        .store
        .change_subscription(&app.policy, &access, &wish, now);
    Ok(Json(changed.await?))
}

/// `POST /billing/upgrade`: a tenant asks what a larger plan costs for the time that is left. The
/// transfer of that amount buys it.
pub async fn upgrade(
    access: BillingAccess,
    key: IdempotencyKey,
    State(app): State<Arc<App>>,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<ChargeView>), AppError> {
    let (policy, now) = (&app.policy, app.now());
    let charge = app
        .store
        .open_upgrade(policy, &access, &key, &wanted.plan, now);
    Ok((StatusCode::CREATED, Json(charge.await?.into())))
}

/// `POST /billing/credit-pack`: a tenant asks for a pack of credits, and gets it when it is paid.
pub async fn buy_credits(
    access: BillingAccess,
    key: IdempotencyKey,
    State(app): State<Arc<App>>,
) -> Result<(StatusCode, Json<ChargeView>), AppError> {
    let now = app.now();
    let charge = app.store.open_credit_pack(&app.policy, &access, &key, now);
    Ok((StatusCode::CREATED, Json(charge.await?.into())))
}

/// `POST /billing/downgrade`: a tenant changes to a smaller plan at once.
pub async fn downgrade(
    access: BillingAccess,
    key: IdempotencyKey,
    State(app): State<Arc<App>>,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<ChargeView>), AppError> {
    let (policy, now) = (&app.policy, app.now());
    let charge = app
        .store
        .downgrade(policy, &access, &key, &wanted.plan, now);
    Ok((StatusCode::CREATED, Json(charge.await?.into())))
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
    let now = app.now();
    let record = app.store.refund(&app.policy, &operator, &refund, now);
    Ok(Json(record.await?))
}

/// `POST /billing/retract-bank-transfer`: the transfer bounced, or was another account's.
pub async fn retract(
    MayConfirmPayments(operator): MayConfirmPayments,
    State(app): State<Arc<App>>,
    Json(key): Json<TransferKey>,
) -> Result<Json<ConfirmedTransfer>, AppError> {
    let now = app.now();
    let record = app.store.retract(&app.policy, &operator, &key, now);
    Ok(Json(record.await?))
}
