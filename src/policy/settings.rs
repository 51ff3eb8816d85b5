//! A policy as it is written down. Reading one never stops at the first mistake: what is unknown or
//! of the wrong form is kept as a fault with its path, and [`Policy::load`](super::Policy::load)
//! reports them all.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{
    CreditPolicy, FIRST_PAYMENT_SECONDS, FailureMode, GraceMode, LateSettle, Overage, Overpayment,
};
use crate::money::Credits;
use crate::payment_method::PaymentMethod;
use crate::policy::{AfterRetries, AfterTrial};
use crate::quota::ThrottleScope;

/// How long a tenant whose payment is past due is still admitted, and to what: counted from
/// `past_due_since`, for a renewal the end of what was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GraceSettings {
    /// Length in seconds, from `past_due_since`.
    pub seconds: u64,
    /// What may be done.
    pub mode: GraceMode,
}

/// A policy as it is written down, in JSON, TOML or any other format of serde that says what is
/// what. [`Policy::load`](super::Policy::load) checks it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "Text")]
pub struct PolicySettings {
    /// Says that this is no production service. The throttle's bypass demands it.
    pub development: bool,
    /// How long after the end of a paid period a tenant is still admitted, in seconds: room for a
    /// late webhook.
    pub renewal_slack_seconds: u64,
    /// Grace for a payment that is past due. Without it, past due is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past_due_grace: Option<GraceSettings>,
    /// The payment methods that are enabled. All others are "coming soon".
    pub payment_methods: BTreeSet<PaymentMethod>,
    /// What becomes of the part of a bank transfer that is above the price.
    pub overpayment: Overpayment,
    /// Lets a payment at a provider bring a period's credits though it is below the plan's price:
    /// for hosts that give discounts there, and let nobody else set a price.
    pub provider_discounts: bool,
    /// What the price of a plan without a subscription buys, instead of the plan's credits of a
    /// month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_up_credits: Option<Credits>,
    /// Lets tenants claim bank transfers themselves. Without it, only operators record them.
    pub bank_transfer_claims: bool,
    /// How long a subscription that no provider runs waits for its first payment, in seconds.
    /// Stripe waits 23 hours; a transfer takes days.
    pub first_payment_seconds: u64,
    /// What becomes of a trial that ends without a payment.
    pub after_trial: AfterTrial,
    /// What becomes of a subscription whose payment is past due for longer than the grace.
    pub after_grace: AfterRetries,
    /// Credits that a new identity is given once, at registration.
    pub registration_credits: Credits,
    /// Wallets.
    pub credit: CreditPolicy,
    /// What happens in a throttle scope while its store of rate state cannot be asked. Closed where
    /// none is named.
    pub throttle_failure: BTreeMap<ThrottleScope, FailureMode>,
    /// Lets a developer bypass the throttle, by a typed value with a reason. Demands `development`.
    pub throttle_bypass: bool,
    /// What could not be read: the path of each field, and what is wrong with it. Loading reports
    /// each of them.
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
            provider_discounts: false,
            top_up_credits: None,
            bank_transfer_claims: true,
            first_payment_seconds: FIRST_PAYMENT_SECONDS,
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

const BOOLEAN: &str = "neither true nor false";
const WHOLE: &str = "not a whole number of seconds";
const OVERPAYMENT: &str = "none of `note`, `deposit` and `next_periods`";
const AFTER_TRIAL: &str = "none of `pause`, `invoice` and `cancel`";
const AFTER_GRACE: &str = "neither `unpaid` nor `cancel`";
const UNKNOWN: &str = "no policy has such a field";

/// A field: of the right form, of another, or not there.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Field<T> {
    Read(T),
    Malformed(IgnoredAny),
    #[default]
    #[serde(skip)]
    Absent,
}

