//! PayPal's webhooks: real shapes of events, and what is believed of them. The certificates are a
//! test's own, made and signed with by openssl; their keys were thrown away.

use bailiwick::provider::paypal::{
    CLOCK_SKEW, Endpoint, EndpointError, Environment, MAX_AGE, Transmission, snapshot,
};
use bailiwick::provider::{PaidFor, ProviderEvent, ProviderReport, ProviderSnapshot, WebhookError};
use bailiwick::subscription::SubscriptionStatus;
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
    assert_eq!(new.price, "P-5ML4271244454362WXNWU5NQ");
    assert_eq!(
        new.reference, None,
        "whatever its custom_id says: anyone can write one"
    );
    assert_eq!((new.current_period, new.trial), (None, None));

    let active = snapshot_of("subscription_activated");
    assert_eq!(
        (active.status, active.anchor),
        (SubscriptionStatus::Active, instant("2026-01-31T00:00:00Z"))
    );
    let period = active.current_period.unwrap();
    assert!(period.start < period.end && period.contains(active.at));

    // PayPal says "ACTIVE" while it tries again.
    let failed = snapshot_of("subscription_payment_failed");
    assert_eq!(
        (failed.status, failed.current_period),
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
    assert_eq!(
        payment.paid_for,
        PaidFor::IntervalFrom(instant("2026-01-31T00:00:05Z"))
    );
    assert_eq!(
        verified("sale_pending"),
        Err(WebhookError::Malformed),
        "what is not complete is not paid"
    );
    for (name, kind) in [
        ("sale_refunded", "PAYMENT.SALE.REFUNDED"),
        ("dispute_created", "CUSTOMER.DISPUTE.CREATED"),
    ] {
        let event = read(name);
        assert_eq!(
            (event.report(), event.kind()),
            (&ProviderReport::Unmapped, kind)
        );
    }
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
