//! The policy's loader, in JSON and in TOML: what is wrong is all said at once, with its path.

use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::{
    AfterRetries, AfterTrial, CreditPolicy, FailureMode, GraceMode, GraceSettings, Overage,
    Overpayment, PolicyError, PolicySettings, Upgrades,
};
use bailiwick::quota::ThrottleScope;
use bailiwick::{Code, Credits, Policy, Problem, throttle_scope};
use proptest::prelude::*;
use serde_json::{Value, json};

const AI: ThrottleScope = throttle_scope!("ai");
const LOGIN: ThrottleScope = throttle_scope!("login");

fn from_json(text: &str) -> Result<Policy, PolicyError> {
    Policy::load(serde_json::from_str(text).unwrap())
}

fn from_toml(text: &str) -> Result<Policy, PolicyError> {
    Policy::load(toml::from_str(text).unwrap())
}

/// The paths that loading complains of.
fn paths(loaded: Result<Policy, PolicyError>) -> Vec<String> {
    loaded
        .err()
        .map(|error| error.faults().map(|(path, _)| path.to_owned()).collect())
        .unwrap_or_default()
}

const SOUND_JSON: &str = r#"{
    "development": true,
    "renewal_slack_seconds": 3600,
    "past_due_grace": { "seconds": 604800, "mode": "read_only" },
    "payment_methods": ["stripe", "bank_transfer"],
    "overpayment": "next_periods",
    "transfer_tolerance": { "amount": "1.00", "currency": "EUR" },
    "provider_discounts": true,
    "top_up_credits": 7,
    "bank_transfer_claims": false,
    "first_payment_seconds": 86400,
    "charge_validity_seconds": 604800,
    "upgrades": "at_once",
    "after_trial": "invoice",
    "after_grace": "cancel",
    "registration_credits": "2.5",
    "credit": { "max_open_holds": 16, "overage": { "debt": 10 } },
    "throttle_failure": { "ai": "open", "login": "closed" },
    "throttle_bypass": true
}"#;

const SOUND_TOML: &str = r#"
    development = true
    renewal_slack_seconds = 3600
    payment_methods = ["stripe", "bank_transfer"]
    overpayment = "next_periods"
    transfer_tolerance = { amount = "1.00", currency = "EUR" }
    provider_discounts = true
    top_up_credits = 7
    bank_transfer_claims = false
    first_payment_seconds = 86400
    charge_validity_seconds = 604800
    upgrades = "at_once"
    after_trial = "invoice"
    after_grace = "cancel"
    registration_credits = "2.5"
    throttle_bypass = true
    past_due_grace = { seconds = 604800, mode = "read_only" }

    [credit]
    max_open_holds = 16
    overage = { debt = 10 }

    [throttle_failure]
    ai = "open"
    login = "closed"
"#;

const WRONG_JSON: &str = r#"{
    "lenient": { "any": ["thing"] },
    "development": "yes",
    "renewal_slack_seconds": -1,
    "past_due_grace": { "seconds": 1.5, "mode": "lenient", "extra": 1 },
    "payment_methods": ["stripe", "cheque", 3],
    "overpayment": "keep",
    "transfer_tolerance": 1,
    "provider_discounts": "some",
    "top_up_credits": 0.5,
    "bank_transfer_claims": 0,
    "first_payment_seconds": "soon",
    "charge_validity_seconds": "long",
    "upgrades": "some day",
    "after_trial": "ask",
    "after_grace": 1,
    "registration_credits": "-1",
    "credit": { "max_open_holds": 70000, "overage": "ask", "max_open_hold": 1 },
    "throttle_failure": { "ai": "ajar", "No Scope": "open" },
    "throttle_bypass": 1
}"#;

const WRONG_TOML: &str = r#"
    development = "yes"
    renewal_slack_seconds = -1
    payment_methods = ["stripe", "cheque", 3]
    overpayment = "keep"
    transfer_tolerance = 1
    provider_discounts = "some"
    top_up_credits = 0.5
    bank_transfer_claims = 0
    first_payment_seconds = "soon"
    charge_validity_seconds = "long"
    upgrades = "some day"
    after_trial = "ask"
    after_grace = 1
    registration_credits = "-1"
    throttle_bypass = 1
    lenient = { any = ["thing"] }

    [past_due_grace]
    seconds = 1.5
    mode = "lenient"
    extra = 1

    [credit]
    max_open_holds = 70000
    overage = "ask"
    max_open_hold = 1

    [throttle_failure]
    ai = "ajar"
    "No Scope" = "open"
