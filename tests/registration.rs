//! Registration: B6 and B7, over a host in memory that writes change sets whole.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick::*;
use proptest::prelude::*;
use support::*;

fn policy() -> Policy {
    Policy::load(PolicySettings { registration_credits: credits(50), ..PolicySettings::default() }).unwrap()
}

fn subject(number: u8) -> Subject {
    Subject::from_digest([number; 32])
}

/// The rows of a host, under the unique keys that a change set names.
#[derive(Default)]
struct Host {
    accounts: BTreeMap<AccountId, Account>,
    wallets: BTreeMap<AccountId, Wallet>,
    registered: BTreeMap<(Subject, IdempotencyKey), Registered>,
    subjects: BTreeMap<Subject, SubjectRecord>,
    next: i64,
}

impl Host {
    fn register(&mut self, key: u8, subject: Subject, plan: Plan) -> Result<Answer<Registered>, RegistrationError> {
        self.next += 1;
        let request = Registration {
            key: format!("request-{key}").parse().unwrap(),
            subject,
            plan: Arc::new(plan),
            payment_method: PaymentMethod::BankTransfer,
            account: self.next.into(),
            owner: self.next.into(),
            site: self.next.into(),
            subscription: self.next.into(),
        };
        let facts = RegistrationFacts {
            by_key: self.registered.get(&(subject, request.key.clone())).cloned(),
            by_subject: self.subjects.get(&subject).cloned(),
        };
        match policy().register(&request, facts, at(0))? {
            Answer::Replayed(earlier) => Ok(Answer::Replayed(earlier)),
            Answer::Fresh(change) => {
                let registered = change.registered().clone();
                assert!(self.accounts.insert(request.account.clone(), change.account().clone()).is_none());
                assert_eq!(change.wallet().expected_version(), 0);
                self.wallets.insert(request.account.clone(), change.wallet().wallet().clone());
                let stored = self.subjects.get(&subject).map_or(0, |record| record.version);
                assert_eq!(change.subject().expected_version(), stored);
                self.subjects.insert(subject, change.subject().row().clone());
                assert!(self.registered.insert((subject, request.key), registered.clone()).is_none());
                Ok(Answer::Fresh(registered))
            }
        }
    }

