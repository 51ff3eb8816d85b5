//! The ground floor: identifiers, amounts, quotas, the policy's loader, and problems.

use bailiwick::gate::{CredentialFailure, Denial};
use bailiwick::id::IdError;
use bailiwick::money::{AmountError, Currency};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::PolicySettings;
use bailiwick::problem::Explained;
use bailiwick::quota::{QuotaError, QuotaSet, ThrottleScope};
use bailiwick::{AccountId, Code, Credits, Money, Policy, Problem, Quota, SiteId, throttle_scope};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Texts of every sort that an identifier may be sent as, sound and unsound.
fn id_texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|integer| integer.to_string()),
        "[-+]?0{0,2}[0-9]{1,21}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        "[!-~]{1,66}",
        "\\PC{0,9}",
    ]
}

proptest! {
    /// A text is an identifier exactly when the rule says so, and comes back unchanged from display
    /// and JSON.
    #[test]
    fn ids_and_texts_are_a_bijection(text in id_texts(), other in id_texts()) {
        let sound = (1..=64).contains(&text.len()) && text.bytes().all(|b| (33..=126).contains(&b) && b != b'{' && b != b'}');
        let id = text.parse::<AccountId>();
        prop_assert_eq!(id.is_ok(), sound);
        let Ok(id) = id else { return Ok(()) };
        prop_assert_eq!(id.to_string(), text.as_str());

        let integer = text.parse::<i64>().ok().filter(|integer| integer.to_string() == text);
        prop_assert_eq!(id.as_integer(), integer, "an integer exactly when it is written as one");
        let written = serde_json::to_value(&id).unwrap();
        prop_assert_eq!(&written, &integer.map_or(json!(text), |integer| json!(integer)));
        prop_assert_eq!(&serde_json::from_value::<AccountId>(written).unwrap(), &id);
        prop_assert_eq!(&serde_json::from_value::<AccountId>(json!(text)).unwrap(), &id);
        if let Ok(other_id) = other.parse::<AccountId>() {
            prop_assert_eq!(id == other_id, text == other);
        }
    }

    #[test]
    fn integers_are_ids(integer in any::<i64>()) {
        let id = AccountId::from(integer);
        prop_assert_eq!(id.as_integer(), Some(integer));
        prop_assert_eq!(&integer.to_string().parse::<AccountId>().unwrap(), &id);
        prop_assert_eq!(&serde_json::from_value::<AccountId>(json!(integer)).unwrap(), &id);
    }

    /// Micro-credits survive text, JSON and decimal; and keep their order.
    #[test]
    fn c11_amounts_are_exact(micros in amounts(), other in amounts()) {
        let credits = Credits::from_micros(micros).unwrap();
        prop_assert_eq!(credits.micros(), micros);
        prop_assert_eq!(credits.to_string().parse::<Credits>(), Ok(credits));
        prop_assert_eq!(Credits::try_from(credits.to_decimal()), Ok(credits));
        let written = serde_json::to_value(credits).unwrap();
        prop_assert!(written.is_string(), "no float can come of it");
        prop_assert_eq!(serde_json::from_value::<Credits>(written).unwrap(), credits);
        prop_assert_eq!(Credits::from_micros(other).unwrap().cmp(&credits), other.cmp(&micros));
    }

    /// A decimal is an amount exactly when it is not negative, not too precise and not too large;
    /// nothing is rounded.
    #[test]
    fn c11_decimals_are_refused_never_rounded(
        mantissa in prop_oneof![any::<i64>().prop_map(i128::from), -3..1_000_000_i128, Just(10_i128.pow(18)), Just(10_i128.pow(18) + 1)],
        zeros in 0..9_u32, scale in 0..=15_u32,
    ) {
        let mantissa = mantissa * 10_i128.pow(zeros);
        let Ok(decimal) = Decimal::try_from_i128_with_scale(mantissa, scale) else { return Ok(()) };
        for places in [4, 6] {
            // The amount in its smallest unit, if it is a whole number of them.
            let (numerator, denominator) = (mantissa * 10_i128.pow(places), 10_i128.pow(scale));
            let expected = if mantissa < 0 {
                Err(AmountError::Negative)
            } else if numerator % denominator != 0 {
                Err(AmountError::TooPrecise { places })
            } else if numerator / denominator > 10_i128.pow(12 + places) {
                Err(AmountError::TooLarge)
            } else {
                Ok(numerator / denominator)
            };
            if places == 6 {
                prop_assert_eq!(Credits::try_from(decimal).map(|credits| i128::from(credits.micros())), expected);
                prop_assert_eq!(decimal.to_string().parse::<Credits>(), Credits::try_from(decimal));
            } else {
                let money = Money::new(decimal, Currency::EUR);
                prop_assert_eq!(money.map(|money| money.amount() * Decimal::from(10_000)), expected.map(Decimal::from));
            }
        }
    }

    #[test]
    fn currencies_are_three_capitals(text in prop_oneof!["[A-Z]{2,4}", "[A-Za-z]{3}", "\\PC{0,4}"]) {
        let sound = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        let currency = text.parse::<Currency>();
        prop_assert_eq!(&currency.map(|currency| currency.to_string()), &if sound { Ok(text.clone()) } else { Err(AmountError::Currency) });
        prop_assert_eq!(serde_json::from_value::<Currency>(json!(text)).ok(), currency.ok());
    }

    /// Quotas against the same sums in wider integers.
    #[test]
    fn quotas_are_checked(
        cells in prop_oneof![0..100_u32, any::<u32>()], seconds in prop_oneof![0..100_u32, any::<u32>()],
        burst in prop_oneof![0..100_u32, any::<u32>()],
    ) {
        let (n, period, b) = (i128::from(cells), i128::from(seconds) * 1_000_000_000, i128::from(burst));
        let longest = 400 * 86_400 * 1_000_000_000_i128;
        let whole = Quota::new(cells, seconds);
        if n == 0 || period == 0 {
            prop_assert_eq!(whole, Err(QuotaError::Zero));
        } else if n > period {
            prop_assert_eq!(whole, Err(QuotaError::TooFast));
        } else {
            let interval = (period + n - 1) / n;
            prop_assert_eq!(whole.is_ok(), interval * n <= longest, "{:?}", whole);
            let Ok(whole) = whole else { return Ok(()) };
            let quota = whole.with_burst(burst);
            let expected = if b == 0 { Err(QuotaError::Zero) } else { Ok(()) };
            let expected = if interval * b > longest { Err(QuotaError::TooSlow) } else { expected };
            prop_assert_eq!(quota.map(drop), expected);
            let Ok(quota) = quota else { return Ok(()) };
            prop_assert_eq!((quota.cells(), quota.seconds(), quota.burst()), (cells, seconds, burst));
            prop_assert_eq!(i128::from(quota.interval_nanos()), interval);
            prop_assert_eq!(i128::from(quota.window_nanos()), interval * b);
            let written = serde_json::to_value(quota).unwrap();
            prop_assert_eq!(serde_json::from_value::<Quota>(written).unwrap(), quota);
        }
    }

    #[test]
    fn quota_sets_are_few_and_distinct(periods in prop::collection::vec(1..8_u32, 0..7)) {
        let quotas: Vec<Quota> = periods.iter().map(|period| Quota::new(1, *period).unwrap()).collect();
        let distinct: BTreeSet<u32> = periods.iter().copied().collect();
        let sound = (1..=QuotaSet::MAX).contains(&periods.len()) && distinct.len() == periods.len();
        let set = QuotaSet::try_from(quotas);
        prop_assert_eq!(set.is_ok(), sound);
        if let Ok(set) = set {
            prop_assert!(set.as_slice().iter().map(Quota::seconds).eq(distinct), "by ascending period");
            prop_assert_eq!(serde_json::from_value::<QuotaSet>(serde_json::to_value(&set).unwrap()).unwrap(), set);
        }
    }

    #[test]
    fn throttle_scopes_are_short_names(name in prop_oneof!["[a-z0-9_-]{0,34}", "[ -~]{1,5}", "\\PC{0,4}"]) {
        let sound = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        let scope = ThrottleScope::new(&name);
        prop_assert_eq!(scope.is_ok(), sound);
        prop_assert_eq!(serde_json::from_value::<ThrottleScope>(json!(name)).ok(), scope.ok());
        if let Ok(scope) = scope {
            prop_assert_eq!(scope.as_str(), name.as_str());
            prop_assert_eq!(serde_json::to_value(scope).unwrap(), json!(name));
        }
    }

    /// Whatever an error says, its problem has the status of its code; what a fault of the host's
    /// says stays inside.
    #[test]
    fn a1_errors_become_problems_of_their_code(code in select(Code::ALL), message in "[a-z][ -~]{20,30}[a-z]") {
        let problem = Problem::from(Fault { code, message: message.clone() });
        let body = serde_json::to_value(&problem).unwrap();
        prop_assert_eq!((problem.code(), problem.status()), (code, code.status()));
        prop_assert_eq!(&body["status"], code.status());
        prop_assert_eq!(&body["type"], code.problem_type());
        prop_assert_eq!(&body["title"], code.title());
        prop_assert_eq!(&body["remedy"], code.remedy());
        prop_assert_eq!(problem.headers(), [("Retry-After", "1".to_owned())], "decorated all the same");
        if code.status() == 500 {
            let whole = format!("{problem:?}{body}");
            prop_assert!(!whole.contains(&message[1..]), "{}", whole);
        } else {
            let (capital, rest) = message.split_at(1);
            prop_assert_eq!(problem.detail(), format!("{}{rest}.", capital.to_uppercase()), "a sentence");
        }
    }
}

