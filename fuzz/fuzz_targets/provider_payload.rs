//! Any bytes as a provider's event: without a signature that fits nothing is read; signed, they are
//! an event or they are not, and what an event reports is taken or refused, the same again changes
//! nothing, and nothing panics (B3). What a payment pays for is stored, aligned and undone (PF2, PF5).
#![no_main]

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use bailiwick::account::AccountStatus;
use bailiwick::change::Answer;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::policy::PolicySettings;
use bailiwick::paid_time::PaidTime;
use bailiwick::provider::{
    AdoptError, AdoptionFacts, Freshness, PaidInvoice, PaymentFacts, ProviderPayment,
    ProviderPrice, ProviderReport, ProviderSnapshot, ProviderUndone, UndoneFacts, Undoing,
    WebhookError,
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
    if let Some(report) = stripe::invoice(body, now()) {
        take(&report);
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
        provider_discounts: true,
        ..PolicySettings::default()
    };
    let policy = Policy::load(settings).expect("sound settings");
    let account = Account {
        payment_method: method,
        ..support::account(7, AccountStatus::PendingPayment)
    };
    let new = Subscription::new(9.into(), 7.into(), 1.into(), method, now());
    let paypal_subscription_id = (provider == Provider::Paypal).then(|| id.clone());
    let subscription = Subscription {
        paypal_subscription_id,
        ..new
    };
    let paid_time = PaidTime::new(7.into(), 9.into());
    let reference = Some("9".to_owned());
    let host = Host {
        policy,
        account,
        subscription,
        paid_time,
    };
    match report {
        ProviderReport::Snapshot(snapshot) => host.adopt(&ProviderSnapshot {
            reference,
            ..snapshot.clone()
        }),
        ProviderReport::Payment(payment) => host.record(&ProviderPayment {
            reference,
            ..payment.clone()
        }),
        _ => {}
    }
}

/// The rows of a host that has heard nothing yet.
struct Host {
    policy: Policy,
    account: Account,
    subscription: Subscription,
    paid_time: PaidTime,
}

/// The price is the plan's, whatever its name is.
fn price(name: &str) -> ProviderPrice {
    ProviderPrice {
        price: name.to_owned(),
        plan: Arc::new(support::plan(49, true)),
    }
}

impl Host {
    fn adopt(&self, snapshot: &ProviderSnapshot) {
        let prices: Vec<_> = snapshot.items.iter().map(|item| price(&item.price)).collect();
        let facts = |subscription, paid_time| AdoptionFacts {
            account: self.account.clone(),
            subscription,
            prices: prices.clone(),
            paid_time,
            had_trial: false,
        };
        let first = facts(self.subscription.clone(), self.paid_time.clone());
        let adoption = match self.policy.adopt_snapshot(snapshot, first, now()) {
            Ok(adoption) => adoption,
            // Of a subscription without an identifier, or with one that stands for none.
            Err(error) => {
                assert_eq!(error, AdoptError::Mismatch, "{}", snapshot.subscription);
                return;
            }
        };

        let transition = adoption.transition().expect("the first is new");
        let after = transition.subscription().clone();
        let stopped = adoption.paid_time().map(|change| change.row().clone());
        let again = facts(after.clone(), stopped.unwrap_or(self.paid_time.clone()));
        let again = self
            .policy
            .adopt_snapshot(snapshot, again, now())
            .expect("the same again");
        assert_eq!(
            (again.freshness(), again.transition(), again.paid_time()),
            (Freshness::Same, None, None)
        );
        let text = serde_json::to_string(&after).expect("it can be stored");
        assert_eq!(
            serde_json::from_str::<Subscription>(&text).expect("and read"),
            after
        );
        for now in [now(), DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let _ = self.policy.command_due(&after, &[], now);
            let tenant = Tenant {
                plan: Some(Arc::new(support::plan(49, true))),
                subscription: Some(after.clone()),
                ..Tenant::new(self.account.clone())
            };
            let principal = Principal::session(5.into()).of_account(7.into());
            let _ = self.policy.validate_account_and_plan(&principal, Some(&tenant), now);
        }
    }

    fn record(&self, payment: &ProviderPayment) {
        let named = payment.lines.iter().filter_map(|line| line.price.as_deref());
        let prices: Vec<_> = named.chain(["plan"]).map(price).collect();
        let facts = |prior| PaymentFacts {
            account: self.account.clone(),
            subscription: self.subscription.clone(),
            prices: prices.clone(),
            paid_time: self.paid_time.clone(),
            prior,
        };
        let answer = self.policy.record_provider_payment(payment, facts(None), now());
        let change = match answer {
            Ok(Answer::Fresh(change)) => change,
            Ok(Answer::Replayed(_)) => panic!("nothing was there"),
            Err(_) => return,
        };

        let record = change.record().clone();
        let text = serde_json::to_string(&record).expect("it can be stored");
        assert_eq!(
            serde_json::from_str::<PaidInvoice>(&text).expect("and read"),
            record
        );
        let again = facts(Some(record.clone()));
        let again = self.policy.record_provider_payment(payment, again, now());
        assert_eq!(again, Ok(Answer::Replayed(record.clone())));

        let Some(paid_time) = change.paid_time() else { return };
        let paid_time = paid_time.row().clone();
        let wallet = Wallet::open(7.into(), now());
        let terms = self.policy.align_terms();
        let _ = wallet.align(&paid_time.schedule(), terms, now());

        // Undone, nothing of it is left, and that too is the same when it is told again.
        let undone = ProviderUndone {
            provider: payment.provider,
            invoice: Some(payment.invoice.clone()),
            reference: String::new(),
            how: Undoing::Reversed,
            amount: payment.amount,
            at: now(),
        };
        let undo = |paid_time: &PaidTime| {
            let facts = UndoneFacts {
                record: record.clone(),
                subscription: change.subscription().row().clone(),
                paid_time: paid_time.clone(),
            };
            self.policy
                .record_provider_undone(&undone, facts, now())
                .expect("it was recorded")
        };
        let gone = undo(&paid_time).expect("the first").paid_time().row().clone();
        assert_eq!(gone.paid_until(), None);
        assert_eq!(gone.schedule().pieces().len(), 0);
        assert_eq!(undo(&gone), None);
    }
}
