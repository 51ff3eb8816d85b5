//! The numbers that a host may choose. They are checked once, when they are loaded; the default is
//! the strictest.

mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::money::Credits;
use crate::payment_method::PaymentMethod;
use crate::problem::{Code, Explained};
use crate::quota::ThrottleScope;

pub use settings::{GraceSettings, PolicySettings};

/// The longest grace or slack: a leap year.
const MAX_SECONDS: u64 = 366 * 86_400;
/// How long a subscription waits for its first payment where the policy does not say: 30 days,
/// since a transfer takes days.
const FIRST_PAYMENT_SECONDS: u64 = 30 * 86_400;
const FIRST_PAYMENT: TimeDelta = match TimeDelta::try_days(30) {
    Some(length) => length,
    None => TimeDelta::zero(),
};
/// The most holds that a wallet may have open, whatever the host chooses.
const MAX_OPEN_HOLDS: u16 = 4096;

/// What a tenant may do while a payment is past due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraceMode {
    /// Everything.
    Full,
    /// Read, and nothing else: asking for write access is refused with 402.
    ReadOnly,
}

/// What a settlement may do when the cost turns out higher than what was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overage {
    /// Refuse the settlement; the hold stays open.
    Reject,
    /// Charge what was held and no more; the rest is the service's loss.
    Cap,
    /// Charge what was held and what else is available, no more.
    Available,
    /// Charge it all; what is not there becomes a debt, up to this limit.
    Debt(Credits),
}

/// What a settlement may do that comes after its hold has expired: the hold stays expired, and a
/// late settlement is a new charge that is linked to it, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateSettle {
    /// Refuse it: what the call cost is the service's loss.
    Refuse,
    /// Charge what is available, no more.
    Available,
    /// Charge it all; what is not there becomes a debt, up to this limit.
    Debt(Credits),
}

/// What becomes of the part of a bank transfer that is above the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overpayment {
    /// It is noted with the transfer, and somebody gives it back.
    Note,
    /// It is kept as the account's deposit, and counts towards its next payment.
    Deposit,
    /// It pays for as many further periods as it can; the rest is kept as the account's deposit.
    NextPeriods,
}

/// What becomes of a trial that ends without a payment, in the words of Stripe's
/// `missing_payment_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterTrial {
    /// It is paused until a payment is made.
    Pause,
    /// Payment is asked for, and is past due from the end of the trial.
    Invoice,
    /// It is canceled.
    Cancel,
}

/// What becomes of a subscription when the last retry of a payment has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRetries {
    /// It stays, unpaid and without service, until a payment is made.
    Unpaid,
    /// It is canceled.
    Cancel,
}

/// What happens in a throttle scope while the store of its rate state cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureMode {
    /// Requests pass uncounted: for what matters less than being available.
    Open,
    /// Requests are refused: for log-in, registration and whatever costs money.
    #[default]
    Closed,
}

/// The part of a policy that governs wallets. An access carries it, so that a hold is made under
/// the gate's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CreditPolicy {
    /// The most holds that one wallet may have open: 1 to 4096.
    pub max_open_holds: u16,
    /// What a settlement above its hold does.
    pub overage: Overage,
    /// What a settlement after its hold's end does.
    pub late_settle: LateSettle,
    /// For how many seconds after its hold's end a settlement may come late.
    pub late_settle_seconds: u32,
    /// For how many seconds refunded credits live at the least.
    pub refund_life_seconds: u32,
}

impl CreditPolicy {
    const STRICTEST: Self = Self {
        max_open_holds: 256,
        overage: Overage::Reject,
        late_settle: LateSettle::Refuse,
        late_settle_seconds: 3_600,
        refund_life_seconds: 30 * 86_400,
    };
}

impl Default for CreditPolicy {
    fn default() -> Self {
        Self::STRICTEST
    }
}

/// Everything that is wrong with a policy, each with the field that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct PolicyError(Vec<(String, &'static str)>);

impl PolicyError {
    /// Each fault as the field's path, such as `credit.overage`, and what is wrong with it.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, fault)| (field.as_str(), *fault))
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy is not sound")?;
        self.faults()
            .try_for_each(|(field, fault)| write!(f, "; {field}: {fault}"))
    }
}

impl Explained for PolicyError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}

