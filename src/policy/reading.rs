//! Reading of policy settings that collects every fault with its path instead of stopping at the
//! first one.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::choice::{AfterRetries, AfterTrial, FailureMode, GraceMode, LateSettle};
use super::choice::{Overage, Overpayment, Upgrades};
use super::credit::CreditPolicy;
use super::settings::{GraceSettings, PolicySettings};
use crate::money::{Credits, Money};
use crate::payment_method::PaymentMethod;
use crate::quota::ThrottleScope;

const BOOLEAN: &str = "must be true or false";
const SECONDS: &str = "must be a whole number of seconds";
const CREDITS: &str = "must be an amount of credits";
const MONEY: &str = "must be an amount of money with its currency";
const TABLE: &str = "must be a table";
const LIST: &str = "must be a list";
const OVERPAYMENT: &str = "must be `note`, `deposit` or `next_periods`";
const UPGRADES: &str = "must be `paid_first` or `at_once`";
const AFTER_TRIAL: &str = "must be `pause`, `invoice` or `cancel`";
const AFTER_GRACE: &str = "must be `unpaid` or `cancel`";
const OVERAGE: &str = "must be `reject`, `cap`, `available` or { `debt`: credits }";
const LATE_SETTLE: &str = "must be `refuse`, `available` or { `debt`: credits }";
const OPEN_HOLDS: &str = "must be 1 to 4096";
const GRACE_MODE: &str = "must be `full` or `read_only`";
const FAILURE_MODE: &str = "must be `open` or `closed`";
const PAYMENT_METHOD: &str = "must be a payment method";
const THROTTLE_SCOPE: &str =
    "the name of a throttle scope must be 1 to 32 characters of a-z, 0-9, _ and -";
const MISSING: &str = "is missing";
const UNKNOWN: &str = "no policy has such a field";

/// A field: of the right form, of another, or absent.
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

/// The settings before anything is checked.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Text {
    development: Field<bool>,
    renewal_slack_seconds: Field<u64>,
    past_due_grace: Field<Option<GraceText>>,
    payment_methods: Field<Vec<Field<PaymentMethod>>>,
    overpayment: Field<Overpayment>,
    transfer_tolerance: Field<Option<Money>>,
    provider_discounts: Field<bool>,
    top_up_credits: Field<Option<Credits>>,
    bank_transfer_claims: Field<bool>,
    first_payment_seconds: Field<u64>,
    dispute_seconds: Field<u64>,
    charge_validity_seconds: Field<u64>,
    upgrades: Field<Upgrades>,
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

/// The faults that were found so far.
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

    /// Returns the value, or the default if it is malformed or absent.
    fn read<T>(&mut self, path: &str, field: Field<T>, fault: &'static str, default: T) -> T {
        match field {
            Field::Read(value) => return value,
            Field::Malformed(_) => self.add(path, fault),
            Field::Absent => {}
        }
        default
    }

    /// Returns a value that has no default.
    fn demand<T>(&mut self, path: &str, field: Field<T>, fault: &'static str) -> Option<T> {
        match field {
            Field::Read(value) => return Some(value),
            Field::Malformed(_) => self.add(path, fault),
            Field::Absent => self.add(path, MISSING),
        }
        None
    }

    fn grace(&mut self, grace: GraceText) -> Option<GraceSettings> {
        self.unknown("past_due_grace.", grace.unknown);
        let seconds = self.demand("past_due_grace.seconds", grace.seconds, SECONDS);
        let mode = self.demand("past_due_grace.mode", grace.mode, GRACE_MODE);

        seconds
            .zip(mode)
            .map(|(seconds, mode)| GraceSettings { seconds, mode })
    }

    fn credit(&mut self, credit: CreditText) -> CreditPolicy {
        self.unknown("credit.", credit.unknown);
        let strict = CreditPolicy::default();

        CreditPolicy {
            max_open_holds: self.read(
                "credit.max_open_holds",
                credit.max_open_holds,
                OPEN_HOLDS,
                strict.max_open_holds,
            ),

            overage: self.read("credit.overage", credit.overage, OVERAGE, strict.overage),

            late_settle: self.read(
                "credit.late_settle",
                credit.late_settle,
                LATE_SETTLE,
                strict.late_settle,
            ),

            late_settle_seconds: self.read(
                "credit.late_settle_seconds",
                credit.late_settle_seconds,
                SECONDS,
                strict.late_settle_seconds,
            ),

            refund_life_seconds: self.read(
                "credit.refund_life_seconds",
                credit.refund_life_seconds,
                SECONDS,
                strict.refund_life_seconds,
            ),
        }
    }

    fn payment_methods(
        &mut self,
        methods: Field<Vec<Field<PaymentMethod>>>,
        default: BTreeSet<PaymentMethod>,
    ) -> BTreeSet<PaymentMethod> {
        let methods = match methods {
            Field::Read(methods) => methods,
            Field::Malformed(_) => {
                self.add("payment_methods", LIST);
                return default;
            }
            Field::Absent => return default,
        };

        let mut read = BTreeSet::new();
        for (place, method) in methods.into_iter().enumerate() {
            let path = format!("payment_methods.{place}");
            read.extend(self.demand(&path, method, PAYMENT_METHOD));
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
            let mode = self.demand(&path, mode, FAILURE_MODE);

            match ThrottleScope::new(&name) {
                Ok(scope) => read.extend(mode.map(|mode| (scope, mode))),
                Err(_) => self.add(path, THROTTLE_SCOPE),
            }
        }
        read
    }
}

