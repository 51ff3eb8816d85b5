//! Stripe's webhooks: real shapes of events, and what is believed of them.

use bailiwick::Money;
use bailiwick::money::Currency;
use bailiwick::payment_method::Provider;
use bailiwick::period::Period;
use bailiwick::provider::stripe::{SigningSecret, TOLERANCE, snapshot, verify};
use bailiwick::provider::{
    PaidFor, ProviderEvent, ProviderPayment, ProviderReport, ProviderSnapshot, WebhookError,
};
use bailiwick::subscription::SubscriptionStatus;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const SECRET: &str = "whsec_test";
const SENT: i64 = 1_769_817_606;

fn payload(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/tests/payloads/stripe_{name}.json",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn day(day: &str) -> DateTime<Utc> {
    format!("{day}T00:00:00Z").parse().unwrap()
}

fn period(start: &str, end: &str) -> Option<Period> {
    Some(Period {
        start: day(start),
        end: day(end),
    })
}

fn sign(secret: &str, time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn secrets() -> [SigningSecret; 1] {
    [SigningSecret::new(SECRET)]
}

fn read(body: &[u8]) -> Result<ProviderEvent, WebhookError> {
    let header = format!("t={SENT},v1={}", sign(SECRET, &SENT.to_string(), body));
    verify(&secrets(), &header, body, at(SENT))
}

fn snapshot_of(name: &str) -> ProviderSnapshot {
    let event = read(&payload(name)).unwrap();
    match event.report() {
        ProviderReport::Snapshot(snapshot) => {
            assert_eq!(snapshot.at, event.at());
            snapshot.clone()
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn payment_of(name: &str) -> ProviderPayment {
    match read(&payload(name)).unwrap().report() {
        ProviderReport::Payment(payment) => payment.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn b3_subscriptions_are_read_in_the_shapes_of_every_version() {
    let new = snapshot_of("subscription_created_2024");
    let expected = ProviderSnapshot {
        provider: Provider::Stripe,
        subscription: "sub_1PgafmB7WZ01zgkW".into(),
        reference: None,
        price: "price_pro".into(),
        at: at(1_769_817_601),
        status: SubscriptionStatus::Incomplete,
        anchor: day("2026-01-31"),
        current_period: period("2026-01-31", "2026-02-28"),
        trial: None,
        cancel_at_period_end: false,
    };
    assert_eq!(new, expected);
    let updated = snapshot_of("subscription_updated_2025");
    assert_eq!(
        updated,
        ProviderSnapshot {
            at: updated.at,
            status: SubscriptionStatus::Active,
            ..expected.clone()
        }
    );

    let due = snapshot_of("subscription_past_due");
    assert_eq!(
        (due.status, due.current_period),
        (
            SubscriptionStatus::PastDue,
            period("2026-03-31", "2026-04-30")
        )
    );
    assert_eq!(
        snapshot_of("subscription_deleted").status,
        SubscriptionStatus::Canceled
    );
    let trial = snapshot_of("subscription_trialing");
    assert_eq!(
        (trial.status, trial.trial),
        (
            SubscriptionStatus::Trialing,
            period("2026-01-17", "2026-01-31")
        )
    );
    let paused = snapshot_of("subscription_paused");
    assert_eq!(
        (paused.status, paused.trial),
        (SubscriptionStatus::Paused, trial.trial)
    );
}

#[test]
fn b3_what_is_new_in_a_payload_is_ignored_and_what_is_strange_denied() {
    let edit = |edit: fn(&mut serde_json::Value)| {
        let mut event: serde_json::Value =
            serde_json::from_slice(&payload("subscription_updated_2025")).unwrap();
        edit(&mut event["data"]["object"]);
        read(event.to_string().as_bytes())
    };
    let of = |event: Result<ProviderEvent, WebhookError>| match event.unwrap().report() {
        ProviderReport::Snapshot(snapshot) => snapshot.clone(),
        other => panic!("{other:?}"),
    };
    let strange = of(edit(|object| object["status"] = "hibernating".into()));
    assert_eq!(
        strange.status,
        SubscriptionStatus::Unknown,
        "which is denied everywhere"
    );
    assert_eq!(
        of(edit(|object| object["moons"] = 7.into())).status,
        SubscriptionStatus::Active
    );
    assert_eq!(
        of(edit(
            |object| object["metadata"]["subscription"] = "9".into()
        ))
        .reference
        .as_deref(),
        Some("9")
    );
    assert!(of(edit(|object| object["cancel_at_period_end"] = true.into())).cancel_at_period_end);
    assert!(
        of(edit(|object| object["cancel_at"] = 1_772_236_800.into())).cancel_at_period_end,
        "as newer versions say"
    );
    assert!(
        !of(edit(|object| object["cancel_at"] = 1_772_236_801.into())).cancel_at_period_end,
        "later than that"
    );
    let backwards = of(edit(|object| {
        object["items"]["data"][0]["current_period_end"] = 1.into()
    }));
    assert_eq!(backwards.current_period, None);
    for broken in [
        edit(|object| object["items"]["data"] = serde_json::json!([])),
        edit(|object| object["id"] = 7.into()),
        edit(|object| object["billing_cycle_anchor"] = i64::MAX.into()),
        edit(|object| *object = serde_json::Value::Null),
    ] {
        assert_eq!(broken, Err(WebhookError::Malformed));
    }
}

#[test]
fn b3_payments_are_read_in_the_shapes_of_every_version() {
    let euros = |amount: &str| Money::new(amount.parse().unwrap(), Currency::EUR).unwrap();
    let first = payment_of("invoice_paid_2024");
    let expected = ProviderPayment {
        provider: Provider::Stripe,
        subscription: "sub_1PgafmB7WZ01zgkW".into(),
        reference: None,
        invoice: "in_1SvXk0B7WZ01zgkWc4Rz8LmA".into(),
        price: Some("price_pro".into()),
        amount: euros("49"),
        paid_for: PaidFor::Period(period("2026-01-31", "2026-02-28").unwrap()),
        period_amount: euros("49"),
    };
    assert_eq!(first, expected);
    let second = payment_of("invoice_paid_2025");
    let paid_for = PaidFor::Period(period("2026-02-28", "2026-03-31").unwrap());
    assert_eq!(
        second,
        ProviderPayment {
            invoice: second.invoice.clone(),
            paid_for,
            ..expected
        }
    );
    let proration = payment_of("invoice_proration");
    assert_eq!(
        (proration.paid_for, proration.price, proration.amount),
        (PaidFor::Other, None, euros("25"))
    );
}

#[test]
fn b3_other_kinds_are_reported_as_such() {
    for (name, kind) in [
        ("invoice_payment_failed", "invoice.payment_failed"),
        ("charge_refunded", "charge.refunded"),
        ("charge_dispute_created", "charge.dispute.created"),
        ("checkout_session_completed", "checkout.session.completed"),
    ] {
        let event = read(&payload(name)).unwrap();
        assert_eq!(
            (event.report(), event.kind()),
            (&ProviderReport::Unmapped, kind)
        );
        assert!(event.id().starts_with("evt_") && event.provider() == Provider::Stripe);
    }
}

#[test]
fn b3_amounts_are_in_the_units_of_their_currency() {
    for (currency, minor, expected) in [
        ("eur", 4900, "49 EUR"),
        ("jpy", 4900, "4900 JPY"),
        ("kwd", 4900, "4.9 KWD"),
        ("isk", 4900, "49 ISK"),
        ("ugx", 4900, "49 UGX"),
        ("huf", 4900, "49 HUF"),
    ] {
        let mut event: serde_json::Value =
            serde_json::from_slice(&payload("invoice_paid_2025")).unwrap();
        event["data"]["object"]["currency"] = currency.into();
        event["data"]["object"]["amount_paid"] = minor.into();
        match read(event.to_string().as_bytes()).unwrap().report() {
            ProviderReport::Payment(payment) => assert_eq!(payment.amount.to_string(), expected),
            other => panic!("{other:?}"),
        }
    }
}

/// What counts for the period is its own line: not what else is on the invoice, nor from which
/// pocket it was paid.
#[test]
fn b3_the_periods_own_line_is_what_counts() {
    let euros = |amount: &str| Money::new(amount.parse().unwrap(), Currency::EUR).unwrap();
    let edit = |edit: fn(&mut serde_json::Value)| {
        let mut event: serde_json::Value =
            serde_json::from_slice(&payload("invoice_paid_2025")).unwrap();
        edit(&mut event["data"]["object"]);
        match read(event.to_string().as_bytes()).unwrap().report() {
            ProviderReport::Payment(payment) => (payment.amount, payment.period_amount),
            other => panic!("{other:?}"),
        }
    };
    // Paid from a balance; a proration credited beside it; paid elsewhere, as older versions tell
    // it.
    assert_eq!(
        edit(|invoice| invoice["amount_paid"] = 2900.into()),
        (euros("29"), euros("49"))
    );
    assert_eq!(
        edit(|invoice| invoice["amount_paid"] = 0.into()),
        (euros("49"), euros("49"))
    );
    // Discounted.
    let discounted = edit(|invoice| {
        invoice["amount_paid"] = 900.into();
        invoice["lines"]["data"][0]["discount_amounts"] =
            serde_json::json!([{ "amount": 3000, "discount": "di_1" }, { "amount": 1000 }]);
    });
    assert_eq!(discounted, (euros("9"), euros("9")));
    // A part of a period, in the new shape, is none.
    let mut event: serde_json::Value =
        serde_json::from_slice(&payload("invoice_paid_2025")).unwrap();
    event["data"]["object"]["lines"]["data"][0]["parent"]["subscription_item_details"]["proration"] =
        true.into();
    match read(event.to_string().as_bytes()).unwrap().report() {
        ProviderReport::Payment(payment) => {
            assert_eq!(
                (payment.paid_for, payment.period_amount),
                (PaidFor::Other, euros("0"))
            )
        }
        other => panic!("{other:?}"),
    }
}

/// The invoice of a trial is of nothing, and opens no paid period.
#[test]
fn b3_a_trials_invoice_pays_for_no_period() {
    for name in ["invoice_paid_2024", "invoice_paid_2025"] {
        let mut event: serde_json::Value = serde_json::from_slice(&payload(name)).unwrap();
        event["data"]["object"]["lines"]["data"][0]["amount"] = 0.into();
        match read(event.to_string().as_bytes()).unwrap().report() {
            ProviderReport::Payment(payment) => assert_eq!(payment.paid_for, PaidFor::Other),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn b3_an_invoice_that_is_not_paid_pays_nothing() {
    let mut event: serde_json::Value =
        serde_json::from_slice(&payload("invoice_paid_2025")).unwrap();
    event["data"]["object"]["status"] = "open".into();
    assert_eq!(
        read(event.to_string().as_bytes()),
        Err(WebhookError::Malformed)
    );
    event["data"]["object"]["status"] = "paid".into();
    event["data"]["object"]["parent"] = serde_json::Value::Null;
    assert_eq!(
        read(event.to_string().as_bytes()).unwrap().report(),
        &ProviderReport::Unmapped,
        "of no subscription"
    );
}

#[test]
fn a_fetched_subscription_is_a_snapshot_of_the_time_it_was_fetched() {
    let event: serde_json::Value =
        serde_json::from_slice(&payload("subscription_updated_2025")).unwrap();
    let fetched = snapshot(
        event["data"]["object"].to_string().as_bytes(),
        at(SENT + 60),
    )
    .unwrap();
    assert_eq!(
        fetched,
        ProviderSnapshot {
            at: at(SENT + 60),
            ..snapshot_of("subscription_updated_2025")
        }
    );
    assert_eq!(snapshot(b"{}", at(SENT)), None);
}

/// Computed by another program: `printf '1769817606.{}' | openssl dgst -sha256 -hmac whsec_test`.
#[test]
fn the_signature_is_stripes() {
    assert_eq!(
        sign(SECRET, "1769817606", b"{}"),
        include_str!("../payloads/stripe_signature.txt").trim()
    );
    let header = format!(
        "t=1769817606,v1={}",
        include_str!("../payloads/stripe_signature.txt").trim()
    );
    assert_eq!(
        verify(&secrets(), &header, b"{}", at(SENT)),
        Err(WebhookError::Malformed),
        "signed, and no event"
    );
}

#[test]
fn only_a_signature_of_now_is_believed() {
    let body = payload("subscription_updated_2025");
    let good = sign(SECRET, &SENT.to_string(), &body);
    let verify = |header: &str, now: i64| verify(&secrets(), header, &body, at(now)).map(drop);
    assert_eq!(verify(&format!("t={SENT},v1={good}"), SENT), Ok(()));

    // Time, in both directions, to the second.
    let tolerance = TOLERANCE.num_seconds();
    for (skew, expected) in [
        (tolerance, Ok(())),
        (tolerance + 1, Err(WebhookError::OutOfTime)),
        (-tolerance, Ok(())),
        (-tolerance - 1, Err(WebhookError::OutOfTime)),
    ] {
        assert_eq!(
            verify(&format!("t={SENT},v1={good}"), SENT + skew),
            expected,
            "{skew}"
        );
    }
    assert_eq!(tolerance, 300);

    // Several signatures, other schemes, spaces.
    let bad = "0".repeat(64);
    for header in [
        format!("t={SENT},v1={bad},v1={good}"),
        format!("t={SENT},v0={bad},v1={good},v2=x"),
        format!("v1={good},t={SENT}"),
        format!("t={SENT}, v1={good}"),
        format!("t={SENT},v1=zz,v1={good}"),
    ] {
        assert_eq!(verify(&header, SENT), Ok(()), "{header}");
    }
    for (header, expected) in [
        (String::new(), WebhookError::HeaderMalformed),
        (format!("v1={good}"), WebhookError::HeaderMalformed),
        (format!("t=,v1={good}"), WebhookError::HeaderMalformed),
        (
            format!("t=+{SENT},v1={good}"),
            WebhookError::HeaderMalformed,
        ),
        (
            format!("t={SENT},t={SENT},v1={good}"),
            WebhookError::HeaderMalformed,
        ),
        (format!("t={SENT}"), WebhookError::SignatureMismatch),
        (
            format!("t={SENT},v0={good}"),
            WebhookError::SignatureMismatch,
        ),
        (
            format!("t={SENT},v1={bad}"),
            WebhookError::SignatureMismatch,
        ),
        (
            format!("t={SENT},v1={good}00"),
            WebhookError::SignatureMismatch,
        ),
        (
            format!("t={SENT},v1={}", &good[..62]),
            WebhookError::SignatureMismatch,
        ),
        (
            format!("t={},v1={good}", SENT + 1),
            WebhookError::SignatureMismatch,
        ),
        (
            format!("t={}0,v1={good}", SENT),
            WebhookError::SignatureMismatch,
        ),
    ] {
        assert_eq!(verify(&header, SENT), Err(expected), "{header}");
    }
}

#[test]
fn every_byte_of_the_body_is_signed() {
    let body = payload("subscription_created_2024");
    let header = format!("t={SENT},v1={}", sign(SECRET, &SENT.to_string(), &body));
    for place in (0..body.len()).step_by(97) {
        let mut other = body.clone();
        other[place] ^= 1;
        assert_eq!(
            verify(&secrets(), &header, &other, at(SENT)),
            Err(WebhookError::SignatureMismatch),
            "byte {place}"
        );
    }
}

#[test]
fn a_secret_may_be_replaced_and_is_never_empty_nor_printed() {
    let body = payload("subscription_updated_2025");
    let header = |secret: &str| format!("t={SENT},v1={}", sign(secret, &SENT.to_string(), &body));
    let both = [SigningSecret::new("whsec_new"), SigningSecret::new(SECRET)];
    assert!(verify(&both, &header(SECRET), &body, at(SENT)).is_ok());
    assert!(verify(&both, &header("whsec_new"), &body, at(SENT)).is_ok());
    assert_eq!(
        verify(&both, &header("whsec_old"), &body, at(SENT)),
        Err(WebhookError::SignatureMismatch)
    );
    assert_eq!(
        verify(&[], &header(SECRET), &body, at(SENT)),
        Err(WebhookError::SignatureMismatch)
    );
    let empty = [SigningSecret::new("")];
    assert_eq!(
        verify(&empty, &header(""), &body, at(SENT)),
        Err(WebhookError::SignatureMismatch)
    );
    assert!(!format!("{both:?}").contains("whsec"));
}
