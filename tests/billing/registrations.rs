//! Registration: B6 and B7, over a host in memory that writes change sets whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::*;
use bailiwick::account::AccountStatus;
use bailiwick::change::{Answer, RowError};
use bailiwick::credit::IdempotencyKey;
use bailiwick::gate::Denial;
use bailiwick::id::UserId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::policy::PolicySettings;
use bailiwick::problem::Explained;
use bailiwick::registration::{
    Invitation, JoinError, JoinFacts, Registered, Registration, RegistrationError,
    RegistrationFacts, Subject, SubjectError, SubjectRecord,
};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::tenant::Site;
use bailiwick::{
    Account, AccountId, Code, Plan, Policy, Principal, Tenant, Wallet, WriteAccess,
    validate_account_and_plan,
};
use proptest::prelude::*;

fn policy() -> Policy {
    Policy::load(PolicySettings {
        registration_credits: credits(50),
        ..PolicySettings::default()
    })
    .unwrap()
}

fn subject(number: u8) -> Subject {
    Subject::from_digest([number; 32])
}

fn mismatch(left: &'static str, right: &'static str) -> RowError {
    RowError::Mismatch { left, right }
}

/// A request of the first subject for account 7.
fn newcomer(payment_method: PaymentMethod) -> Registration {
    Registration {
        key: "first".parse().unwrap(),
        subject: subject(1),
        plan: Arc::new(plan(49, true)),
        payment_method,
        account: 7.into(),
        owner: 8.into(),
        site: 9.into(),
        subscription: 10.into(),
    }
}

/// The rows of a host, under the unique keys that a change set names.
#[derive(Default)]
struct Host {
    accounts: BTreeMap<AccountId, Account>,
    wallets: BTreeMap<AccountId, Wallet>,
    registered: BTreeMap<(Subject, IdempotencyKey), Registered>,
    subjects: BTreeMap<Subject, SubjectRecord>,
    invitations: BTreeMap<(AccountId, Subject), Invitation>,
    next: i64,
}

/// A member of an account, who may write.
fn member(account: &AccountId) -> WriteAccess {
    let tenant = Tenant {
        account: Account {
            id: account.clone(),
            ..crate::support::account(0, AccountStatus::Active)
        },
        ..tenant(0)
    };
    let principal = Principal::session(1.into()).of_account(account.clone());
    validate_account_and_plan(&principal, Some(&tenant), at(0))
        .unwrap()
        .into_write()
        .unwrap()
}

