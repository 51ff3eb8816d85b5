//! Registration: B6 and B7, over a host in memory that writes change sets whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::*;
use bailiwick::account::AccountStatus;
use bailiwick::change::{Answer, RowError};
use bailiwick::credit::{Change, IdempotencyKey, Outcome};
use bailiwick::gate::Denial;
use bailiwick::id::UserId;
use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::{Interval, Period};
use bailiwick::policy::PolicySettings;
use bailiwick::problem::Explained;
use bailiwick::registration::{
    Invitation, JoinError, JoinFacts, Registered, Registration, RegistrationError,
    RegistrationFacts, Subject, SubjectError, SubjectRecord, TrialError, TrialFacts,
};
use bailiwick::subscription::{Command, Effect, RefusalReason, Resubscription, SubscriptionStatus};
use bailiwick::tenant::Site;
use bailiwick::{
    Account, AccountId, Code, Plan, Policy, Principal, Subscription, Tenant, Wallet, WriteAccess,
    validate_account_and_plan,
};
use proptest::prelude::*;

/// The seconds after a trial or period for which a payment is waited for.
const SLACK: i64 = 10;

fn policy() -> Policy {
    Policy::load(PolicySettings {
        registration_credits: credits(50),
        renewal_slack_seconds: SLACK.unsigned_abs(),
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
        trial_until: None,
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
    subscriptions: BTreeMap<AccountId, Subscription>,
    outcomes: BTreeMap<(AccountId, String), Outcome>,
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
        trial_until: Option<i64>,
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
            trial_until: trial_until.map(at),
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
                for (version, change) in (0..).zip(change.wallets()) {
                    assert_eq!(change.expected_version(), version);
                    self.write_wallet(change);
                }
                if let Some(subscription) = change.subscription() {
                    self.subscriptions
                        .insert(request.account.clone(), subscription.clone());
                }
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

    /// Writes a wallet, and the outcome of its command.
    fn write_wallet<T>(&mut self, change: &Change<T>) {
        let account = change.wallet().account().clone();
        if let Some(write) = change.outcome() {
            let outcome = write.outcome().clone();
            let key = (account.clone(), outcome.key().to_owned());
            assert!(self.outcomes.insert(key, outcome).is_none(), "granted once");
        }
        self.wallets.insert(account, change.wallet().clone());
    }

    /// Starts a trial for an identity, of its account's subscription; whether it brought credits.
    fn start_trial(&mut self, subject: Subject, plan: Plan) -> Result<bool, TrialError> {
        let record = self.subjects[&subject].clone();
        let account = record.account.clone().unwrap();
        let key = (account.clone(), TrialFacts::OUTCOME.to_owned());
        let facts = TrialFacts {
            account: self.accounts[&account].clone(),
            subscription: self.subscriptions[&account].clone(),
            plan: Arc::new(plan),
            subject: record.clone(),
            prior: self.outcomes.get(&key).cloned(),
        };
        let change = policy().start_trial(facts, at(100), at(1))?;

        assert_eq!(change.subject().expected_version(), record.version);
        self.subjects
            .insert(subject, change.subject().row().clone());
        if let Some(written) = change.account() {
            self.accounts.insert(account.clone(), written.row().clone());
        }
        let transition = change.transition();
        assert_eq!(
            self.subscriptions[&account].version,
            transition.expected_version()
        );
        self.subscriptions
            .insert(account.clone(), transition.subscription().clone());
        let Some(due) = change.grant() else {
            return Ok(false);
        };
        assert_eq!(due.key(), TrialFacts::OUTCOME);
        let granted = self.wallets[&account].clone().grant_due(due, None, at(1));
        self.write_wallet(&granted.unwrap().unwrap());
        Ok(true)
    }

    /// Cancels an account's subscription and subscribes anew.
    fn subscribe_anew(&mut self, account: &AccountId, plan: &Plan) {
        self.next += 1;
        let now = at(1);
        let former = self.subscriptions[account].clone();
        let former = match former.clone().apply(Command::CancelNow, now) {
            Ok(done) => done.into_subscription(),
            Err(_) => former,
        };
        let choice = Resubscription {
            id: format!("again-{}", self.next).parse().unwrap(),
            plan: Arc::new(plan.clone()),
            payment_method: PaymentMethod::BankTransfer,
        };
        let owner = &self.accounts[account];
        let next = policy()
            .resubscribe(owner, &former, &[], &choice, now)
            .unwrap();
        let (owner, subscription) = (next.account().row(), next.subscription().row());
        self.subscriptions
            .insert(account.clone(), subscription.clone());
        self.accounts.insert(account.clone(), owner.clone());
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
        self.subscriptions.remove(account);
        self.outcomes.retain(|(of, _), _| of != account);
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
                    match (host.register(key, subject(number), plan, None), known) {
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
        trial_until: None,
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
    assert_eq!(change.account().registered_at, Some(at(0)));
    let [opened] = change.wallets() else {
        panic!("without a trial there is one change")
    };
    assert_eq!(opened.wallet().balance().free, credits(50));
    assert_eq!(
        opened.outcome().unwrap().outcome().key(),
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

/// A plan whose trial brings 70 credits.
fn tried() -> Plan {
    Plan {
        trial_credits: Some(credits(70)),
        ..plan(49, true)
    }
}

#[derive(Clone, Debug)]
enum Trial {
    Register { subject: u8, trial: bool },
    Join { subject: u8, host: u8 },
    Start(u8),
    SubscribeAnew(u8),
    Delete(u8),
}

fn any_trial() -> impl Strategy<Value = Trial> {
    let subjects = || 0u8..4;
    prop_oneof![
        3 => (subjects(), any::<bool>()).prop_map(|(subject, trial)| Trial::Register { subject, trial }),
        2 => (subjects(), subjects()).prop_map(|(subject, host)| Trial::Join { subject, host }),
        4 => subjects().prop_map(Trial::Start),
        4 => subjects().prop_map(Trial::SubscribeAnew),
        1 => subjects().prop_map(Trial::Delete),
    ]
}

proptest! {
    /// Whatever people do with registrations, invitations and subscriptions, an identity and an
    /// account have the gift of one trial, and are told of it.
    #[test]
    fn pg1_an_identity_and_an_account_have_one_trial(
        steps in prop::collection::vec(any_trial(), 1..40),
    ) {
        let mut host = Host::default();
        let (mut people, mut accounts) = (BTreeMap::<u8, u32>::new(), BTreeMap::<AccountId, u32>::new());
        let account_of = |host: &Host, number: u8| {
            host.subjects.get(&subject(number)).and_then(|record| record.account.clone())
        };

        for (key, step) in (0u8..).zip(steps) {
            match step {
                Trial::Register { subject: number, trial } => {
                    let live = account_of(&host, number).is_some();
                    match host.register(key, subject(number), tried(), trial.then_some(100)) {
                        Ok(Answer::Fresh(registered)) => {
                            prop_assert!(!live);
                            if trial {
                                *people.entry(number).or_default() += 1;
                                *accounts.entry(registered.account.clone()).or_default() += 1;
                            }
                            let free = host.wallets[&registered.account].balance().free;
                            prop_assert_eq!(registered.credits, free, "what it began with");
                        }
                        Err(RegistrationError::AlreadyRegistered) => prop_assert!(live),
                        Err(RegistrationError::TrialUsed) => prop_assert!(trial && people.contains_key(&number)),
                        answer => prop_assert!(false, "{:?}", answer),
                    }
                }
                Trial::Join { subject: number, host: of } => {
                    let Some(account) = account_of(&host, of) else { continue };
                    let _ = host.join(&account, subject(number));
                }
                Trial::Start(number) => {
                    let Some(account) = account_of(&host, number) else { continue };
                    let used = people.contains_key(&number) || accounts.contains_key(&account);
                    let waits = host.subscriptions[&account].status == SubscriptionStatus::Incomplete;
                    match host.start_trial(subject(number), tried()) {
                        Ok(brings) => {
                            prop_assert!(brings && waits && !used);
                            *people.entry(number).or_default() += 1;
                            *accounts.entry(account.clone()).or_default() += 1;
                            prop_assert_eq!(host.accounts[&account].status, AccountStatus::Active);
                        }
                        Err(TrialError::TrialUsed) => prop_assert!(used),
                        Err(TrialError::Refused(_)) => prop_assert!(!waits),
                        Err(error) => prop_assert!(false, "{:?}", error),
                    }
                }
                Trial::SubscribeAnew(number) => {
                    let Some(account) = account_of(&host, number) else { continue };
                    host.subscribe_anew(&account, &tried());
                }
                Trial::Delete(number) => {
                    let Some(account) = account_of(&host, number) else { continue };
                    host.delete(&account);
                }
            }
        }
        prop_assert!(people.values().chain(accounts.values()).all(|times| *times == 1));
    }
}

/// Canceling and subscribing anew brings no second trial.
#[test]
fn p8_four_trials_by_subscribing_anew_are_one() {
    let mut host = Host::default();
    let answer = host.register(0, subject(1), tried(), Some(100)).unwrap();
    let account = answer.into_inner().account;
    for _ in 0..3 {
        host.subscribe_anew(&account, &tried());
        let refused = host.start_trial(subject(1), tried());
        assert_eq!(refused, Err(TrialError::TrialUsed));
    }
    assert_eq!(host.wallets[&account].balance().free, credits(50 + 70));
    // Nor does an account that is deleted.
    host.delete(&account);
    let refused = host.register(1, subject(1), tried(), Some(100));
    assert_eq!(refused, Err(RegistrationError::TrialUsed));
    assert_eq!(RegistrationError::TrialUsed.code(), Code::TrialUsed);
    let fresh = host.register(1, subject(1), tried(), None).unwrap();
    assert_eq!(fresh.into_inner().credits, credits(0));
}

/// One step: the subscription in trial, the account active, both gifts, and the record of it.
#[test]
fn pg1_a_registration_begins_with_its_trial() {
    let request = Registration {
        plan: Arc::new(tried()),
        trial_until: Some(at(100)),
        ..newcomer(PaymentMethod::BankTransfer)
    };
    let register = |request: &Registration, facts| policy().register(request, facts, at(0));
    let Ok(Answer::Fresh(change)) = register(&request, RegistrationFacts::default()) else {
        panic!("a newcomer is registered")
    };
    assert_eq!(change.account().status, AccountStatus::Active);
    assert_eq!(change.account().registered_at, Some(at(0)));
    let subscription = change.subscription().unwrap();
    assert_eq!(
        (
            subscription.status,
            subscription.trial_end,
            subscription.version
        ),
        (SubscriptionStatus::Trialing, Some(at(100)), 1)
    );
    let record = change.subject();
    assert!(record.row().had_trial);
    assert_eq!((record.expected_version(), record.row().version), (0, 1));
    let [opened, gift] = change.wallets() else {
        panic!("first credits, and those of the trial")
    };
    assert_eq!((opened.expected_version(), gift.expected_version()), (0, 1));
    let key = gift.outcome().unwrap().outcome().key();
    assert_eq!(key, TrialFacts::OUTCOME);
    let wallet = gift.wallet();
    assert_eq!(wallet.balance().free, credits(120));
    assert_eq!(change.registered().credits, credits(120));
    // To the trial's end and the slack; the first credits for ever.
    let free = |now| wallet.balance_at(at(now)).unwrap().free;
    assert_eq!(
        (free(99 + SLACK), free(100 + SLACK)),
        (credits(120), credits(50))
    );

    // The same request again, with another end; without a trial it is another request.
    let facts = RegistrationFacts {
        by_key: Some(change.registered().clone()),
        by_subject: Some(record.row().clone()),
    };
    let later = Registration {
        trial_until: Some(at(200)),
        ..request.clone()
    };
    let answer = register(&later, facts.clone());
    assert_eq!(answer, Ok(Answer::Replayed(change.registered().clone())));
    let without = Registration {
        trial_until: None,
        ..request.clone()
    };
    let refused = register(&without, facts);
    assert_eq!(refused, Err(RegistrationError::KeyReused));

    // A trial that is empty, and one of what costs nothing.
    let free = plan(0, true);
    let granted = Plan {
        needs_subscription: false,
        ..tried()
    };
    for (plan, until) in [(tried(), 0), (free, 100), (granted, 100)] {
        let request = Registration {
            plan: Arc::new(plan),
            trial_until: Some(at(until)),
            ..request.clone()
        };
        let refused = register(&request, RegistrationFacts::default());
        assert_eq!(refused, Err(RegistrationError::TrialInvalid));
    }
}

/// What a trial brought is a gift: money changes nothing about it.
#[test]
fn pg1_paying_does_not_lower_the_gift() {
    let mut host = Host::default();
    let registered = host.register(0, subject(1), tried(), Some(100)).unwrap();
    let account = registered.into_inner().account;
    let now = at(50);
    let month = Interval::MONTHLY.period(now, 0).unwrap();
    let span = Span {
        key: "transfer/1".into(),
        payment: "transfer/1".into(),
        period: BilledPeriod::Whole(month),
        from: now,
        grid: Grid::of_plan(&tried()),
        amount: credits(500),
        made: now,
        received: now,
    };
    let paid_time = PaidTime::new(account.clone(), host.subscriptions[&account].id.clone());
    let paid_time = paid_time.record([Fact::Span(span)]).unwrap().unwrap();
    let schedule = paid_time.row().schedule();
    let wallet = host.wallets[&account].clone();
    let aligned = wallet
        .align(&schedule, policy().align_terms(), now)
        .unwrap()
        .unwrap();

    let free = |now| aligned.wallet().balance_at(at(now)).unwrap().free;
    assert_eq!(free(50), credits(50 + 70 + 500));
    assert_eq!(free(99 + SLACK), credits(50 + 70 + 500));
    assert_eq!(free(100 + SLACK), credits(50 + 500));
}

#[test]
fn pg1_rows_of_a_trial_belong_together() {
    let account = crate::support::account(7, AccountStatus::PendingPayment);
    let facts = TrialFacts {
        subscription: Subscription::new(
            9.into(),
            7.into(),
            1.into(),
            PaymentMethod::BankTransfer,
            at(0),
        ),
        plan: Arc::new(tried()),
        subject: SubjectRecord {
            subject: subject(1),
            account: Some(7.into()),
            had_trial: false,
            version: 4,
        },
        prior: None,
        account,
    };
    let start = |facts: TrialFacts, until| policy().start_trial(facts, at(until), at(1));
    let change = start(facts.clone(), 100).unwrap();
    let trial = Period {
        start: at(1),
        end: at(100),
    };
    let done = change.transition();
    assert_eq!(done.subscription().current_period, Some(trial));
    let opens = |effect: &Effect| matches!(effect, Effect::PeriodPaid { .. });
    assert!(
        !done.effects().any(opens),
        "nothing is paid beside the gift"
    );
    let terms = change.grant().unwrap().terms();
    assert_eq!(
        (terms.amount, terms.expires_at),
        (credits(70), Some(at(100 + SLACK)))
    );
    assert_eq!(change.subject().expected_version(), 4);
    assert_eq!(
        change.account().unwrap().row().status,
        AccountStatus::Active
    );
    // Where the plan names no amount, it is the plan's own; zero brings nothing.
    for (trial_credits, amount) in [(None, Some(credits(500))), (Some(credits(0)), None)] {
        let plan = Arc::new(Plan {
            trial_credits,
            ..tried()
        });
        let change = start(
            TrialFacts {
                plan,
                ..facts.clone()
            },
            100,
        )
        .unwrap();
        assert_eq!(change.grant().map(|due| due.terms().amount), amount);
    }

    let of = |account: i64| Subscription {
        account: account.into(),
        ..facts.subscription.clone()
    };
    let known = |account: Option<i64>, had_trial| SubjectRecord {
        account: account.map(Into::into),
        had_trial,
        ..facts.subject.clone()
    };
    let refused = |facts| start(facts, 100).unwrap_err();
    let foreign = TrialFacts {
        subscription: of(8),
        ..facts.clone()
    };
    let expected = mismatch("subscription", "account");
    assert_eq!(refused(foreign), TrialError::Row(expected));
    let other = TrialFacts {
        plan: Arc::new(Plan {
            id: 2.into(),
            ..tried()
        }),
        ..facts.clone()
    };
    let expected = mismatch("plan", "subscription");
    assert_eq!(refused(other), TrialError::Row(expected));
    for account in [None, Some(8)] {
        let stranger = TrialFacts {
            subject: known(account, true),
            ..facts.clone()
        };
        let expected = mismatch("record of the subject", "account");
        assert_eq!(refused(stranger), TrialError::Row(expected));
    }
    let used = TrialFacts {
        subject: known(Some(7), true),
        ..facts.clone()
    };
    assert_eq!(refused(used), TrialError::TrialUsed);
    let Err(TrialError::Refused(refusal)) = start(facts.clone(), 1) else {
        panic!("an empty trial is refused")
    };
    assert_eq!(refusal.reason(), RefusalReason::TrialEmpty);
    // What costs nothing starts by itself.
    let free = TrialFacts {
        plan: Arc::new(plan(0, true)),
        ..facts
    };
    let TrialError::Refused(refusal) = refused(free) else {
        panic!("a plan without a price has no trial")
    };
    assert_eq!(refusal.reason(), RefusalReason::Started);
}

/// A record of before there were trials has had none.
#[test]
fn pg1_an_old_record_of_a_subject_is_read() {
    let text = format!(
        r#"{{ "subject": "{}", "account": 7, "version": 2 }}"#,
        subject(1)
    );
    let record: SubjectRecord = serde_json::from_str(&text).unwrap();
    assert!(!record.had_trial);
}

/// A plan without a price needs no payment: the account is active, its subscription begun, and the
/// gate lets it in.
#[test]
fn b6_a_registration_to_a_plan_without_a_price_has_begun() {
    let request = Registration {
        plan: Arc::new(plan(0, true)),
        ..newcomer(PaymentMethod::BankTransfer)
    };
    let Ok(Answer::Fresh(change)) =
        policy().register(&request, RegistrationFacts::default(), at(0))
    else {
        panic!("a newcomer is registered")
    };
    assert_eq!(change.account().status, AccountStatus::Active);
    let subscription = change.subscription().unwrap();
    assert_eq!(
        (subscription.status, subscription.version),
        (SubscriptionStatus::Active, 1)
    );
    assert!(subscription.free_period);
    let tenant = Tenant {
        account: change.account().clone(),
        plan: Some(request.plan.clone()),
        subscription: Some(subscription.clone()),
        ..tenant(7)
    };
    let principal = Principal::session(8.into()).of_account(7.into());
    for now in [0, 1_000_000_000] {
        assert!(validate_account_and_plan(&principal, Some(&tenant), at(now)).is_ok());
    }
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
        had_trial: false,
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
            had_trial: false,
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
            had_trial: false,
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
            had_trial: false,
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
