//! The policy itself: settings that were checked.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::choice::{AfterRetries, AfterTrial, FailureMode, GraceMode, Overpayment, Upgrades};
use super::credit::CreditPolicy;
use super::error::PolicyError;
use super::settings::{
    CHARGE_VALIDITY_SECONDS, DISPUTE_SECONDS, FIRST_PAYMENT_SECONDS, PolicySettings,
};
use crate::money::{Credits, Money};
use crate::payment_method::PaymentMethod;
use crate::quota::ThrottleScope;

/// The longest grace, slack or other length, in seconds: a leap year.
const MAX_SECONDS: u64 = 366 * 86_400;

/// [`FIRST_PAYMENT_SECONDS`] as a constant, so that the default policy is one, too.
const FIRST_PAYMENT: TimeDelta = match TimeDelta::try_days(30) {
    Some(length) => length,
    None => TimeDelta::zero(),
};
const _: () = assert!(FIRST_PAYMENT_SECONDS == 30 * 86_400 && FIRST_PAYMENT.num_days() == 30);

/// [`DISPUTE_SECONDS`] as a constant.
const DISPUTE: TimeDelta = match TimeDelta::try_days(180) {
    Some(length) => length,
    None => TimeDelta::zero(),
};
const _: () = assert!(DISPUTE_SECONDS == 180 * 86_400 && DISPUTE.num_days() == 180);

/// [`CHARGE_VALIDITY_SECONDS`] as a constant.
const CHARGE_VALIDITY: TimeDelta = match TimeDelta::try_days(14) {
    Some(length) => length,
    None => TimeDelta::zero(),
};
const _: () = assert!(CHARGE_VALIDITY_SECONDS == 14 * 86_400 && CHARGE_VALIDITY.num_days() == 14);

/// The most holds that a wallet may have open, whatever the host chooses.
const MAX_OPEN_HOLDS: u16 = 4096;

/// The choices of a host, checked, and the root of most decisions of this crate.
///
/// The default is the strictest: no slack, no grace, the bank transfer only. A host loosens it in
/// the open, by [`PolicySettings`] and [`load`](Self::load).
///
/// The modules of this crate add their own methods to this type. The [page of this module](super)
/// lists all of them, module by module.
///
/// ```
/// use bailiwick::Policy;
/// use bailiwick::policy::PolicySettings;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let text = r#"{ "renewal_slack_seconds": 3600 }"#;
///     let settings: PolicySettings = serde_json::from_str(text)?;
///     let policy = Policy::load(settings)?;
///
///     assert_eq!(policy.renewal_slack().num_hours(), 1);
///     assert!(Policy::default().renewal_slack().is_zero());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) renewal_slack: TimeDelta,
    pub(crate) past_due_grace: Option<(TimeDelta, GraceMode)>,
    payment_methods: EnabledMethods,
    pub(crate) overpayment: Overpayment,
    pub(crate) transfer_tolerance: Option<Money>,
    pub(crate) provider_discounts: bool,
    pub(crate) top_up_credits: Option<Credits>,
    bank_transfer_claims: bool,
    first_payment: TimeDelta,
    dispute_time: TimeDelta,
    charge_validity: TimeDelta,
    upgrades: Upgrades,
    after_trial: AfterTrial,
    after_grace: AfterRetries,
    pub(crate) registration_credits: Credits,
    pub(crate) credit: CreditPolicy,
    throttle_failure: BTreeMap<ThrottleScope, FailureMode>,
    pub(super) throttle_bypass: bool,
}