impl<'de> Deserialize<'de> for PolicySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

impl From<Text> for PolicySettings {
    fn from(text: Text) -> Self {
        let mut faults = Faults::default();
        let strict = Self::default();

        // Faults are reported in the order in which the fields are read: unknown fields first.
        faults.unknown("", text.unknown);

        // Tables and lists are read in two steps, first as such and then what they hold.
        let grace = faults.read("past_due_grace", text.past_due_grace, TABLE, None);
        let payment_methods = faults.payment_methods(text.payment_methods, strict.payment_methods);
        let credit = faults.read("credit", text.credit, TABLE, CreditText::default());
        let modes = faults.read(
            "throttle_failure",
            text.throttle_failure,
            TABLE,
            BTreeMap::new(),
        );

        Self {
            development: faults.read("development", text.development, BOOLEAN, false),

            renewal_slack_seconds: faults.read(
                "renewal_slack_seconds",
                text.renewal_slack_seconds,
                SECONDS,
                strict.renewal_slack_seconds,
            ),

            past_due_grace: grace.and_then(|grace| faults.grace(grace)),

            payment_methods,

            overpayment: faults.read(
                "overpayment",
                text.overpayment,
                OVERPAYMENT,
                strict.overpayment,
            ),

            transfer_tolerance: faults.read(
                "transfer_tolerance",
                text.transfer_tolerance,
                MONEY,
                None,
            ),

            provider_discounts: faults.read(
                "provider_discounts",
                text.provider_discounts,
                BOOLEAN,
                strict.provider_discounts,
            ),

            top_up_credits: faults.read("top_up_credits", text.top_up_credits, CREDITS, None),

            bank_transfer_claims: faults.read(
                "bank_transfer_claims",
                text.bank_transfer_claims,
                BOOLEAN,
                strict.bank_transfer_claims,
            ),

            first_payment_seconds: faults.read(
                "first_payment_seconds",
                text.first_payment_seconds,
                SECONDS,
                strict.first_payment_seconds,
            ),

            dispute_seconds: faults.read(
                "dispute_seconds",
                text.dispute_seconds,
                SECONDS,
                strict.dispute_seconds,
            ),

            charge_validity_seconds: faults.read(
                "charge_validity_seconds",
                text.charge_validity_seconds,
                SECONDS,
                strict.charge_validity_seconds,
            ),

            upgrades: faults.read("upgrades", text.upgrades, UPGRADES, strict.upgrades),

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
                CREDITS,
                strict.registration_credits,
            ),

            credit: faults.credit(credit),
            throttle_failure: faults.throttle_failure(modes),
            throttle_bypass: faults.read("throttle_bypass", text.throttle_bypass, BOOLEAN, false),
            unread: faults.0,
        }
    }
}