/// The numbers that a host chose, checked. The default is the strictest: no slack, no grace, bank
/// transfer only.
///
/// ```
/// use bailiwick::Policy;
/// use bailiwick::policy::PolicySettings;
/// let settings: PolicySettings = serde_json::from_str(r#"{
///     "renewal_slack_seconds": 3600,
///     "past_due_grace": { "seconds": 604800, "mode": "read_only" }
/// }"#)?;
/// let policy = Policy::load(settings)?;
///
/// let wrong: PolicySettings = serde_json::from_str(r#"{ "throttle_bypass": true, "credit": { "overage": 1 }, "graec": 1 }"#)?;
/// let error = Policy::load(wrong).unwrap_err();
/// let fields: Vec<&str> = error.faults().map(|(field, _)| field).collect();
/// assert_eq!(fields, ["graec", "credit.overage", "throttle_bypass"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) renewal_slack: TimeDelta,
    pub(crate) past_due_grace: Option<(TimeDelta, GraceMode)>,
    payment_methods: EnabledMethods,
    pub(crate) overpayment: Overpayment,
    pub(crate) provider_discounts: bool,
    pub(crate) top_up_credits: Option<Credits>,
    bank_transfer_claims: bool,
    first_payment: TimeDelta,
    after_trial: AfterTrial,
    after_grace: AfterRetries,
    pub(crate) registration_credits: Credits,
    pub(crate) credit: CreditPolicy,
    throttle_failure: BTreeMap<ThrottleScope, FailureMode>,
    throttle_bypass: bool,
}

/// The payment methods that are enabled. A policy is made without allocating, so that asking under
/// the default is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EnabledMethods {
    stripe: bool,
    paypal: bool,
    bank_transfer: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self::STRICTEST
    }
}

impl Policy {
    const STRICTEST: Self = Self {
        renewal_slack: TimeDelta::zero(),
        past_due_grace: None,
        payment_methods: EnabledMethods {
            stripe: false,
            paypal: false,
            bank_transfer: true,
        },
        overpayment: Overpayment::Note,
        provider_discounts: false,
        top_up_credits: None,
        bank_transfer_claims: true,
        first_payment: FIRST_PAYMENT,
        after_trial: AfterTrial::Pause,
        after_grace: AfterRetries::Unpaid,
        registration_credits: Credits::ZERO,
        credit: CreditPolicy::STRICTEST,
        throttle_failure: BTreeMap::new(),
        throttle_bypass: false,
    };

    /// Checks settings and reports all their faults at once, each with its field.
    pub fn load(settings: PolicySettings) -> Result<Self, PolicyError> {
        let mut faults = settings.unread.clone();
        let mut fault = |field: &str, is_wrong: bool, what| {
            if is_wrong {
                faults.push((field.to_owned(), what));
            }
        };
        let too_long = "longer than 366 days";
        fault(
            "renewal_slack_seconds",
            settings.renewal_slack_seconds > MAX_SECONDS,
            too_long,
        );
        if let Some(grace) = settings.past_due_grace {
            fault(
                "past_due_grace.seconds",
                grace.seconds > MAX_SECONDS,
                too_long,
            );
            fault(
                "past_due_grace.seconds",
                grace.seconds == 0,
                "zero: leave the grace out instead",
            );
        }
        let no_method = settings.payment_methods.is_empty()
            && !settings
                .unread
                .iter()
                .any(|(path, _)| path.starts_with("payment_methods"));
        fault("payment_methods", no_method, "empty: nobody could pay");
        fault(
            "first_payment_seconds",
            settings.first_payment_seconds > MAX_SECONDS,
            too_long,
        );
        fault(
            "first_payment_seconds",
            settings.first_payment_seconds == 0,
            "zero: nobody could pay in time",
        );
        let holds = settings.credit.max_open_holds;
        fault(
            "credit.max_open_holds",
            holds == 0 || holds > MAX_OPEN_HOLDS,
            "not 1 to 4096",
        );
        for (field, seconds) in [
            (
                "credit.late_settle_seconds",
                settings.credit.late_settle_seconds,
            ),
            (
                "credit.refund_life_seconds",
                settings.credit.refund_life_seconds,
            ),
        ] {
            fault(field, u64::from(seconds) > MAX_SECONDS, too_long);
        }
        fault(
            "throttle_bypass",
            settings.throttle_bypass && !settings.development,
            "demands `development`",
        );
        if faults.is_empty() {
            Ok(Self::unchecked(settings))
        } else {
            Err(PolicyError(faults))
        }
    }