/// The payment methods that are enabled. Three flags rather than a set: a default policy is made
/// for each call of [`admit`](crate::admit), and must not allocate.
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
        transfer_tolerance: None,
        provider_discounts: false,
        top_up_credits: None,
        bank_transfer_claims: true,
        first_payment: FIRST_PAYMENT,
        dispute_time: DISPUTE,
        charge_validity: CHARGE_VALIDITY,
        upgrades: Upgrades::PaidFirst,
        after_trial: AfterTrial::Pause,
        after_grace: AfterRetries::Unpaid,
        registration_credits: Credits::ZERO,
        credit: CreditPolicy::STRICTEST,
        throttle_failure: BTreeMap::new(),
        throttle_bypass: false,
    };

    /// Checks settings, and makes the policy.
    ///
    /// # Errors
    /// All faults of the settings at once, each with its field: first those of the form, then the
    /// values out of range.
    pub fn load(settings: PolicySettings) -> Result<Self, PolicyError> {
        let mut faults = settings.unread.clone();
        let mut fault_if = |is_wrong: bool, field: &str, fault| {
            if is_wrong {
                faults.push((field.to_owned(), fault));
            }
        };
        let too_long = "must be at most 366 days";

        fault_if(
            settings.renewal_slack_seconds > MAX_SECONDS,
            "renewal_slack_seconds",
            too_long,
        );

        if let Some(grace) = settings.past_due_grace {
            let field = "past_due_grace.seconds";
            fault_if(grace.seconds > MAX_SECONDS, field, too_long);
            fault_if(
                grace.seconds == 0,
                field,
                "must be positive: leave the grace out instead",
            );
        }

        // A list that holds no readable method is reported already.
        let unread_methods = settings
            .unread
            .iter()
            .any(|(path, _)| path.starts_with("payment_methods"));
        fault_if(
            settings.payment_methods.is_empty() && !unread_methods,
            "payment_methods",
            "must not be empty: nobody could pay",
        );

        fault_if(
            settings
                .transfer_tolerance
                .is_some_and(|tolerance| tolerance.is_zero()),
            "transfer_tolerance",
            "must be positive: leave it out instead",
        );

        fault_if(
            settings.first_payment_seconds > MAX_SECONDS,
            "first_payment_seconds",
            too_long,
        );
        fault_if(
            settings.first_payment_seconds == 0,
            "first_payment_seconds",
            "must be positive: nobody could pay in time",
        );

        fault_if(
            settings.dispute_seconds > MAX_SECONDS,
            "dispute_seconds",
            too_long,
        );

        fault_if(
            settings.charge_validity_seconds > MAX_SECONDS,
            "charge_validity_seconds",
            too_long,
        );
        fault_if(
            settings.charge_validity_seconds == 0,
            "charge_validity_seconds",
            "must be positive: nobody could pay in time",
        );

        let holds = settings.credit.max_open_holds;
        fault_if(
            holds == 0 || holds > MAX_OPEN_HOLDS,
            "credit.max_open_holds",
            "must be 1 to 4096",
        );
        fault_if(
            u64::from(settings.credit.late_settle_seconds) > MAX_SECONDS,
            "credit.late_settle_seconds",
            too_long,
        );
        fault_if(
            u64::from(settings.credit.refund_life_seconds) > MAX_SECONDS,
            "credit.refund_life_seconds",
            too_long,
        );

        // A bypass in production must take two mistakes.
        fault_if(
            settings.throttle_bypass && !settings.development,
            "throttle_bypass",
            "demands `development`",
        );

        if faults.is_empty() {
            Ok(Self::of_sound(settings))
        } else {
            Err(PolicyError(faults))
        }
    }

    /// Makes the policy of settings that were checked.
    fn of_sound(settings: PolicySettings) -> Self {
        let enabled = |method| settings.payment_methods.contains(&method);
        let payment_methods = EnabledMethods {
            stripe: enabled(PaymentMethod::Stripe),
            paypal: enabled(PaymentMethod::Paypal),
            bank_transfer: enabled(PaymentMethod::BankTransfer),
        };
        let past_due_grace = settings
            .past_due_grace
            .map(|grace| (seconds(grace.seconds), grace.mode));

        Self {
            renewal_slack: seconds(settings.renewal_slack_seconds),
            past_due_grace,
            payment_methods,
            overpayment: settings.overpayment,
            transfer_tolerance: settings.transfer_tolerance,
            provider_discounts: settings.provider_discounts,
            top_up_credits: settings.top_up_credits,
            bank_transfer_claims: settings.bank_transfer_claims,
            first_payment: seconds(settings.first_payment_seconds),
            dispute_time: seconds(settings.dispute_seconds),
            charge_validity: seconds(settings.charge_validity_seconds),
            upgrades: settings.upgrades,
            after_trial: settings.after_trial,
            after_grace: settings.after_grace,
            registration_credits: settings.registration_credits,
            credit: settings.credit,
            throttle_failure: settings.throttle_failure,
            throttle_bypass: settings.throttle_bypass,
        }
    }

    /// Returns the time after the end of a trial or a paid period for which a tenant is still
    /// admitted.
    pub fn renewal_slack(&self) -> TimeDelta {
        self.renewal_slack
    }

    /// Returns the longest time after the end of a trial or a paid period for which a tenant may be
    /// admitted at all: the slack, or the grace period if that is longer.
    pub fn longest_admission(&self) -> TimeDelta {
        self.past_due_grace
            .map_or(self.renewal_slack, |(grace, _)| {
                grace.max(self.renewal_slack)
            })
    }

    /// Returns true if a payment method is enabled. One that is not is "coming soon".
    pub fn is_enabled(&self, method: PaymentMethod) -> bool {
        match method {
            PaymentMethod::Stripe => self.payment_methods.stripe,
            PaymentMethod::Paypal => self.payment_methods.paypal,
            PaymentMethod::BankTransfer => self.payment_methods.bank_transfer,
        }
    }

    /// Returns true if tenants may claim bank transfers themselves: the method is enabled, and so
    /// are claims.
    pub fn takes_claims(&self) -> bool {
        self.bank_transfer_claims && self.is_enabled(PaymentMethod::BankTransfer)
    }

    /// Returns the time that a subscription waits for its first payment.
    pub fn first_payment(&self) -> TimeDelta {
        self.first_payment
    }

    /// Returns the time after a window of paid time for which a wallet can change what it brought.
    pub fn dispute_time(&self) -> TimeDelta {
        self.dispute_time
    }

    /// Returns the time for which a charge can be paid.
    pub fn charge_validity(&self) -> TimeDelta {
        self.charge_validity
    }

    /// Returns the instant at which an upgrade takes effect.
    pub fn upgrades(&self) -> Upgrades {
        self.upgrades
    }

    /// Returns the end of a trial for which no payment was made.
    pub fn after_trial(&self) -> AfterTrial {
        self.after_trial
    }

    /// Returns the end of a subscription whose payment is past due for longer than the grace
    /// period.
    pub fn after_grace(&self) -> AfterRetries {
        self.after_grace
    }

    /// Returns the behaviour of a throttle scope while its rate state cannot be known: closed,
    /// unless the settings name the scope. [`pass_uncounted`](Self::pass_uncounted) and
    /// [`Throttle::with_failure_modes`](crate::throttle::Throttle::with_failure_modes) follow it.
    pub fn failure_mode(&self, scope: ThrottleScope) -> FailureMode {
        self.throttle_failure
            .get(&scope)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn failure_modes(&self) -> &BTreeMap<ThrottleScope, FailureMode> {
        &self.throttle_failure
    }
}

/// Converts seconds that were checked against the longest length.
fn seconds(seconds: u64) -> TimeDelta {
    debug_assert!(seconds <= MAX_SECONDS, "settings are checked first");

    i64::try_from(seconds)
        .ok()
        .and_then(TimeDelta::try_seconds)
        .unwrap_or_default()
}
