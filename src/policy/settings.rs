//! A policy as it is written down.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::choice::{AfterRetries, AfterTrial, FailureMode, GraceMode, Overpayment, Upgrades};
use super::credit::CreditPolicy;
use crate::money::{Credits, Money};
use crate::payment_method::PaymentMethod;
use crate::quota::ThrottleScope;

/// The time that a subscription waits for its first payment if the policy does not say: 30 days,
/// since a bank transfer takes days.
pub(super) const FIRST_PAYMENT_SECONDS: u64 = 30 * 86_400;

/// The time for disputes if the policy does not say: 180 days.
pub(super) const DISPUTE_SECONDS: u64 = 180 * 86_400;

/// The time for which a charge can be paid if the policy does not say: 14 days.
pub(super) const CHARGE_VALIDITY_SECONDS: u64 = 14 * 86_400;

/// The grace period of a tenant whose payment is past due, and its rights in it. The period starts
/// at `past_due_since`: for a renewal, at the end of the last paid period.
///
/// ```
/// use bailiwick::policy::{GraceMode, GraceSettings, PolicySettings};
///
/// let week = GraceSettings { seconds: 7 * 86_400, mode: GraceMode::ReadOnly };
/// let settings = PolicySettings { past_due_grace: Some(week), ..PolicySettings::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(clippy::exhaustive_structs, reason = "a fact: a host writes it")]
pub struct GraceSettings {
    /// The length in seconds, counted from `past_due_since`: 1 second to 366 days.
    pub seconds: u64,
    /// The rights within it.
    pub mode: GraceMode,
}

/// A policy as it is written down, in JSON, TOML or any other self-describing format of serde.
///
/// Reading one never stops at the first mistake: a field that is unknown or of the wrong form is
/// kept as a fault with its path, and [`Policy::load`](super::Policy::load) reports them all. A
/// field that is left out has its default, which is the strictest choice.
///
/// ```
/// use bailiwick::Policy;
/// use bailiwick::policy::PolicySettings;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let text = r#"{ "graec": 1, "credit": { "overage": 1 }, "throttle_bypass": true }"#;
///     let settings: PolicySettings = serde_json::from_str(text)?;
///
///     let error = Policy::load(settings).unwrap_err();
///     let fields: Vec<&str> = error.faults().map(|(field, _)| field).collect();
///     assert_eq!(fields, ["graec", "credit.overage", "throttle_bypass"]);
///     Ok(())
/// }
/// ```
#[derive(Debug, Serialize)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct PolicySettings {
    /// Declares that this is not a production service. The throttle's bypass demands it.
    pub development: bool,
    /// The time after the end of a trial or a paid period for which a tenant is still admitted, in
    /// seconds: it allows for a late webhook. At most 366 days; by default none.
    pub renewal_slack_seconds: u64,
    /// The grace period for a payment that is past due. Without it, past due is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past_due_grace: Option<GraceSettings>,
    /// The payment methods that are enabled; all others are "coming soon". By default only the bank
    /// transfer.
    pub payment_methods: BTreeSet<PaymentMethod>,
    /// The use of the part of a bank transfer that is above the price. By default it is noted.
    pub overpayment: Overpayment,
    /// The most by which a bank transfer may miss a price in this currency: the period opens, and
    /// the difference is written off. It must be positive. Nothing is written off of a price that
    /// is not above it. By default nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_tolerance: Option<Money>,
    /// Lets a payment at a provider bring a period's credits although it is below the plan's price.
    /// This is for hosts that give discounts there, and let nobody else set a price.
    pub provider_discounts: bool,
    /// The credits that the price of a plan without a subscription buys. By default these are the
    /// plan's credits of a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_up_credits: Option<Credits>,
    /// Lets tenants claim bank transfers themselves. If it is off, only operators record them. By
    /// default it is on.
    pub bank_transfer_claims: bool,
    /// The time that a subscription that no provider runs waits for its first payment, in seconds:
    /// 1 second to 366 days, by default 30 days. Stripe waits 23 hours; a bank transfer takes days.
    pub first_payment_seconds: u64,
    /// The time after a window of paid time for which its payment may still be disputed, in
    /// seconds: until then a wallet can change what the window brought. At most 366 days; by
    /// default 180, since card networks usually let a payment be disputed for 120.
    pub dispute_seconds: u64,
    /// The time for which a charge can be paid, in seconds: 1 second to 366 days, by default 14
    /// days. A charge for a change of plan can be paid until the running period ends, at the latest.
    pub charge_validity_seconds: u64,
    /// The instant at which an upgrade takes effect. By default it is paid first.
    pub upgrades: Upgrades,
    /// The end of a trial for which no payment was made. By default it pauses.
    pub after_trial: AfterTrial,
    /// The end of a subscription whose payment is past due for longer than the grace period. By
    /// default it is unpaid.
    pub after_grace: AfterRetries,
    /// The credits that a new identity is given once, at registration. By default none.
    pub registration_credits: Credits,
    /// The rules for wallets.
    pub credit: CreditPolicy,
    /// The behaviour of each throttle scope while its rate state cannot be known. A scope that is
    /// not named is closed.
    pub throttle_failure: BTreeMap<ThrottleScope, FailureMode>,
    /// Lets a developer bypass the throttle, by a typed value with a reason. Demands `development`.
    pub throttle_bypass: bool,
    /// The fields that could not be read: the path of each, and what is wrong with it. Loading
    /// reports each of them. A host that builds settings in code leaves it empty.
    #[serde(skip_serializing)]
    pub unread: Vec<(String, &'static str)>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            development: false,
            renewal_slack_seconds: 0,
            past_due_grace: None,
            payment_methods: BTreeSet::from([PaymentMethod::BankTransfer]),
            overpayment: Overpayment::Note,
            transfer_tolerance: None,
            provider_discounts: false,
            top_up_credits: None,
            bank_transfer_claims: true,
            first_payment_seconds: FIRST_PAYMENT_SECONDS,
            dispute_seconds: DISPUTE_SECONDS,
            charge_validity_seconds: CHARGE_VALIDITY_SECONDS,
            upgrades: Upgrades::PaidFirst,

            after_trial: AfterTrial::Pause,
            after_grace: AfterRetries::Unpaid,
            registration_credits: Credits::ZERO,
            credit: CreditPolicy::default(),

            throttle_failure: BTreeMap::new(),
            throttle_bypass: false,
            unread: Vec::new(),
        }
    }
}