fn amounts() -> impl Strategy<Value = i64> {
    let most = 1_000_000_000_000_000_000_i64;
    prop_oneof![0..=most, 0..3_000_000_i64, most - 3..=most]
}

#[derive(Debug)]
struct Fault {
    code: Code,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Explained for Fault {
    fn code(&self) -> Code {
        self.code
    }

    fn decorate(&self, problem: Problem) -> Problem {
        problem.with_header("Retry-After", "1")
    }
}

#[test]
fn ids_have_one_form_for_each_thing() {
    let seven = AccountId::from(7);
    assert_eq!(serde_json::from_str::<AccountId>("7").unwrap(), seven);
    assert_eq!(serde_json::from_str::<AccountId>(r#""7""#).unwrap(), seven);
    assert_eq!("7".parse::<AccountId>().unwrap(), seven);
    let by_account: BTreeMap<AccountId, u8> = serde_json::from_str(r#"{ "7": 1 }"#).unwrap();
    assert_eq!(
        by_account,
        BTreeMap::from([(seven, 1)]),
        "as a key of a JSON object too"
    );

    for text in [
        "07",
        "+7",
        "-0",
        "7.0",
        "9223372036854775808",
        "-9223372036854775809",
        "0x7",
        "-",
    ] {
        let id: SiteId = text.parse().unwrap();
        assert_eq!(id.as_integer(), None, "{text} is a text");
        assert_eq!(serde_json::to_value(&id).unwrap(), json!(text));
    }
    for number in [
        "7.0",
        "7e0",
        "-0.0",
        "9223372036854775808",
        "-9223372036854775809",
        "1e400",
    ] {
        assert!(
            serde_json::from_str::<SiteId>(number).is_err(),
            "{number} is no identifier as a JSON number"
        );
    }
    for other in ["null", "true", "[7]", r#"{"id":7}"#] {
        assert!(serde_json::from_str::<SiteId>(other).is_err(), "{other}");
    }
}

#[test]
fn ids_of_upper_case_uuids_are_texts() {
    let lower: AccountId = "00c0ffee-0000-4000-8000-00000000abcd".parse().unwrap();
    let upper: AccountId = "00C0FFEE-0000-4000-8000-00000000ABCD".parse().unwrap();
    assert_ne!(lower, upper);
    assert_eq!(upper.to_string(), "00C0FFEE-0000-4000-8000-00000000ABCD");
    #[cfg(feature = "uuid")]
    assert_eq!(
        lower,
        AccountId::from(uuid::uuid!("00c0ffee-0000-4000-8000-00000000abcd"))
    );
}

#[test]
fn ids_have_limits() {
    assert_eq!("".parse::<AccountId>(), Err(IdError::Empty));
    assert!("x".repeat(64).parse::<AccountId>().is_ok());
    assert_eq!("x".repeat(65).parse::<AccountId>(), Err(IdError::TooLong));
    for character in (0..=0x2ff_u32).filter_map(char::from_u32) {
        let allowed = character.is_ascii_graphic() && !"{}".contains(character);
        let id = format!("a{character}b").parse::<AccountId>();
        assert_eq!(id.is_ok(), allowed, "{character:?} gave {id:?}");
    }
}

#[test]
fn c11_amounts_come_as_plain_decimals() {
    for text in [
        "0",
        "0.000001",
        "12.5",
        "007.50",
        "1000000000000",
        "1000000000000.000000",
        "-0",
        "-0.00",
    ] {
        let credits: Credits = text.parse().unwrap();
        assert_eq!(
            serde_json::from_value::<Credits>(json!(text)).unwrap(),
            credits
        );
    }
    let garbled = [
        "", " ", "-", ".", ".5", "5.", "+5", "1_000", "1,5", "1e3", "0x1", "--1", "1.2.3", " 1",
        "1 ", "NaN", "inf", "\u{661}",
    ];
    for text in garbled {
        assert_eq!(
            text.parse::<Credits>(),
            Err(AmountError::NotANumber),
            "{text:?}"
        );
        assert!(serde_json::from_value::<Credits>(json!(text)).is_err());
    }
    for json in [
        "1.5",
        "1.0",
        "1e3",
        "0.1",
        "-0.0",
        "-1",
        "1000000000001",
        "18446744073709551616",
        "null",
        "true",
        "[1]",
    ] {
        assert!(
            serde_json::from_str::<Credits>(json).is_err(),
            "{json} as JSON"
        );
    }
    assert_eq!(
        serde_json::from_str::<Credits>("12").unwrap(),
        Credits::whole(12)
    );
    assert_eq!(Credits::whole(u32::MAX).micros(), 4_294_967_295_000_000);
    assert_eq!(Credits::from_micros(-1), Err(AmountError::Negative));
    assert_eq!(
        Credits::from_micros(1_000_000_000_000_000_001),
        Err(AmountError::TooLarge)
    );
}

#[test]
fn c11_money_has_four_places_and_one_look() {
    let money = |text: &str| Money::new(text.parse().unwrap(), Currency::EUR);
    assert_eq!(money("49.00").unwrap(), money("49").unwrap());
    assert_eq!(money("-0").unwrap(), money("0.0000").unwrap());
    assert_eq!(money("49.1230").unwrap().to_string(), "49.123 EUR");
    assert_eq!(money("0.12345"), Err(AmountError::TooPrecise { places: 4 }));
    assert_eq!(money("1000000000000.0001"), Err(AmountError::TooLarge));
    assert_eq!(money("-0.01"), Err(AmountError::Negative));
    let written = json!({ "amount": "49.5", "currency": "USD" });
    let read: Money = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(
        (read.amount().to_string(), read.currency()),
        ("49.5".to_owned(), Currency::USD)
    );
    assert_eq!(serde_json::to_value(read).unwrap(), written);
    for wrong in [
        json!({ "amount": 49.5, "currency": "USD" }),
        json!({ "amount": "49.5", "currency": "usd" }),
        json!({ "amount": "49.5" }),
        json!({ "amount": "49.5", "currency": "USD", "scale": 2 }),
    ] {
        assert!(
            serde_json::from_value::<Money>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn quotas_have_bounds() {
    assert!(Quota::new(1, 34_560_000).is_ok(), "one in 400 days");
    assert_eq!(Quota::new(1, 34_560_001), Err(QuotaError::TooSlow));
    assert!(Quota::new(1_000_000_000, 1).is_ok(), "one in a nanosecond");
    assert_eq!(Quota::new(1_000_000_001, 1), Err(QuotaError::TooFast));
}

#[test]
fn quotas_are_written_down_in_full() {
    let quota: Quota = serde_json::from_value(json!({ "cells": 60, "seconds": 60 })).unwrap();
    assert_eq!(
        quota,
        Quota::new(60, 60).unwrap(),
        "without a burst, all may come at once"
    );
    for wrong in [
        json!({ "cells": 60 }),
        json!({ "cells": 0, "seconds": 60 }),
        json!({ "cells": -1, "seconds": 60 }),
        json!({ "cells": 60, "seconds": 60, "burts": 1 }),
    ] {
        assert!(
            serde_json::from_value::<Quota>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
    const API: ThrottleScope = throttle_scope!("api");
    assert_eq!(API, ThrottleScope::new("api").unwrap());
}

#[test]
fn policy_is_strict_by_default() {
    let policy = Policy::default();
    assert_eq!(Policy::load(PolicySettings::default()).unwrap(), policy);
    assert_eq!(
        Policy::load(serde_json::from_str("{}").unwrap()).unwrap(),
        policy
    );
    assert_eq!(
        PaymentMethod::ALL.map(|method| policy.is_enabled(method)),
        [false, false, true]
    );
    assert!(policy.bypass_throttle("a reason").is_none());

    let written = serde_json::to_value(PolicySettings::default()).unwrap();
    assert_eq!(
        Policy::load(serde_json::from_value(written).unwrap()).unwrap(),
        policy
    );
}

#[test]
fn policy_enables_each_method_by_name() {
    for method in PaymentMethod::ALL {
        let settings =
            serde_json::from_value(json!({ "payment_methods": [method.as_str()] })).unwrap();
        let policy = Policy::load(settings).unwrap();
        assert!(
            PaymentMethod::ALL
                .into_iter()
                .all(|other| policy.is_enabled(other) == (other == method))
        );
    }
}

/// The fields that loading complains of.
fn faults(settings: Value) -> Vec<String> {
    let loaded = Policy::load(serde_json::from_value(settings).unwrap());
    loaded
        .err()
        .map(|error| error.faults().map(|(field, _)| field.to_owned()).collect())
        .unwrap_or_default()
}

#[test]
fn policy_reports_all_its_faults_at_once() {
    let all_wrong = json!({
        "renewal_slack_seconds": 366 * 86_400 + 1,
        "past_due_grace": { "seconds": 0, "mode": "full" },
        "payment_methods": [],
        "credit": { "max_open_holds": 0 },
        "throttle_bypass": true,
        "lenient": true,
        "anonymous_on_failure": { "any": ["thing"] },
    });
    let named = [
        "anonymous_on_failure",
        "lenient",
        "renewal_slack_seconds",
        "past_due_grace.seconds",
        "payment_methods",
        "credit.max_open_holds",
        "throttle_bypass",
    ];
    assert_eq!(faults(all_wrong.clone()), named);
    let error = Policy::load(serde_json::from_value(all_wrong).unwrap()).unwrap_err();
    assert!(
        named.iter().all(|field| error.to_string().contains(field)),
        "{error}"
    );
}

#[test]
fn policy_numbers_have_bounds() {
    let year = 366 * 86_400_u64;
    let grace =
        |seconds: u64| json!({ "past_due_grace": { "seconds": seconds, "mode": "read_only" } });
    for (settings, sound) in [
        (json!({ "renewal_slack_seconds": year }), true),
        (json!({ "renewal_slack_seconds": year + 1 }), false),
        (json!({ "renewal_slack_seconds": u64::MAX }), false),
        (grace(1), true),
        (grace(year), true),
        (grace(0), false),
        (grace(year + 1), false),
        (json!({ "credit": { "max_open_holds": 1 } }), true),
        (json!({ "credit": { "max_open_holds": 4096 } }), true),
        (json!({ "credit": { "max_open_holds": 0 } }), false),
        (json!({ "credit": { "max_open_holds": 4097 } }), false),
    ] {
        assert_eq!(faults(settings.clone()).is_empty(), sound, "{settings}");
    }
    for garbled in [
        json!({ "past_due_grace": { "seconds": 1, "mode": "full", "extra": 1 } }),
        json!({ "credit": { "max_open_hold": 1 } }),
        json!({ "past_due_grace": { "seconds": 1, "mode": "lenient" } }),
        json!({ "payment_methods": ["cheque"] }),
        json!({ "renewal_slack_seconds": -1 }),
        json!({ "renewal_slack_seconds": 1.5 }),
    ] {
        assert_eq!(faults(garbled.clone()).len(), 1, "{garbled}");
    }
}

#[test]
fn policy_allows_a_bypass_in_development_only() {
    let policy = |development: bool, throttle_bypass: bool| {
        let settings = json!({ "development": development, "throttle_bypass": throttle_bypass });
        Policy::load(serde_json::from_value(settings).unwrap())
    };
    assert!(policy(false, true).is_err());
    assert!(
        policy(true, false)
            .unwrap()
            .bypass_throttle("load test")
            .is_none()
    );
    let policy = policy(true, true).unwrap();
    assert_eq!(
        policy.bypass_throttle("load test").unwrap().reason(),
        "load test"
    );
    assert!(
        policy.bypass_throttle(" \t").is_none(),
        "a reason is recorded, so there must be one"
    );
}

/// Every code with its status. A released code keeps both: lines may be added here, never changed
/// or removed.
const FROZEN: &[(&str, u16)] = &[
    ("input_invalid", 400),
    ("id_invalid", 400),
    ("cursor_invalid", 400),
    ("id_kind_mismatch", 400),
    ("amount_invalid", 400),
    ("idempotency_key_invalid", 400),
    ("nothing_to_set", 400),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("payload_too_large", 413),
    ("media_type_unsupported", 415),
    ("credential_missing", 401),
    ("credential_rejected", 401),
    ("privilege_missing", 403),
    ("account_missing", 403),
    ("account_mismatch", 403),
    ("account_suspended", 403),
    ("account_closed", 403),
    ("account_status_unknown", 403),
    ("payment_pending", 402),
    ("plan_missing", 402),
    ("plan_inactive", 402),
    ("subscription_missing", 402),
    ("plan_mismatch", 402),
    ("subscription_incomplete", 402),
    ("subscription_incomplete_expired", 402),
    ("subscription_unpaid", 402),
    ("subscription_paused", 402),
    ("subscription_canceled", 402),
    ("subscription_status_unknown", 402),
    ("trial_ended", 402),
    ("period_ended", 402),
    ("payment_past_due", 402),
    ("site_not_in_account", 403),
    ("access_expired", 403),
    ("route_mismatch", 403),
    ("account_wide_forbidden", 403),
    ("quota_exceeded", 429),
    ("too_many_at_once", 429),
    ("cost_exceeds_burst", 422),
    ("quota_missing", 403),
    ("throttle_full", 503),
    ("credits_insufficient", 402),
    ("cost_exceeds_hold", 402),
    ("idempotency_key_reused", 422),
    ("request_in_progress", 409),
    ("hold_expired", 409),
    ("less_than_drawn", 409),
    ("refund_invalid", 422),
    ("hold_released", 409),
    ("hold_settled", 409),
    ("hold_time_invalid", 422),
    ("too_many_holds", 409),
    ("grant_invalid", 422),
    ("too_many_grants", 409),
    ("amount_overflow", 422),
    ("operation_unknown", 400),
    ("hold_superseded", 409),
    ("transition_refused", 409),
    ("payment_method_coming_soon", 422),
    ("own_account", 403),
    ("transfer_conflict", 409),
    ("transfer_invalid", 422),
    ("claim_conflict", 409),
    ("signature_invalid", 401),
    ("provider_event_invalid", 422),
    ("provider_mismatch", 409),
    ("payment_unplaced", 409),
    ("payment_conflict", 409),
    ("currency_mismatch", 422),
    ("already_registered", 409),
    ("paid_time_invalid", 422),
    ("invitation_invalid", 403),
    ("registration_invalid", 422),
    ("trial_used", 409),
    ("charge_refused", 409),
    ("charge_conflict", 409),
    ("transfer_similar", 409),
    ("retraction_refused", 409),
    ("wallet_mismatch", 500),
    ("upstream_unavailable", 503),
    ("internal", 500),
];

#[test]
fn a1_codes_are_frozen() {
    let codes: Vec<(&str, u16)> = Code::ALL
        .iter()
        .map(|code| (code.as_str(), code.status()))
        .collect();
    assert_eq!(codes, FROZEN);
    let distinct: BTreeSet<&str> = FROZEN.iter().map(|(code, _)| *code).collect();
    assert_eq!(distinct.len(), FROZEN.len());
    let types: BTreeSet<&str> = Code::ALL.iter().map(|code| code.problem_type()).collect();
    assert_eq!(
        types.len(),
        FROZEN.len(),
        "each has a problem type of its own"
    );
}

#[test]
fn a1_a_problem_is_an_rfc_9457_body() {
    for code in Code::ALL {
        let problem = Problem::new(*code, "What happened.");
        let expected = json!({
            "type": code.problem_type(),
            "title": code.title(),
            "status": problem.status(),
            "detail": "What happened.",
            "code": code.as_str(),
            "remedy": code.remedy(),
        });
        assert_eq!(serde_json::to_value(&problem).unwrap(), expected);
        assert!((400..600).contains(&problem.status()));
        assert!(
            code.remedy().ends_with('.')
                && !code.title().is_empty()
                && !code.title().ends_with('.')
        );
    }
    let named = Problem::new(Code::QuotaExceeded, "")
        .with_violated_policy("api-60")
        .with_violated_policy("api-86400");
    let body = serde_json::to_value(named).unwrap();
    assert_eq!(body["violated-policies"], json!(["api-60", "api-86400"]));
    assert_eq!(
        body["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
}

#[test]
fn a1_a_401_challenges() {
    let challenge = |denial: Denial| Problem::from(denial).headers().to_vec();
    assert_eq!(
        challenge(Denial::CredentialMissing),
        [("WWW-Authenticate", "Bearer".to_owned())]
    );
    let failed = Denial::CredentialRejected(CredentialFailure::BadSignature);
    assert_eq!(
        challenge(failed),
        [(
            "WWW-Authenticate",
            r#"Bearer error="invalid_token""#.to_owned()
        )]
    );
}
