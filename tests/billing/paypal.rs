//! PayPal's webhooks: real shapes of events, and what is believed of them. The certificates are a
//! test's own, made and signed with by openssl; their keys were thrown away.

use crate::provider_host::{ACCOUNT, Host, known, plan_of, slack_of};
use crate::support;
use bailiwick::account::AccountStatus;
use bailiwick::gate::Denial;
use bailiwick::money::Currency;
use bailiwick::payment_method::Provider;
use bailiwick::provider::paypal::{
    CLOCK_SKEW, Endpoint, EndpointError, Environment, MAX_AGE, Transmission, snapshot,
};
use bailiwick::provider::{
    LineKind, PaidLine, ProviderEvent, ProviderReport, ProviderSnapshot, ProviderUndone, Undoing,
    Unmapped, WebhookError,
};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{Credits, Money, Wallet};
use chrono::{DateTime, TimeDelta, Utc};

const WEBHOOK: &str = "1JE4291016473214C";
const SECOND: TimeDelta = TimeDelta::new(1, 0).unwrap();
const ADDRESS: &str =
    "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/tests/payloads/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

fn payload(name: &str) -> Vec<u8> {
    file(&format!("paypal_{name}.json"))
}

fn signed(name: &str) -> serde_json::Value {
    serde_json::from_slice::<serde_json::Value>(&payload("signatures")).unwrap()
        [format!("paypal_{name}")]
    .clone()
}

fn endpoint() -> Endpoint {
    Endpoint::new(WEBHOOK, Environment::Live, &file("certificates/root.pem")).unwrap()
}

fn transmission(signed: &serde_json::Value) -> Transmission<'_> {
    Transmission {
        id: signed["id"].as_str().unwrap(),
        time: signed["time"].as_str().unwrap(),
        certificate_url: ADDRESS,
        algorithm: "SHA256withRSA",
        signature: signed["signature"].as_str().unwrap(),
    }
}

fn read(name: &str) -> ProviderEvent {
    verified(name).unwrap()
}

fn verified(name: &str) -> Result<ProviderEvent, WebhookError> {
    let signed = signed(name);
    let transmission = transmission(&signed);
    let now = transmission.time.parse().unwrap();
    endpoint().verify(
        &transmission,
        &file("certificates/chain.pem"),
        &payload(name),
        now,
    )
}