    fn unchecked(settings: PolicySettings) -> Self {
        let enabled = |method| settings.payment_methods.contains(&method);
        Self {
            renewal_slack: seconds(settings.renewal_slack_seconds),
            past_due_grace: settings
                .past_due_grace
                .map(|grace| (seconds(grace.seconds), grace.mode)),
            payment_methods: EnabledMethods {
                stripe: enabled(PaymentMethod::Stripe),
                paypal: enabled(PaymentMethod::Paypal),
                bank_transfer: enabled(PaymentMethod::BankTransfer),
            },
            overpayment: settings.overpayment,
            provider_discounts: settings.provider_discounts,
            top_up_credits: settings.top_up_credits,
            bank_transfer_claims: settings.bank_transfer_claims,
            first_payment: seconds(settings.first_payment_seconds),
            after_trial: settings.after_trial,
            after_grace: settings.after_grace,
            registration_credits: settings.registration_credits,
            credit: settings.credit,
            throttle_failure: settings.throttle_failure,
            throttle_bypass: settings.throttle_bypass,
        }
    }

    /// How long after the end of a paid period a tenant is still admitted.
    pub fn renewal_slack(&self) -> TimeDelta {
        self.renewal_slack
    }

    /// How long after the end of a paid period a tenant may be admitted at all: the slack, or the
    /// grace if that is longer.
    pub fn longest_admission(&self) -> TimeDelta {
        self.past_due_grace
            .map_or(self.renewal_slack, |(grace, _)| {
                grace.max(self.renewal_slack)
            })
    }

    /// Whether a payment method is enabled; what is not is "coming soon".
    pub fn is_enabled(&self, method: PaymentMethod) -> bool {
        match method {
            PaymentMethod::Stripe => self.payment_methods.stripe,
            PaymentMethod::Paypal => self.payment_methods.paypal,
            PaymentMethod::BankTransfer => self.payment_methods.bank_transfer,
        }
    }

    /// Whether tenants may claim bank transfers themselves: the method is enabled, and so are
    /// claims.
    pub fn takes_claims(&self) -> bool {
        self.bank_transfer_claims && self.is_enabled(PaymentMethod::BankTransfer)
    }

    /// How long a subscription waits for its first payment.
    pub fn first_payment(&self) -> TimeDelta {
        self.first_payment
    }

    /// What becomes of a trial that ends without a payment.
    pub fn after_trial(&self) -> AfterTrial {
        self.after_trial
    }

    /// What becomes of a subscription whose payment is past due for longer than the grace.
    pub fn after_grace(&self) -> AfterRetries {
        self.after_grace
    }

    /// What a request meets in a throttle scope while its rate state cannot be known: see
    /// [`pass_uncounted`](Self::pass_uncounted) and
    /// [`Throttle::with_failure_modes`](crate::throttle::Throttle::with_failure_modes).
    pub fn failure_mode(&self, scope: ThrottleScope) -> FailureMode {
        self.throttle_failure
            .get(&scope)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn failure_modes(&self) -> &BTreeMap<ThrottleScope, FailureMode> {
        &self.throttle_failure
    }

    /// Makes the only thing that passes the throttle unasked, for a reason that is recorded. `None`
    /// unless the policy is one of development and allows it: no role, login or credential ever
    /// does.
    pub fn bypass_throttle(&self, reason: &str) -> Option<ThrottleBypass> {
        (self.throttle_bypass && !reason.trim().is_empty()).then(|| ThrottleBypass {
            reason: reason.into(),
        })
    }
}

/// Seconds that were checked against the longest length.
fn seconds(seconds: u64) -> TimeDelta {
    i64::try_from(seconds)
        .ok()
        .and_then(TimeDelta::try_seconds)
        .unwrap_or_default()
}

/// Leave to pass the throttle, with its reason. Only [`Policy::bypass_throttle`] makes one, under a
/// development policy.
#[derive(Clone, Debug)]
pub struct ThrottleBypass {
    reason: Arc<str>,
}

impl ThrottleBypass {
    /// Why the throttle is bypassed, for the log.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