/// Fields that are not known, with whatever they hold.
type Unknown = BTreeMap<String, IgnoredAny>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Text {
    development: Field<bool>,
    renewal_slack_seconds: Field<u64>,
    past_due_grace: Field<Option<GraceText>>,
    payment_methods: Field<Vec<Field<PaymentMethod>>>,
    overpayment: Field<Overpayment>,
    provider_discounts: Field<bool>,
    top_up_credits: Field<Option<Credits>>,
    bank_transfer_claims: Field<bool>,
    first_payment_seconds: Field<u64>,
    after_trial: Field<AfterTrial>,
    after_grace: Field<AfterRetries>,
    registration_credits: Field<Credits>,
    credit: Field<CreditText>,
    throttle_failure: Field<BTreeMap<String, Field<FailureMode>>>,
    throttle_bypass: Field<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GraceText {
    seconds: Field<u64>,
    mode: Field<GraceMode>,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CreditText {
    max_open_holds: Field<u16>,
    overage: Field<Overage>,
    late_settle: Field<LateSettle>,
    late_settle_seconds: Field<u32>,
    refund_life_seconds: Field<u32>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// Collects what could not be read.
#[derive(Default)]
struct Faults(Vec<(String, &'static str)>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, fault: &'static str) {
        self.0.push((path.into(), fault));
    }

    fn unknown(&mut self, within: &str, fields: Unknown) {
        for field in fields.into_keys() {
            self.add(format!("{within}{field}"), UNKNOWN);
        }
    }

    /// The value; where it is malformed or not there, the default.
    fn read<T>(&mut self, path: &str, field: Field<T>, fault: &'static str, default: T) -> T {
        match field {
            Field::Read(value) => return value,
            Field::Malformed(_) => self.add(path, fault),
            Field::Absent => {}
        }
        default
    }

    /// A value that has no default.
    fn demand<T>(&mut self, path: &str, field: Field<T>, fault: &'static str) -> Option<T> {
        match field {
            Field::Read(value) => return Some(value),
            Field::Malformed(_) => self.add(path, fault),
            Field::Absent => self.add(path, "missing"),
        }
        None
    }

    fn grace(&mut self, grace: GraceText) -> Option<GraceSettings> {
        self.unknown("past_due_grace.", grace.unknown);
        let seconds = self.demand("past_due_grace.seconds", grace.seconds, WHOLE);
        let mode = self.demand(
            "past_due_grace.mode",
            grace.mode,
            "neither `full` nor `read_only`",
        );
        seconds
            .zip(mode)
            .map(|(seconds, mode)| GraceSettings { seconds, mode })
    }

    fn credit(&mut self, credit: CreditText) -> CreditPolicy {
        self.unknown("credit.", credit.unknown);
        let strict = CreditPolicy::default();
        let overage = "none of `reject`, `cap`, `available` and { `debt`: credits }";
        let late = "none of `refuse`, `available` and { `debt`: credits }";
        let seconds = |faults: &mut Self, name: &str, field, default| {
            faults.read(name, field, WHOLE, default)
        };
        CreditPolicy {
            max_open_holds: self.read(
                "credit.max_open_holds",
                credit.max_open_holds,
                "not 1 to 4096",
                strict.max_open_holds,
            ),
            overage: self.read("credit.overage", credit.overage, overage, strict.overage),
            late_settle: self.read(
                "credit.late_settle",
                credit.late_settle,
                late,
                strict.late_settle,
            ),
            late_settle_seconds: seconds(
                self,
                "credit.late_settle_seconds",
                credit.late_settle_seconds,
                strict.late_settle_seconds,
            ),
            refund_life_seconds: seconds(
                self,
                "credit.refund_life_seconds",
                credit.refund_life_seconds,
                strict.refund_life_seconds,
            ),
        }
    }

    fn payment_methods(&mut self, methods: Vec<Field<PaymentMethod>>) -> BTreeSet<PaymentMethod> {
        let mut read = BTreeSet::new();
        for (place, method) in methods.into_iter().enumerate() {
            read.extend(self.demand(
                &format!("payment_methods.{place}"),
                method,
                "no payment method",
            ));
        }
        read
    }

    fn throttle_failure(
        &mut self,
        modes: BTreeMap<String, Field<FailureMode>>,
    ) -> BTreeMap<ThrottleScope, FailureMode> {
        let mut read = BTreeMap::new();
        for (name, mode) in modes {
            let path = format!("throttle_failure.{name}");
            let mode = self.demand(&path, mode, "neither `open` nor `closed`");
            match ThrottleScope::new(&name) {
                Ok(scope) => read.extend(mode.map(|mode| (scope, mode))),
                Err(_) => self.add(
                    path,
                    "no throttle scope: 1 to 32 characters a-z, 0-9, _ and -",
                ),
            }
        }
        read
    }
}

impl From<Text> for PolicySettings {
    fn from(text: Text) -> Self {
        let mut faults = Faults::default();
        let strict = Self::default();
        faults.unknown("", text.unknown);
        let grace = faults.read("past_due_grace", text.past_due_grace, "not a table", None);
        let methods = match text.payment_methods {
            Field::Absent => strict.payment_methods,
            Field::Malformed(_) => {
                faults.add("payment_methods", "not a list");
                strict.payment_methods
            }
            Field::Read(methods) => faults.payment_methods(methods),
        };
        let credit = faults.read("credit", text.credit, "not a table", CreditText::default());
        let modes = faults.read(
            "throttle_failure",
            text.throttle_failure,
            "not a table",
            BTreeMap::new(),
        );
        let amount = "not an amount of credits";
        Self {
            development: faults.read("development", text.development, BOOLEAN, false),
            renewal_slack_seconds: faults.read(
                "renewal_slack_seconds",
                text.renewal_slack_seconds,
                WHOLE,
                0,
            ),
            past_due_grace: grace.and_then(|grace| faults.grace(grace)),
            payment_methods: methods,
            overpayment: faults.read(
                "overpayment",
                text.overpayment,
                OVERPAYMENT,
                strict.overpayment,
            ),
            provider_discounts: faults.read(
                "provider_discounts",
                text.provider_discounts,
                BOOLEAN,
                false,
            ),
            top_up_credits: faults.read("top_up_credits", text.top_up_credits, amount, None),
            bank_transfer_claims: faults.read(
                "bank_transfer_claims",
                text.bank_transfer_claims,
                BOOLEAN,
                true,
            ),
            first_payment_seconds: faults.read(
                "first_payment_seconds",
                text.first_payment_seconds,
                WHOLE,
                strict.first_payment_seconds,
            ),
            after_trial: faults.read(
                "after_trial",
                text.after_trial,
                AFTER_TRIAL,
                strict.after_trial,
            ),
            after_grace: faults.read(
                "after_grace",
                text.after_grace,
                AFTER_GRACE,
                strict.after_grace,
            ),
            registration_credits: faults.read(
                "registration_credits",
                text.registration_credits,
                amount,
                Credits::ZERO,
            ),
            credit: faults.credit(credit),
            throttle_failure: faults.throttle_failure(modes),
            throttle_bypass: faults.read("throttle_bypass", text.throttle_bypass, BOOLEAN, false),
            unread: faults.0,
        }
    }
}