fn snapshot_of(name: &str) -> ProviderSnapshot {
    let event = read(name);
    match event.report() {
        ProviderReport::Snapshot(snapshot) => {
            assert_eq!(snapshot.at, event.at());
            snapshot.clone()
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn b3_subscriptions_are_read_as_paypal_sends_them() {
    let new = snapshot_of("subscription_created");
    assert_eq!(new.status, SubscriptionStatus::Incomplete);
    assert_eq!(new.subscription, "I-BW452GLLEP1G");
    assert_eq!(new.items[0].price, "P-5ML4271244454362WXNWU5NQ");
    assert_eq!(
        new.reference, None,
        "whatever its custom_id says: anyone can write one"
    );
    assert_eq!((new.items[0].period, new.trial), (None, None));

    let active = snapshot_of("subscription_activated");
    assert_eq!(
        (active.status, active.anchor),
        (SubscriptionStatus::Active, instant("2026-01-31T00:00:00Z"))
    );
    let period = active.items[0].period.unwrap();
    assert!(period.start < period.end && period.contains(active.at));

    // PayPal says "ACTIVE" while it tries again.
    let failed = snapshot_of("subscription_payment_failed");
    assert_eq!(
        (failed.status, failed.items[0].period),
        (SubscriptionStatus::PastDue, None)
    );
    assert_eq!(
        snapshot_of("subscription_suspended").status,
        SubscriptionStatus::Unpaid
    );
    assert_eq!(
        snapshot_of("subscription_cancelled").status,
        SubscriptionStatus::Canceled
    );
    assert_eq!(
        snapshot_of("subscription_expired").status,
        SubscriptionStatus::Canceled
    );
}

#[test]
fn b3_a_suspension_without_debt_is_a_pause_and_a_strange_status_is_denied() {
    let mut event: serde_json::Value =
        serde_json::from_slice(&payload("subscription_suspended")).unwrap();
    let resource = &mut event["resource"];
    resource["billing_info"]["failed_payments_count"] = 0.into();
    resource["billing_info"]["outstanding_balance"]["value"] = "0.0".into();
    let at = instant("2026-04-10T10:30:02Z");
    let read = |resource: &serde_json::Value| snapshot(resource.to_string().as_bytes(), at);
    assert_eq!(read(resource).unwrap().status, SubscriptionStatus::Paused);
    resource["status"] = "HIBERNATING".into();
    assert_eq!(read(resource).unwrap().status, SubscriptionStatus::Unknown);
    // Either sign of debt will do.
    resource["status"] = "ACTIVE".into();
    resource["billing_info"]["failed_payments_count"] = 1.into();
    assert_eq!(read(resource).unwrap().status, SubscriptionStatus::PastDue);
    resource["billing_info"]["failed_payments_count"] = 0.into();
    resource["billing_info"]["outstanding_balance"]["value"] = "0.01".into();
    assert_eq!(read(resource).unwrap().status, SubscriptionStatus::PastDue);
    resource["billing_info"]["outstanding_balance"]["value"] = "0".into();
    assert_eq!(read(resource).unwrap().status, SubscriptionStatus::Active);
    // A plan whose price was changed for one subscription is not that plan.
    for (status, expected) in [
        ("ACTIVE", SubscriptionStatus::Unknown),
        ("CANCELLED", SubscriptionStatus::Canceled),
    ] {
        (resource["status"], resource["plan_overridden"]) = (status.into(), true.into());
        assert_eq!(read(resource).unwrap().status, expected);
    }
    resource["plan_id"] = serde_json::Value::Null;
    assert_eq!(read(resource), None);
}

#[test]
fn b3_sales_are_payments_for_an_interval() {
    let event = read("sale_completed");
    let ProviderReport::Payment(payment) = event.report() else {
        panic!()
    };
    assert_eq!(
        (payment.subscription.as_str(), payment.invoice.as_str()),
        ("I-BW452GLLEP1G", "4XY70135AB248613C")
    );
    assert_eq!(payment.amount.to_string(), "49 EUR");
    let made = instant("2026-01-31T00:00:05Z");
    assert_eq!((payment.made, payment.received), (made, made));
    let line = PaidLine {
        key: "sale".into(),
        price: None,
        quantity: 1,
        amount: payment.amount,
        kind: LineKind::IntervalFrom(made),
    };
    assert_eq!(payment.lines, [line]);
    assert_eq!(
        verified("sale_pending"),
        Err(WebhookError::Malformed),
        "what is not complete is not paid"
    );
    let event = read("dispute_created");
    assert_eq!(
        (event.report(), event.kind()),
        (
            &ProviderReport::Unmapped(Unmapped::OtherKind),
            "CUSTOMER.DISPUTE.CREATED"
        )
    );
}

/// The endpoint of the sandbox, whose certificate has a name and a root of its own.
fn sandbox() -> Endpoint {
    let root = file("certificates/sandbox_root.pem");
    Endpoint::new(WEBHOOK, Environment::Sandbox, &root).unwrap()
}

/// An event of the sandbox's, as an endpoint believes it.
fn from_sandbox(endpoint: &Endpoint, name: &str) -> Result<ProviderEvent, WebhookError> {
    let signatures: serde_json::Value =
        serde_json::from_slice(&file("sandbox/signatures.json")).unwrap();
    let transmission = Transmission {
        certificate_url: "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77",
        ..transmission(&signatures[name])
    };
    let now = instant(transmission.time);
    let body = file(&format!("sandbox/{name}.json"));
    let chain = file("certificates/sandbox_chain.pem");
    endpoint.verify(&transmission, &chain, &body, now)
}

/// Case 13: the sandbox's own events are believed where the environment is the sandbox, under its
/// own roots, and nowhere else.
#[test]
fn the_sandbox_is_believed_by_the_sandbox_alone() {
    assert!(from_sandbox(&sandbox(), "sale_01").is_ok());
    let roots = [
        file("certificates/root.pem"),
        file("certificates/sandbox_root.pem"),
    ];
    for (environment, roots) in [
        (Environment::Live, roots.concat()),
        (Environment::Sandbox, file("certificates/root.pem")),
    ] {
        let other = Endpoint::new(WEBHOOK, environment, &roots).unwrap();
        let refused = from_sandbox(&other, "sale_01");
        assert_eq!(refused, Err(WebhookError::CertificateUntrusted));
    }

    // The live signer is none of the sandbox's, though both roots are trusted.
    let signed = signed("sale_completed");
    let live = Transmission {
        certificate_url: "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        ..transmission(&signed)
    };
    let both = Endpoint::new(WEBHOOK, Environment::Sandbox, &roots.concat()).unwrap();
    let (chain, body) = (file("certificates/chain.pem"), payload("sale_completed"));
    let refused = both.verify(&live, &chain, &body, instant(live.time));
    assert_eq!(refused.map(drop), Err(WebhookError::CertificateUntrusted));
}

/// The newest snapshot stands, so that none may be of a later time than its own signature.
#[test]
fn an_event_of_after_its_signature_is_not_believed() {
    let refused = from_sandbox(&sandbox(), "subscription_of_next_year");
    assert_eq!(refused, Err(WebhookError::OutOfTime));
}

/// PF5: refunds, reversals and lost disputes, with the sale where PayPal names it.
#[test]
fn pf5_refunds_reversals_and_lost_disputes_are_told() {
    let report = |name: &str| from_sandbox(&sandbox(), name).unwrap().report().clone();
    let of = |invoice: Option<&str>, reference: &str, how, at: &str| {
        ProviderReport::Undone(ProviderUndone {
            provider: Provider::Paypal,
            invoice: invoice.map(str::to_owned),
            reference: reference.into(),
            how,
            amount: Money::new(49.into(), Currency::EUR).unwrap(),
            at: instant(at),
        })
    };
    let first = Some("4XY7013500AB248613C");
    let (refunded, reversed) = (Undoing::Refunded, Undoing::Reversed);
    assert_eq!(
        report("sale_refunded"),
        of(
            first,
            "8DE91357FG460835H",
            refunded,
            "2026-02-03T09:00:41.552Z"
        )
    );
    assert_eq!(
        report("sale_reversed"),
        of(None, "77689802DL785834G", reversed, "2026-03-12T00:19:27Z"),
        "the report names the reversal alone"
    );
    assert_eq!(
        report("dispute_lost"),
        of(first, "PP-R-KQC-10000042", reversed, "2026-04-10T13:36:33Z")
    );
    let won = ProviderReport::Unmapped(Unmapped::NothingUndone);
    assert_eq!(report("dispute_won"), won);
}

/// A host that pays by PayPal.
fn host() -> Host {
    let mut host = Host::at_paypal(AccountStatus::PendingPayment);
    host.policy = slack_of(86_400);
    host.subscription.paypal_subscription_id = Some("I-BW452GLLEP1G".into());
    host.wallet = Wallet::open(ACCOUNT.into(), instant("2026-01-01T00:00:00Z"));
    host.prices = vec![known("P-5ML4271244454362WXNWU5NQ", plan_of("1"))];
    host
}

fn hear(host: &mut Host, name: &str) {
    let event = from_sandbox(&sandbox(), name).unwrap();
    host.hear(event.report(), event.at());
}

fn seconds(at: &str) -> i64 {
    (instant(at) - support::at(0)).num_seconds()
}

/// Case 2 and PF6: a year of sales, at PayPal's own hours, and no snapshot after the first. There is
/// no gap, and each month brings its credits once.
#[test]
fn pf6_a_year_of_sales_leaves_no_gap() {
    let mut host = host();
    hear(&mut host, "subscription_activated");
    for month in 1..=12 {
        hear(&mut host, &format!("sale_{month:02}"));
    }
    let schedule = host.paid_time.schedule();
    let pieces = schedule.pieces();
    assert_eq!(pieces.len(), 12);
    for (one, next) in pieces.iter().zip(&pieces[1..]) {
        assert_eq!(one.paid.end, next.paid.start);
        assert_eq!(one.paid, one.period);
    }
    assert_eq!(
        host.subscription.paid_until,
        Some(instant("2027-01-31T00:00:05Z"))
    );
    assert_eq!(host.wallet.balance().granted, Credits::whole(1_200));
    let last = seconds("2027-02-01T00:00:05Z");
    assert!(host.admitted(last - 1).is_ok());
    assert_eq!(host.admitted(last), Err(Denial::PeriodEnded));
}

/// Case 12: called off on the 5th of a month that was paid.
#[test]
fn pf4_a_cancellation_takes_effect_when_the_paid_month_is_over() {
    let mut host = host();
    for name in [
        "subscription_activated",
        "sale_01",
        "subscription_cancelled",
    ] {
        hear(&mut host, name);
    }
    let end = seconds("2026-02-28T00:00:05Z");
    assert!(host.admitted(end - 1).is_ok());
    assert_eq!(host.admitted(end), Err(Denial::PeriodEnded));
    host.tick(end);
    assert_eq!(host.admitted(end), Err(Denial::SubscriptionCanceled));
}

/// The payment of the second month failed, and was made up for: PayPal tells of that by the sale
/// alone.
#[test]
fn pf6_a_payment_that_was_made_up_for_clears_what_was_past_due() {
    let mut host = host();
    for name in [
        "subscription_activated",
        "sale_01",
        "subscription_payment_failed",
    ] {
        hear(&mut host, name);
    }
    let now = seconds("2026-03-31T12:00:00Z");
    assert_eq!(host.admitted(now), Err(Denial::PaymentPastDue));
    hear(&mut host, "sale_03");
    assert!(host.admitted(now).is_ok());
}

/// PF5: a refund in full gives the rest of the month back, and a lost dispute all of it.
#[test]
fn pf5_a_sale_that_was_undone_takes_its_time_along() {
    let mut host = host();
    hear(&mut host, "subscription_activated");
    hear(&mut host, "sale_01");
    hear(&mut host, "sale_refunded");
    let refunded = instant("2026-02-03T09:00:41.552Z");
    assert_eq!(host.subscription.paid_until, Some(refunded));
    hear(&mut host, "dispute_lost");
    assert_eq!(host.subscription.paid_until, None);
}

#[test]
fn only_paypals_own_signature_is_believed() {
    let (name, chain) = ("sale_completed", file("certificates/chain.pem"));
    let (body, signed) = (payload(name), signed(name));
    let good = transmission(&signed);
    let now = instant(good.time);
    let verify = |transmission: Transmission<'_>, chain: &[u8], body: &[u8], now: DateTime<Utc>| {
        endpoint().verify(&transmission, chain, body, now).map(drop)
    };
    assert_eq!(verify(good, &chain, &body, now), Ok(()));

    // What is signed: the transmission, its time, the webhook, the body.
    let mismatch = Err(WebhookError::SignatureMismatch);
    assert_eq!(
        verify(
            Transmission {
                id: "another",
                ..good
            },
            &chain,
            &body,
            now
        ),
        mismatch
    );
    assert_eq!(
        verify(
            Transmission {
                time: "2026-01-31T00:00:38Z",
                ..good
            },
            &chain,
            &body,
            now
        ),
        mismatch
    );
    let other = Endpoint::new(
        "WEBHOOK_ID",
        Environment::Live,
        &file("certificates/root.pem"),
    )
    .unwrap();
    assert_eq!(other.verify(&good, &chain, &body, now).map(drop), mismatch);
    let mut changed = body.clone();
    changed[40] ^= 1;
    assert_eq!(verify(good, &chain, &changed, now), mismatch);

    // Headers.
    for bad in [
        Transmission { id: "", ..good },
        Transmission { id: "a|b", ..good },
        Transmission {
            time: "yesterday",
            ..good
        },
        Transmission {
            algorithm: "SHA1withRSA",
            ..good
        },
        Transmission {
            signature: "%",
            ..good
        },
    ] {
        assert_eq!(
            verify(bad, &chain, &body, now),
            Err(WebhookError::HeaderMalformed),
            "{bad:?}"
        );
    }

    // Time.
    assert_eq!(verify(good, &chain, &body, now + MAX_AGE), Ok(()));
    let late = verify(good, &chain, &body, now + MAX_AGE + SECOND);
    assert_eq!(late, Err(WebhookError::OutOfTime));
    assert_eq!(verify(good, &chain, &body, now - CLOCK_SKEW), Ok(()));
    let early = verify(good, &chain, &body, now - CLOCK_SKEW - SECOND);
    assert_eq!(early, Err(WebhookError::OutOfTime));
}

#[test]
fn only_paypals_own_certificate_is_trusted() {
    let name = "sale_completed";
    let (body, signed) = (payload(name), signed(name));
    let good = transmission(&signed);
    let now = instant(good.time);
    let untrusted = Err(WebhookError::CertificateUntrusted);
    let verify = |chain: &[u8], signature: &str, now| {
        endpoint()
            .verify(&Transmission { signature, ..good }, chain, &body, now)
            .map(drop)
    };
    // Signed by the same root, for another name; with nothing that leads to the root; no
    // certificates; too many.
    let imposter = signed["imposter"].as_str().unwrap();
    assert_eq!(
        verify(&file("certificates/imposter_chain.pem"), imposter, now),
        untrusted
    );
    assert_eq!(
        verify(&file("certificates/leaf.pem"), good.signature, now),
        untrusted
    );
    assert_eq!(verify(b"", good.signature, now), untrusted);
    assert_eq!(
        verify(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            good.signature,
            now
        ),
        untrusted
    );
    // Before and after its life.
    assert_eq!(
        verify(
            &file("certificates/chain.pem"),
            good.signature,
            instant("2019-12-31T23:59:59Z")
        ),
        untrusted
    );
    assert_eq!(
        verify(
            &file("certificates/chain.pem"),
            good.signature,
            instant("2120-01-02T00:00:00Z")
        ),
        untrusted
    );
    // Under another root.
    let other = Endpoint::new(
        WEBHOOK,
        Environment::Live,
        &file("certificates/other_root.pem"),
    )
    .unwrap();
    assert_eq!(
        other
            .verify(&good, &file("certificates/chain.pem"), &body, now)
            .map(drop),
        untrusted
    );

    assert_eq!(
        Endpoint::new("", Environment::Live, &file("certificates/root.pem")).map(drop),
        Err(EndpointError::WebhookId)
    );
    assert_eq!(
        Endpoint::new(WEBHOOK, Environment::Live, b"").map(drop),
        Err(EndpointError::Roots)
    );
    // All of a system's roots are trusted, and a chain is short.
    let others = file("certificates/other_root.pem").repeat(140);
    let many = Endpoint::new(
        WEBHOOK,
        Environment::Live,
        &[others, file("certificates/root.pem")].concat(),
    )
    .unwrap();
    assert_eq!(
        many.verify(&good, &file("certificates/chain.pem"), &body, now)
            .map(drop),
        Ok(())
    );
    let long = [
        file("certificates/chain.pem"),
        file("certificates/other_root.pem").repeat(7),
    ]
    .concat();
    assert_eq!(verify(&long, good.signature, now), untrusted);
}

/// The address comes from whoever sends the request: only PayPal's own is ever fetched.
#[test]
fn no_address_but_paypals_is_fetched() {
    let signed = signed("sale_completed");
    let live = endpoint();
    let sandbox = Endpoint::new(
        WEBHOOK,
        Environment::Sandbox,
        &file("certificates/root.pem"),
    )
    .unwrap();
    let ask = |endpoint: &Endpoint, certificate_url: &str| {
        endpoint
            .certificate_url(&Transmission {
                certificate_url,
                ..transmission(&signed)
            })
            .is_ok()
    };
    assert!(ask(&live, ADDRESS) && !ask(&sandbox, ADDRESS));
    let at_sandbox = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1";
    assert!(ask(&sandbox, at_sandbox) && !ask(&live, at_sandbox));
    for address in [
        "",
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@10.0.0.1/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://example.com/api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../x",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?x",
        "https://api.paypal.com/v1/notifications/certs/",
        "https://api.paypal.com/v1/notifications/certs/CERT-1/x",
        "https://169.254.169.254/v1/notifications/certs/CERT-1",
    ] {
        assert!(!ask(&live, address), "{address}");
        let transmission = Transmission {
            certificate_url: address,
            ..transmission(&signed)
        };
        let now = instant(transmission.time);
        let refused = live.verify(
            &transmission,
            &file("certificates/chain.pem"),
            &payload("sale_completed"),
            now,
        );
        assert_eq!(refused.map(drop), Err(WebhookError::CertificateUntrusted));
    }
}