"#;

#[test]
fn both_formats_say_the_same() {
    let policy = from_json(SOUND_JSON).unwrap();
    assert_eq!(from_toml(SOUND_TOML).unwrap(), policy);
    let settings: PolicySettings = toml::from_str(SOUND_TOML).unwrap();
    assert_eq!(
        settings.past_due_grace,
        Some(GraceSettings {
            seconds: 604_800,
            mode: GraceMode::ReadOnly
        })
    );
    assert_eq!(
        settings.registration_credits,
        Credits::from_micros(2_500_000).unwrap()
    );
    let overage = Overage::Debt(Credits::whole(10));
    assert_eq!(
        settings.credit,
        CreditPolicy {
            max_open_holds: 16,
            overage,
            ..CreditPolicy::default()
        }
    );
    assert_eq!(policy.renewal_slack().num_seconds(), 3600);
    assert!(policy.is_enabled(PaymentMethod::Stripe) && !policy.is_enabled(PaymentMethod::Paypal));
    assert_eq!(
        (policy.first_payment().num_seconds(), policy.takes_claims()),
        (86_400, false)
    );
    assert_eq!(
        (policy.after_trial(), policy.after_grace()),
        (AfterTrial::Invoice, AfterRetries::Cancel)
    );
    assert_eq!(
        (settings.overpayment, settings.provider_discounts),
        (Overpayment::NextPeriods, true)
    );
    assert_eq!(settings.top_up_credits, Some(Credits::whole(7)));
    let tolerance = settings.transfer_tolerance.unwrap();
    assert_eq!(tolerance.to_string(), "1 EUR");
    let none = r#"{ "transfer_tolerance": { "amount": "0", "currency": "EUR" } }"#;
    assert_eq!(paths(from_json(none)), ["transfer_tolerance"]);
    let default = Policy::default();
    assert_eq!(
        (default.first_payment().num_days(), default.takes_claims()),
        (30, true)
    );
    for seconds in ["0", "31622401"] {
        let loaded = from_json(&format!(r#"{{ "first_payment_seconds": {seconds} }}"#));
        assert_eq!(paths(loaded), ["first_payment_seconds"]);
    }

    assert_eq!(
        (policy.charge_validity().num_days(), policy.upgrades()),
        (7, Upgrades::AtOnce)
    );
    assert_eq!(
        (default.charge_validity().num_days(), default.upgrades()),
        (14, Upgrades::PaidFirst)
    );
    for seconds in ["0", "31622401"] {
        let loaded = from_json(&format!(r#"{{ "charge_validity_seconds": {seconds} }}"#));
        assert_eq!(paths(loaded), ["charge_validity_seconds"]);
    }

    for text in ["", "[credit]", "[throttle_failure]"] {
        assert_eq!(from_toml(text).unwrap(), Policy::default(), "{text:?}");
    }
    let null_grace = from_json(r#"{ "past_due_grace": null }"#).unwrap();
    assert_eq!(null_grace, Policy::default());
}

/// What is written down can be read again, in both formats.
#[test]
fn settings_survive_being_written() {
    for text in ["{}", SOUND_JSON] {
        let policy = from_json(text).unwrap();
        let settings: PolicySettings = serde_json::from_str(text).unwrap();
        assert_eq!(
            from_json(&serde_json::to_string(&settings).unwrap()).unwrap(),
            policy
        );
        assert_eq!(
            from_toml(&toml::to_string(&settings).unwrap()).unwrap(),
            policy
        );
    }
}

#[test]
fn every_fault_is_named_by_its_path_in_both_formats() {
    let expected = [
        "lenient",
        "development",
        "renewal_slack_seconds",
        "past_due_grace.extra",
        "past_due_grace.seconds",
        "past_due_grace.mode",
        "payment_methods.1",
        "payment_methods.2",
        "overpayment",
        "transfer_tolerance",
        "provider_discounts",
        "top_up_credits",
        "bank_transfer_claims",
        "first_payment_seconds",
        "charge_validity_seconds",
        "upgrades",
        "after_trial",
        "after_grace",
        "registration_credits",
        "credit.max_open_hold",
        "credit.max_open_holds",
        "credit.overage",
        "throttle_failure.No Scope",
        "throttle_failure.ai",
        "throttle_bypass",
    ];
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    for loaded in [from_json(WRONG_JSON), from_toml(WRONG_TOML)] {
        let mut named = paths(loaded);
        named.sort();
        assert_eq!(named, expected);
    }
    let problem = Problem::from(from_json(WRONG_JSON).unwrap_err());
    assert_eq!(
        (problem.code(), problem.status()),
        (Code::InputInvalid, 400)
    );
    assert!(
        problem
            .detail()
            .contains("past_due_grace.mode: must be `full` or `read_only`"),
        "{}",
        problem.detail()
    );
}

/// A table that is no table, a list that is none, and what a table lacks.
#[test]
fn tables_and_lists_are_checked_as_such() {
    for (text, expected) in [
        (json!({ "past_due_grace": 7 }), vec!["past_due_grace"]),
        (json!({ "past_due_grace": [] }), vec!["past_due_grace"]),
        (
            json!({ "past_due_grace": {} }),
            vec!["past_due_grace.seconds", "past_due_grace.mode"],
        ),
        (
            json!({ "past_due_grace": { "mode": "full" } }),
            vec!["past_due_grace.seconds"],
        ),
        (json!({ "credit": null }), vec!["credit"]),
        (
            json!({ "credit": { "overage": { "debt": "-1" } } }),
            vec!["credit.overage"],
        ),
        (
            json!({ "payment_methods": "stripe" }),
            vec!["payment_methods"],
        ),
        (json!({ "payment_methods": [] }), vec!["payment_methods"]),
        (
            json!({ "throttle_failure": ["ai"] }),
            vec!["throttle_failure"],
        ),
        (json!({ "development": null }), vec!["development"]),
    ] {
        assert_eq!(paths(from_json(&text.to_string())), expected, "{text}");
    }
    assert!(
        serde_json::from_str::<PolicySettings>("[]").is_err(),
        "a policy is a table"
    );
}

/// What is out of bounds and what is of the wrong form are said together.
#[test]
fn bounds_and_forms_are_reported_together() {
    let text = json!({
        "renewal_slack_seconds": 366 * 86_400 + 1, "credit": { "max_open_holds": 0, "x": 1 }, "throttle_bypass": true,
    });
    let named = paths(from_json(&text.to_string()));
    assert_eq!(
        named,
        [
            "credit.x",
            "renewal_slack_seconds",
            "credit.max_open_holds",
            "throttle_bypass"
        ]
    );
}

#[test]
fn a_throttle_scope_fails_closed_unless_it_says_otherwise() {
    let policy = from_json(SOUND_JSON).unwrap();
    assert_eq!(policy.failure_mode(AI), FailureMode::Open);
    assert_eq!(policy.failure_mode(LOGIN), FailureMode::Closed);
    assert_eq!(
        policy.failure_mode(throttle_scope!("api")),
        FailureMode::Closed
    );
    assert_eq!(Policy::default().failure_mode(AI), FailureMode::Closed);
}

proptest! {
    /// One malformed field among sound ones is one fault, with its path, whichever it is and
    /// whatever it holds.
    #[test]
    fn a_wrong_field_is_one_fault(place in 0..8_usize, wrong in prop::sample::select(vec![json!([[]]), json!(-3), json!(1e300)])) {
        let mut text: Value = serde_json::from_str(SOUND_JSON).unwrap();
        let fields = ["development", "renewal_slack_seconds", "past_due_grace", "payment_methods", "registration_credits",
            "credit", "throttle_failure", "throttle_bypass"];
        text[fields[place]] = wrong;
        let named = paths(from_json(&text.to_string()));
        // A bypass demands development, and a list of no payment method enables none.
        prop_assert!(named.iter().any(|path| path.starts_with(fields[place])), "{:?}", named);
        let others: Vec<&String> = named.iter().filter(|path| !path.starts_with(fields[place])).collect();
        prop_assert!(others.is_empty() || (place == 0 && others == ["throttle_bypass"]), "{:?}", named);
    }
}