impl Host {
    fn register(
        &mut self,
        key: u8,
        subject: Subject,
        plan: Plan,
    ) -> Result<Answer<Registered>, RegistrationError> {
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
            by_key: self
                .registered
                .get(&(subject, request.key.clone()))
                .cloned(),
            by_subject: self.subjects.get(&subject).cloned(),
        };
        match policy().register(&request, facts, at(0))? {
            Answer::Replayed(earlier) => Ok(Answer::Replayed(earlier)),
            Answer::Fresh(change) => {
                let registered = change.registered().clone();
                assert!(
                    self.accounts
                        .insert(request.account.clone(), change.account().clone())
                        .is_none()
                );
                assert_eq!(change.wallet().expected_version(), 0);
                self.wallets
                    .insert(request.account.clone(), change.wallet().wallet().clone());
                let stored = self
                    .subjects
                    .get(&subject)
                    .map_or(0, |record| record.version);
                assert_eq!(change.subject().expected_version(), stored);
                self.subjects
                    .insert(subject, change.subject().row().clone());
                assert!(
                    self.registered
                        .insert((subject, request.key), registered.clone())
                        .is_none()
                );
                Ok(Answer::Fresh(registered))
            }
        }
    }

    fn join(&mut self, account: &AccountId, subject: Subject) -> Result<Answer<UserId>, JoinError> {
        let place = (account.clone(), subject);
        if !self.invitations.contains_key(&place) {
            let invitation = Invitation::new(&member(account), subject, at(100), None)?;
            assert_eq!(invitation.expected_version(), 0);
            self.invitations
                .insert(place.clone(), invitation.into_row());
        }
        self.next += 1;
        let invitation = self.invitations[&place].clone();
        let facts = JoinFacts {
            account: self.accounts[account].clone(),
            by_subject: self.subjects.get(&subject).cloned(),
        };
        match invitation
            .clone()
            .accept(&subject, self.next.into(), facts, at(1))?
        {
            Answer::Replayed(user) => Ok(Answer::Replayed(user)),
            Answer::Fresh(change) => {
                assert_eq!(
                    (change.account(), change.user()),
                    (account, &UserId::from(self.next))
                );
                let stored = self
                    .subjects
                    .get(&subject)
                    .map_or(0, |record| record.version);
                assert_eq!(change.subject().expected_version(), stored);
                assert_eq!(change.invitation().expected_version(), invitation.version);
                self.subjects
                    .insert(subject, change.subject().row().clone());
                self.invitations
                    .insert(place, change.invitation().row().clone());
                Ok(Answer::Fresh(change.user().clone()))
            }
        }
    }

    fn delete(&mut self, account: &AccountId) {
        self.invitations.retain(|(of, _), _| of != account);
        self.accounts.remove(account);
        self.wallets.remove(account);
        for record in self
            .subjects
            .values_mut()
            .filter(|record| record.account.as_ref() == Some(account))
        {
            record.account = None;
            record.version += 1;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Register {
        key: u8,
        subject: u8,
        price: i64,
    },
    /// One identity joins the account of another.
    Join {
        subject: u8,
        host: u8,
    },
    Delete(u8),
}

proptest! {
    #[test]
    fn b6_an_identity_has_one_account_and_gets_its_first_credits_once(
        steps in prop::collection::vec(prop_oneof![
            4 => (0u8..6, 0u8..3, 0i64..2).prop_map(|(key, subject, price)| Step::Register { key, subject, price }),
            2 => (0u8..3, 0u8..3).prop_map(|(subject, host)| Step::Join { subject, host }),
            1 => (0u8..3).prop_map(Step::Delete),
        ], 1..40)
    ) {
        let mut host = Host::default();
        let mut joined = std::collections::BTreeSet::new();
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
                Step::Join { subject: number, host: of } => {
                    let Some(account) = host.subjects.get(&subject(of)).and_then(|record| record.account.clone()) else { continue };
                    let own = host.subjects.get(&subject(number)).and_then(|record| record.account.clone());
                    let wallet = host.wallets[&account].clone();
                    match host.join(&account, subject(number)) {
                        Ok(Answer::Fresh(_)) => {
                            prop_assert_eq!(own, None, "who belongs nowhere");
                            joined.insert(subject(number));
                        }
                        Ok(Answer::Replayed(_)) => prop_assert_eq!(own, Some(account.clone())),
                        Err(JoinError::AlreadyRegistered) => prop_assert!(own.is_some()),
                        Err(JoinError::NotInvited) => prop_assert_eq!(own, None, "who has left, and was not invited again"),
                        Err(error) => prop_assert!(false, "{:?}", error),
                    }
                    prop_assert_eq!(&host.wallets[&account], &wallet, "who joins seeds nothing");
                }
                Step::Register { key, subject: number, price } => {
                    let payload = price;
                    let plan = Plan { id: (price + 1).into(), ..plan(price, price > 0) };
                    let live = host.subjects.get(&subject(number)).is_some_and(|record| record.account.is_some());
                    let known = answers.get(&(number, key)).cloned();
                    match (host.register(key, subject(number), plan), known) {
                        (Ok(Answer::Fresh(registered)), None) => {
                            prop_assert!(!live);
                            prop_assert!(registered.credits.is_zero() || !joined.contains(&subject(number)));
                            if !registered.credits.is_zero() {
                                *seeded.entry(subject(number)).or_default() += 1;
                            }
                            answers.insert((number, key), (payload, registered));
                        }
                        (Ok(Answer::Replayed(registered)), Some((earlier, first))) => {
                            prop_assert!(host.accounts.contains_key(&first.account), "which is there");
                            prop_assert_eq!(payload, earlier);
                            prop_assert_eq!(registered, first, "the first answer, identifiers and all");
                        }
                        (Err(RegistrationError::KeyReused), Some((earlier, first))) => {
                            let is_gone = !host.accounts.contains_key(&first.account);
                            prop_assert!(payload != earlier || is_gone, "an account that is gone is not given out again");
                        }
                        (Err(RegistrationError::AlreadyRegistered), None) => prop_assert!(live),
                        (answer, known) => prop_assert!(false, "{:?} after {:?}", answer, known),
                    }
                }
            }
            prop_assert!(seeded.values().all(|times| *times == 1));
            let live: std::collections::BTreeSet<&AccountId> =
                host.subjects.values().filter_map(|record| record.account.as_ref()).collect();
            prop_assert_eq!(host.accounts.len(), live.len(), "no account without an identity, and none that is not there");
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
    let Ok(Answer::Fresh(change)) =
        policy().register(&request, RegistrationFacts::default(), at(0))
    else {
        panic!("a newcomer is registered")
    };
    assert_eq!(
        change.account().status,
        AccountStatus::PendingPayment,
        "who must pay first, waits for that payment"
    );
    assert_eq!(change.account().payment_method, PaymentMethod::BankTransfer);
    assert_eq!(
        *change.site(),
        Site {
            id: 9.into(),
            account: 7.into()
        }
    );
    let subscription = change.subscription().unwrap();
    assert_eq!(
        (&subscription.id, &subscription.account),
        (&10.into(), &7.into())
    );
    assert_eq!(subscription.status, SubscriptionStatus::Incomplete);
    assert_eq!(change.wallet().wallet().balance().free, credits(50));
    assert_eq!(
        change.wallet().outcome().unwrap().outcome().key(),
        format!("grant/registration/{}", subject(1))
    );
    assert_eq!(change.registered().owner, 8.into());

    let free = Registration {
        plan: Arc::new(plan(0, false)),
        ..request
    };
    let Ok(Answer::Fresh(change)) = policy().register(&free, RegistrationFacts::default(), at(0))
    else {
        panic!("a newcomer is registered")
    };
    assert_eq!(change.account().status, AccountStatus::Active);
    assert!(change.subscription().is_none());
}

#[test]
fn b6_an_invitation_is_for_one_identity_and_for_a_time() {
    let account = crate::support::account(7, AccountStatus::Active);
    let facts = |status| JoinFacts {
        account: Account {
            status,
            ..account.clone()
        },
        by_subject: None,
    };
    let active = || facts(AccountStatus::Active);
    let invitation = Invitation::new(&member(&7.into()), subject(1), at(100), None)
        .unwrap()
        .into_row();
    let accept = |subject: Subject, facts: JoinFacts, now: i64| {
        invitation
            .clone()
            .accept(&subject, 5.into(), facts, at(now))
    };
    assert_eq!(
        accept(subject(2), active(), 1),
        Err(JoinError::NotInvited),
        "a link that is passed on admits nobody"
    );
    assert_eq!(accept(subject(1), active(), 100), Err(JoinError::Expired));
    assert!(accept(subject(1), active(), 99).is_ok());
    assert_eq!(
        accept(subject(1), facts(AccountStatus::Closed), 1),
        Err(JoinError::Denied(Denial::AccountClosed))
    );
    let unknown = accept(subject(1), facts(AccountStatus::Unknown), 1);
    assert_eq!(
        unknown,
        Err(JoinError::Denied(Denial::AccountStatusUnknown))
    );
    assert!(
        accept(subject(1), facts(AccountStatus::PendingPayment), 1).is_ok(),
        "who owes may still be joined"
    );
    let mut foreign = active();
    foreign.account.id = 8.into();
    assert_eq!(
        accept(subject(1), foreign, 1),
        Err(JoinError::Row(mismatch("invitation", "account to join")))
    );
    let record = |account: Option<i64>| SubjectRecord {
        subject: subject(1),
        account: account.map(Into::into),
        version: 3,
    };
    let with = |record| JoinFacts {
        by_subject: Some(record),
        ..active()
    };
    assert_eq!(
        accept(subject(1), with(record(Some(9))), 1),
        Err(JoinError::AlreadyRegistered)
    );
    assert!(accept(subject(1), with(record(None)), 1).is_ok());
    let other = SubjectRecord {
        subject: subject(2),
        ..record(None)
    };
    assert_eq!(
        accept(subject(1), with(other), 1),
        Err(JoinError::Row(mismatch(
            "record of the subject",
            "person who accepts"
        )))
    );

    // Renewed; accepted, it stays accepted, however late and by whom it is asked again.
    let renewed =
        Invitation::new(&member(&7.into()), subject(1), at(200), Some(&invitation)).unwrap();
    assert_eq!(
        (renewed.expected_version(), renewed.row().expires_at),
        (1, at(200))
    );
    let Ok(Answer::Fresh(joined)) =
        renewed
            .into_row()
            .accept(&subject(1), 5.into(), active(), at(150))
    else {
        panic!()
    };
    let accepted = joined.invitation().row().clone();
    let belongs = || with(record(Some(7)));
    assert_eq!(
        accepted
            .clone()
            .accept(&subject(1), 6.into(), belongs(), at(999)),
        Ok(Answer::Replayed(5.into()))
    );
    let mut closed = belongs();
    closed.account.status = AccountStatus::Closed;
    let refused = accepted
        .clone()
        .accept(&subject(1), 6.into(), closed, at(999));
    assert_eq!(refused, Err(JoinError::Denied(Denial::AccountClosed)));
    // Who has left joins anew only if invited anew, as another user.
    assert_eq!(
        accepted
            .clone()
            .accept(&subject(1), 6.into(), active(), at(150)),
        Err(JoinError::NotInvited)
    );
    let renewed = Invitation::new(&member(&7.into()), subject(1), at(2000), Some(&accepted))
        .unwrap()
        .into_row();
    let refused = renewed
        .clone()
        .accept(&subject(1), 6.into(), belongs(), at(999));
    assert_eq!(refused, Err(JoinError::AlreadyRegistered));
    let Ok(Answer::Fresh(again)) =
        renewed.accept(&subject(1), 6.into(), with(record(None)), at(999))
    else {
        panic!()
    };
    assert_eq!(
        (again.user(), again.invitation().row().accepted_by.as_ref()),
        (&6.into(), Some(&6.into()))
    );
    let other =
        Invitation::new(&member(&7.into()), subject(2), at(200), Some(&invitation)).unwrap_err();
    assert_eq!(
        other,
        JoinError::Row(mismatch("invitation", "person who is invited"))
    );
    let other =
        Invitation::new(&member(&8.into()), subject(1), at(200), Some(&invitation)).unwrap_err();
    assert_eq!(
        other,
        JoinError::Row(mismatch("invitation", "account that invites"))
    );

    // A credential that is bound to sites cannot hand out more than it has.
    let own = Tenant {
        account: account.clone(),
        sites: [12.into()].into(),
        ..tenant(7)
    };
    let key = Principal::api_key(1.into())
        .of_account(7.into())
        .bound_to_sites(vec![12.into()]);
    let bound = validate_account_and_plan(&key, Some(&own), at(0))
        .unwrap()
        .into_write()
        .unwrap();
    let refused = Invitation::new(&bound, subject(1), at(100), None);
    assert_eq!(
        refused,
        Err(JoinError::Denied(Denial::AccountWideForbidden))
    );
}

#[test]
fn an_invitation_of_another_person_is_reported_as_what_it_is() {
    let member = member(&7.into());
    let invitation = Invitation::new(&member, subject(1), at(100), None)
        .unwrap()
        .into_row();
    let refused = Invitation::new(&member, subject(2), at(100), Some(&invitation)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the invitation and the person who is invited do not belong together"
    );
    assert_eq!(refused.code(), Code::WalletMismatch);

    let facts = JoinFacts {
        account: crate::support::account(7, AccountStatus::Active),
        by_subject: Some(SubjectRecord {
            subject: subject(2),
            account: None,
            version: 1,
        }),
    };
    let refused = invitation
        .accept(&subject(1), 5.into(), facts, at(1))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the record of the subject and the person who accepts do not belong together"
    );
    assert_eq!(refused.code(), Code::WalletMismatch);

    let facts = RegistrationFacts {
        by_key: None,
        by_subject: Some(SubjectRecord {
            subject: subject(2),
            account: None,
            version: 1,
        }),
    };
    let refused = policy()
        .register(&newcomer(PaymentMethod::BankTransfer), facts, at(0))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the record of the subject and the person who registers do not belong together"
    );
    assert_eq!(refused.code(), Code::WalletMismatch);
}