    fn delete(&mut self, account: &AccountId) {
        self.accounts.remove(account);
        self.wallets.remove(account);
        for record in self.subjects.values_mut().filter(|record| record.account.as_ref() == Some(account)) {
            record.account = None;
            record.version += 1;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Register { key: u8, subject: u8, price: i64 },
    Delete(u8),
}

proptest! {
    #[test]
    fn b6_an_identity_has_one_account_and_gets_its_first_credits_once(
        steps in prop::collection::vec(prop_oneof![
            4 => (0u8..6, 0u8..3, 0i64..2).prop_map(|(key, subject, price)| Step::Register { key, subject, price }),
            1 => (0u8..3).prop_map(Step::Delete),
        ], 1..40)
    ) {
        let mut host = Host::default();
        let mut seeded = BTreeMap::<Subject, u32>::new();
        let mut answers = BTreeMap::new();
        for step in steps {
            match step {
                Step::Delete(number) => {
                    let account = host.subjects.get(&subject(number)).and_then(|record| record.account.clone());
                    if let Some(account) = account {
                        host.delete(&account);
                    }
                }
                Step::Register { key, subject: number, price } => {
                    let payload = price;
                    let plan = Plan { id: (price + 1).into(), ..plan(price, price > 0) };
                    let live = host.subjects.get(&subject(number)).is_some_and(|record| record.account.is_some());
                    let known = answers.get(&(number, key)).cloned();
                    match (host.register(key, subject(number), plan), known) {
                        (Ok(Answer::Fresh(registered)), None) => {
                            prop_assert!(!live);
                            if !registered.credits.is_zero() {
                                *seeded.entry(subject(number)).or_default() += 1;
                            }
                            answers.insert((number, key), (payload, registered));
                        }
                        (Ok(Answer::Replayed(registered)), Some((earlier, first))) => {
                            prop_assert_eq!(payload, earlier);
                            prop_assert_eq!(registered, first, "the first answer, identifiers and all");
                        }
                        (Err(RegistrationError::KeyReused), Some((earlier, _))) => prop_assert_ne!(payload, earlier),
                        (Err(RegistrationError::AlreadyRegistered), None) => prop_assert!(live),
                        (answer, known) => prop_assert!(false, "{:?} after {:?}", answer, known),
                    }
                }
            }
            prop_assert!(seeded.values().all(|times| *times == 1));
            let live = host.subjects.values().filter(|record| record.account.is_some()).count();
            prop_assert_eq!(host.accounts.len(), live, "one account for each identity that has one");
        }
    }
}

#[test]
fn b6_a_registration_is_whole() {
    let request = Registration {
        key: "first".parse().unwrap(),
        subject: subject(1),
        plan: Arc::new(plan(49, true)),
        payment_method: PaymentMethod::BankTransfer,
        account: 7.into(),
        owner: 8.into(),
        site: 9.into(),
        subscription: 10.into(),
    };
    let Ok(Answer::Fresh(change)) = policy().register(&request, RegistrationFacts::default(), at(0)) else {
        panic!("a newcomer is registered")
    };
    assert_eq!(change.account().status, AccountStatus::PendingPayment, "who must pay first, waits for that payment");
    assert_eq!(change.account().payment_method, PaymentMethod::BankTransfer);
    assert_eq!(*change.site(), Site { id: 9.into(), account: 7.into() });
    let subscription = change.subscription().unwrap();
    assert_eq!((&subscription.id, &subscription.account), (&10.into(), &7.into()));
    assert_eq!(subscription.status, SubscriptionStatus::Incomplete);
    assert_eq!(change.wallet().wallet().balance().free, credits(50));
    assert_eq!(change.wallet().outcome().unwrap().outcome().key(), format!("grant/registration/{}", subject(1)));
    assert_eq!(change.registered().owner, 8.into());

    let free = Registration { plan: Arc::new(plan(0, false)), ..request };
    let Ok(Answer::Fresh(change)) = policy().register(&free, RegistrationFacts::default(), at(0)) else {
        panic!("a newcomer is registered")
    };
    assert_eq!(change.account().status, AccountStatus::Active);
    assert!(change.subscription().is_none());
}

#[test]
fn b7_a_payment_method_that_is_not_enabled_is_coming_soon() {
    for method in [PaymentMethod::Stripe, PaymentMethod::Paypal] {
        let request = Registration {
            key: "first".parse().unwrap(),
            subject: subject(1),
            plan: Arc::new(plan(49, true)),
            payment_method: method,
            account: 7.into(),
            owner: 8.into(),
            site: 9.into(),
            subscription: 10.into(),
        };
        let refused = policy().register(&request, RegistrationFacts::default(), at(0)).unwrap_err();
        assert_eq!(refused, RegistrationError::ComingSoon(method));
        assert_eq!(refused.to_string(), format!("payment by {} is coming soon", method.as_str()));
        let inactive = Plan { active: false, ..plan(49, true) };
        let request = Registration { payment_method: PaymentMethod::BankTransfer, plan: Arc::new(inactive), ..request };
        let refused = policy().register(&request, RegistrationFacts::default(), at(0));
        assert_eq!(refused, Err(RegistrationError::PlanInactive));
    }
}

#[test]
fn a_subject_is_its_digest_in_hexadecimal() {
    let text = "00ff".repeat(16);
    assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
    for wrong in ["", "00", &"0g".repeat(32), &"0F".repeat(32), &"00".repeat(33)] {
        assert_eq!(wrong.parse::<Subject>(), Err(SubjectError), "{wrong}");
    }
}
