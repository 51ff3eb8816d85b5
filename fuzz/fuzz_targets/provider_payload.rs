//! Any bytes as a provider's event: without a signature that fits nothing is read; signed, they are
//! an event or they are not, and what an event reports is taken or refused, the same again changes
//! nothing, and nothing panics (B3).
#![no_main]

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use bailiwick::account::AccountStatus;
use bailiwick::change::Answer;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::policy::PolicySettings;
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, PaymentFacts, ProviderPayment, ProviderReport,
    ProviderSnapshot, WebhookError,
};
use bailiwick::provider::{paypal, stripe};
use bailiwick::{Account, Policy, Principal, Subscription, Tenant, Wallet};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

#[path = "../../tests/support/mod.rs"]
mod support;

const SENT: i64 = 1_769_817_606;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(SENT, 0).expect("a date")
}

fuzz_target!(|data: &[u8]| {
    from_stripe(data);
    from_paypal(data);
    let mut unstructured = Unstructured::new(data);
    if let Ok(strange) = Strange::arbitrary(&mut unstructured) {
        strange.is_refused(data);
    }
});

fn from_stripe(body: &[u8]) {
    let secret = stripe::SigningSecret::new("whsec_test");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"whsec_test").expect("any key will do");
    mac.update(format!("{SENT}.").as_bytes());
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match stripe::verify(&[secret], &format!("t={SENT},v1={hex}"), body, now()) {
        Ok(event) => take(event.report()),
        Err(error) => assert_eq!(error, WebhookError::Malformed),
    }
    if let Some(snapshot) = stripe::snapshot(body, now()) {
        take(&ProviderReport::Snapshot(snapshot));
    }
}

fn from_paypal(body: &[u8]) {
    if let Some(snapshot) = paypal::snapshot(body, now()) {
        take(&ProviderReport::Snapshot(snapshot));
    }
}

/// Headers that nobody signed.
#[derive(Arbitrary, Debug)]
struct Strange<'a> {
    header: &'a str,
    id: &'a str,
    time: &'a str,
    url: &'a str,
    signature: &'a str,
    certificates: &'a [u8],
}

impl Strange<'_> {
    fn is_refused(&self, body: &[u8]) {
        let secret = stripe::SigningSecret::new("another");
        assert!(stripe::verify(&[secret], self.header, body, now()).is_err());
        let roots = include_bytes!("../../tests/payloads/certificates/root.pem");
        let endpoint = paypal::Endpoint::new("webhook", paypal::Environment::Live, roots)
            .expect("sound roots");
        let transmission = paypal::Transmission {
            id: self.id,
            time: self.time,
            certificate_url: self.url,
            algorithm: "SHA256withRSA",
            signature: self.signature,
        };
        if let Ok(url) = endpoint.certificate_url(&transmission) {
            assert!(
                url.starts_with("https://api.paypal.com/v1/")
                    || url.starts_with("https://api-m.paypal.com/v1/")
            );
        }
        let chain = include_bytes!("../../tests/payloads/certificates/chain.pem");
        for certificates in [self.certificates, chain.as_slice()] {
            assert!(
                endpoint
                    .verify(&transmission, certificates, body, now())
                    .is_err()
            );
        }
    }
}

/// Takes a report as a host does, twice.
fn take(report: &ProviderReport) {
    let (provider, id) = match report {
        ProviderReport::Snapshot(snapshot) => (snapshot.provider, &snapshot.subscription),
        ProviderReport::Payment(payment) => (payment.provider, &payment.subscription),
        _ => return,
    };
    let method = provider.payment_method();
    let settings = PolicySettings {
        payment_methods: PaymentMethod::ALL.into(),
        ..PolicySettings::default()
    };
    let policy = Policy::load(settings).expect("sound settings");
    let account = Account {
        payment_method: method,
        ..support::account(7, AccountStatus::PendingPayment)
    };
    let plan = Arc::new(support::plan(49, true));
    let new = Subscription::new(9.into(), 7.into(), 1.into(), method, now());
    let paypal_subscription_id = (provider == Provider::Paypal).then(|| id.clone());
    let subscription = Subscription {
        paypal_subscription_id,
        ..new
    };
    let reference = Some("9".to_owned());
    match report {
        ProviderReport::Snapshot(snapshot) => {
            let snapshot = &ProviderSnapshot {
                reference,
                ..snapshot.clone()
            };
            let facts = |subscription| AdoptionFacts {
                account: account.clone(),
                subscription,
                plan: plan.clone(),
            };
            match policy.adopt_snapshot(snapshot, facts(subscription), now()) {
                Ok(adoption) => {
                    let transition = adoption.transition().expect("the first is new");
                    let after = transition.subscription().clone();
                    let again = policy
                        .adopt_snapshot(snapshot, facts(after.clone()), now())
                        .expect("the same again");
                    assert_eq!(
                        (again.freshness(), again.transition()),
                        (Freshness::Same, None)
                    );
                    let text = serde_json::to_string(&after).expect("it can be stored");
                    assert_eq!(
                        serde_json::from_str::<Subscription>(&text).expect("and read"),
                        after
                    );
                    for now in [now(), DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                        let _ = policy.command_due(&after, std::slice::from_ref(&plan), now);
                        let tenant = Tenant {
                            account: account.clone(),
                            plan: Some(plan.clone()),
                            next_plan: None,
                            subscription: Some(after.clone()),
                            sites: Arc::new([]),
                        };
                        let principal = Principal::session(5.into()).of_account(7.into());
                        let _ = policy.validate_account_and_plan(&principal, Some(&tenant), now);
                    }
                }
                // Of a subscription without an identifier, or with one that stands for none.
                Err(error) => assert_eq!(error, AdoptError::Mismatch, "{id}"),
            }
        }
        ProviderReport::Payment(payment) => {
            let payment = &ProviderPayment {
                reference,
                ..payment.clone()
            };
            let facts = |prior| PaymentFacts {
                account: account.clone(),
                subscription: subscription.clone(),
                plan: plan.clone(),
                current_plan: plan.clone(),
                prior,
            };
            match policy.record_provider_payment(payment, facts(None), now()) {
                Ok(Answer::Fresh(change)) => {
                    let record = change.record().clone();
                    let again =
                        policy.record_provider_payment(payment, facts(Some(record.clone())), now());
                    assert_eq!(again, Ok(Answer::Replayed(record)));
                    let mut wallet = Wallet::open(7.into(), now());
                    for due in change.grants() {
                        if let Ok(Some(change)) = wallet.clone().grant_due(due, None, now()) {
                            wallet = change.wallet().clone();
                        }
                    }
                }
                Ok(Answer::Replayed(_)) => panic!("nothing was there"),
                Err(_) => {}
            }
        }
        _ => {}
    }
}