#[test]
fn an_exhausted_row_version_is_reported_as_what_it_is() {
    let member = member(&7.into());
    let mut invitation = Invitation::new(&member, subject(1), at(100), None)
        .unwrap()
        .into_row();
    let exhausted = |row| RowError::VersionExhausted { row };
    let facts = |version| JoinFacts {
        account: crate::support::account(7, AccountStatus::Active),
        by_subject: Some(SubjectRecord {
            subject: subject(1),
            account: None,
            version,
        }),
    };

    let refused = invitation
        .clone()
        .accept(&subject(1), 5.into(), facts(u64::MAX), at(1))
        .unwrap_err();
    assert_eq!(refused, JoinError::Row(exhausted("record of the subject")));

    let registration = RegistrationFacts {
        by_key: None,
        by_subject: facts(u64::MAX).by_subject,
    };
    let refused = policy()
        .register(&newcomer(PaymentMethod::BankTransfer), registration, at(0))
        .unwrap_err();
    assert_eq!(
        refused,
        RegistrationError::Row(exhausted("record of the subject"))
    );
    assert_eq!(refused.code(), Code::AmountOverflow);

    invitation.version = u64::MAX;
    let renewed = Invitation::new(&member, subject(1), at(200), Some(&invitation)).unwrap_err();
    let accepted = invitation
        .accept(&subject(1), 5.into(), facts(1), at(1))
        .unwrap_err();
    for refused in [renewed, accepted] {
        assert_eq!(refused, JoinError::Row(exhausted("invitation")));
        assert_eq!(
            refused.to_string(),
            "the version of the invitation is exhausted"
        );
        assert_eq!(refused.code(), Code::AmountOverflow);
    }
}

#[test]
fn b7_a_payment_method_that_is_not_enabled_is_coming_soon() {
    for method in [PaymentMethod::Stripe, PaymentMethod::Paypal] {
        let request = newcomer(method);
        let refused = policy()
            .register(&request, RegistrationFacts::default(), at(0))
            .unwrap_err();
        assert_eq!(refused, RegistrationError::ComingSoon(method));
        assert_eq!(
            refused.to_string(),
            format!("payment by {} is coming soon", method.as_str())
        );
        let inactive = Plan {
            active: false,
            ..plan(49, true)
        };
        let request = Registration {
            payment_method: PaymentMethod::BankTransfer,
            plan: Arc::new(inactive),
            ..request
        };
        let refused = policy().register(&request, RegistrationFacts::default(), at(0));
        assert_eq!(refused, Err(RegistrationError::PlanInactive));
    }
}

#[test]
fn a_subject_is_its_digest_in_hexadecimal() {
    let text = "00ff".repeat(16);
    assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
    for wrong in [
        "",
        "00",
        &"0g".repeat(32),
        &"0F".repeat(32),
        &"00".repeat(33),
    ] {
        assert_eq!(wrong.parse::<Subject>(), Err(SubjectError), "{wrong}");
    }
}
