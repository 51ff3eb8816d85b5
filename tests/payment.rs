//! Bank transfers: B5 and B7.

mod support;

use std::sync::Arc;

use bailiwick::*;
use proptest::prelude::*;
use support::*;

const TENANT: i64 = 7;
const PROOF: &str = "https://bank.example/statement/1";

fn transfer(transaction: &str, amount: i64) -> BankTransfer {
    let receiving = "DE02120300000000202051".parse().unwrap();
    BankTransfer::new(receiving, transaction.parse().unwrap(), euros(amount), "Wayne Ltd", PROOF).unwrap()
}

fn facts(status: AccountStatus, subscription: SubscriptionStatus) -> TransferFacts {
    let period = Period { start: at(-30 * 86_400), end: at(1_000) };
    let new = Subscription::new(9.into(), TENANT.into(), 1.into(), PaymentMethod::Stripe, at(-30 * 86_400));
    let subscription = Subscription {
        status: subscription,
        current_period: (subscription != SubscriptionStatus::Incomplete).then_some(period),
        trial_end: (subscription == SubscriptionStatus::Trialing).then_some(at(1_000)),
        past_due_since: (subscription == SubscriptionStatus::PastDue).then_some(at(-5)),
        ..new
    };
    TransferFacts {
        account: Account { payment_method: PaymentMethod::Stripe, ..account(TENANT, status) },
        plan: Arc::new(plan(49, true)),
        subscription: Some(subscription),
        wallet: Wallet::open(TENANT.into(), at(0)).advance(at(0)).unwrap().wallet().clone(),
        prior: None,
    }
}

fn confirm(
    transfer: &BankTransfer,
    facts: TransferFacts,
) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
    Policy::default().confirm_bank_transfer(&operator(Privilege::ConfirmPayments), transfer, facts, at(10))
}

fn fresh(answer: Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError>) -> TransferChange {
    match answer.unwrap() {
        Answer::Fresh(change) => change,
        Answer::Replayed(record) => panic!("replayed {record:?}"),
    }
}

const LIVE: [SubscriptionStatus; 6] = [
    SubscriptionStatus::Incomplete,
    SubscriptionStatus::Trialing,
    SubscriptionStatus::Active,
    SubscriptionStatus::PastDue,
    SubscriptionStatus::Unpaid,
    SubscriptionStatus::Paused,
];

#[test]
fn b5_a_confirmed_transfer_opens_the_service_and_tops_up_once() {
    for status in LIVE {
        let facts = facts(AccountStatus::PendingPayment, status);
        let (account_version, wallet_version) = (facts.account.version, facts.wallet.version());
        let subscription_version = facts.subscription.as_ref().unwrap().version;
        let change = fresh(confirm(&transfer("tx-1", 49), facts.clone()));

        let account = change.account();
        assert_eq!((account.expected_version(), account.row().version), (account_version, account_version + 1));
        assert_eq!(account.row().status, AccountStatus::Active);
        assert_eq!(account.row().payment_method, PaymentMethod::BankTransfer);

        let subscription = change.subscription().unwrap();
        assert_eq!(subscription.expected_version(), subscription_version);
        let paid = subscription.row();
        assert_eq!(paid.status, SubscriptionStatus::Active, "from {status:?}");
        assert_eq!(paid.payment_method, PaymentMethod::BankTransfer);
        assert_eq!(paid.external_payment_id.as_deref(), Some("TX-1"));
        assert!(paid.past_due_since.is_none());
        assert!(paid.current_period.unwrap().end > at(10), "paid for some time from now on");

        assert_eq!(change.wallet().expected_version(), wallet_version);
        assert_eq!(change.wallet().wallet().balance().free, credits(500));
        assert_eq!(change.record().credits, credits(500));
        assert_eq!(change.record().confirmed_by, Some(UserId::from(2)));

        // The tenant is admitted now.
        let tenant = Tenant {
            account: account.row().clone(),
            plan: Some(facts.plan.clone()),
            subscription: Some(paid.clone()),
            sites: Arc::new([]),
        };
        let principal = Principal::session(5.into()).of_account(TENANT.into());
        assert!(validate_account_and_plan(&principal, Some(&tenant), at(10)).is_ok(), "from {status:?}");

        // Confirmed again, with other spelling, proof and operator: the same answer, nothing to write.
        let again = BankTransfer::new(
            " de02 1203 0000 0000 2020 51 ".parse().unwrap(),
            " tx-1".parse().unwrap(),
            euros(49),
            "wayne limited",
            "https://bank.example/another",
        );
        let later = TransferFacts {
            account: account.row().clone(),
            subscription: Some(paid.clone()),
            wallet: change.wallet().wallet().clone(),
            prior: Some(change.record().clone()),
            ..facts
        };
        assert_eq!(confirm(&again.unwrap(), later), Ok(Answer::Replayed(change.record().clone())));
    }
}

#[test]
fn b5_the_same_transfer_with_other_facts_is_a_conflict() {
    let first =
        fresh(confirm(&transfer("tx-1", 49), facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete)));
    let with_prior = |facts: TransferFacts| TransferFacts { prior: Some(first.record().clone()), ..facts };
    let own = facts(AccountStatus::Active, SubscriptionStatus::Active);

    let more = confirm(&transfer("tx-1", 50), with_prior(own.clone())).unwrap_err();
    assert_eq!(more.code(), Code::TransferConflict);

    let mut other = with_prior(own.clone());
    other.account.id = 8.into();
    assert_eq!(confirm(&transfer("tx-1", 49), other).unwrap_err().code(), Code::TransferConflict, "another account");

    let mut other = with_prior(own);
    other.subscription.as_mut().unwrap().id = 10.into();
    assert_eq!(
        confirm(&transfer("tx-1", 49), other).unwrap_err().code(),
        Code::TransferConflict,
        "another subscription"
    );
}

#[test]
fn b5_a_payment_lifts_a_suspension_for_payment_and_no_other() {
    use AccountStatus::{Active, Closed, PendingPayment, Suspended, Unknown};
    for (before, after) in [
        (PendingPayment, Ok(Active)),
        (Active, Ok(Active)),
        (Suspended(SuspensionCause::PaymentOverdue), Ok(Active)),
        (Suspended(SuspensionCause::Abuse), Ok(Suspended(SuspensionCause::Abuse))),
        (Suspended(SuspensionCause::Requested), Ok(Suspended(SuspensionCause::Requested))),
        (Closed, Err(ConfirmError::Denied(Denial::AccountClosed))),
        (Unknown, Err(ConfirmError::Denied(Denial::AccountStatusUnknown))),
    ] {
        let answer = confirm(&transfer("tx-1", 49), facts(before, SubscriptionStatus::PastDue));
        match after {
            Ok(after) => assert_eq!(fresh(answer).account().row().status, after),
            Err(error) => assert_eq!(answer, Err(error)),
        }
    }
}

#[test]
fn b5_only_a_privileged_operator_of_another_account_confirms() {
    let facts = || facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete);
    let (policy, transfer) = (Policy::default(), transfer("tx-1", 49));
    let own = operator_of(TENANT, Privilege::ConfirmPayments);
    assert_eq!(policy.confirm_bank_transfer(&own, &transfer, facts(), at(0)), Err(ConfirmError::ByPayer));
    let other = operator(Privilege::GrantCredits);
    let denied = ConfirmError::Denied(Denial::PrivilegeMissing(Privilege::ConfirmPayments));
    assert_eq!(policy.confirm_bank_transfer(&other, &transfer, facts(), at(0)), Err(denied));
}

#[test]
fn b5_what_is_not_the_price_is_refused_and_changes_nothing() {
    let facts = || facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete);
    let dollars = BankTransfer::new(
        "DE02".parse().unwrap(),
        "tx".parse().unwrap(),
        Money::new(49.into(), Currency::USD).unwrap(),
        "Wayne",
        PROOF,
    );
    assert_eq!(confirm(&dollars.unwrap(), facts()).unwrap_err().code(), Code::CurrencyMismatch);
    assert!(matches!(confirm(&transfer("tx", 48), facts()), Err(ConfirmError::BelowPrice { .. })));
    assert_eq!(fresh(confirm(&transfer("tx", 60), facts())).record().transfer.amount(), euros(60), "above: recorded");
    for terminal in [SubscriptionStatus::Canceled, SubscriptionStatus::IncompleteExpired] {
        let mut ended = facts();
        ended.subscription.as_mut().unwrap().status = terminal;
        assert_eq!(confirm(&transfer("tx", 49), ended).unwrap_err().code(), Code::TransitionRefused);
    }
    let missing = TransferFacts { subscription: None, ..facts() };
    assert_eq!(confirm(&transfer("tx", 49), missing), Err(ConfirmError::SubscriptionMissing));
    let mut foreign = facts();
    foreign.subscription.as_mut().unwrap().account = 8.into();
    assert_eq!(confirm(&transfer("tx", 49), foreign), Err(ConfirmError::Wallet(WalletError::Mismatch)));
    let foreign = TransferFacts { wallet: Wallet::open(8.into(), at(0)), ..facts() };
    assert_eq!(confirm(&transfer("tx", 49), foreign), Err(ConfirmError::Wallet(WalletError::Mismatch)));
}

#[test]
fn b5_a_year_brings_the_credits_of_twelve_months_and_another_plan_is_refused() {
    let facts = || facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete);
    let yearly = Plan { interval: Interval::YEARLY, ..plan(49, true) };
    let change = fresh(confirm(&transfer("tx-1", 49), TransferFacts { plan: Arc::new(yearly), ..facts() }));
    assert_eq!(change.record().credits, credits(6000));
    assert_eq!(change.wallet().wallet().balance().free, credits(6000));
    let other = Plan { id: 2.into(), ..plan(49, true) };
    let refused = confirm(&transfer("tx-1", 49), TransferFacts { plan: Arc::new(other), ..facts() });
    assert_eq!(refused, Err(ConfirmError::PlanMismatch));
}

#[test]
fn b5_no_service_is_free_and_no_week_brings_a_month() {
    // Seven days of grace, paid on the sixth: the next period starts where the last one ended.
    let grace = GraceSettings { seconds: 7 * 86_400, mode: GraceMode::Full };
    let settings = PolicySettings { past_due_grace: Some(grace), ..PolicySettings::default() };
    let late = facts(AccountStatus::Active, SubscriptionStatus::PastDue);
    let end = late.subscription.as_ref().unwrap().current_period.unwrap().end;
    let now = end + chrono::TimeDelta::try_days(6).unwrap();
    let operator = operator(Privilege::ConfirmPayments);
    let confirmed = Policy::load(settings).unwrap().confirm_bank_transfer(&operator, &transfer("tx-1", 49), late, now);
    assert_eq!(fresh(confirmed).subscription().unwrap().row().current_period.unwrap().start, end);

    let weekly = Interval { unit: IntervalUnit::Week, count: std::num::NonZeroU16::MIN };
    let plan = Arc::new(Plan { interval: weekly, ..plan(49, true) });
    let facts = TransferFacts { plan, ..facts(AccountStatus::Active, SubscriptionStatus::Active) };
    assert_eq!(confirm(&transfer("tx-1", 49), facts), Err(ConfirmError::IntervalTooShort));
}

#[test]
fn b7_a_method_that_is_not_enabled_is_coming_soon() {
    let settings = PolicySettings { payment_methods: [PaymentMethod::Stripe].into(), ..PolicySettings::default() };
    let policy = Policy::load(settings).unwrap();
    let facts = facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete);
    let operator = operator(Privilege::ConfirmPayments);
    let refused = policy.confirm_bank_transfer(&operator, &transfer("tx-1", 49), facts, at(0)).unwrap_err();
    assert_eq!(refused, ConfirmError::ComingSoon);
    assert!(refused.to_string().contains("coming soon"));
}

#[test]
fn the_facts_of_a_transfer_are_checked() {
    let new = |payer: &str, proof: &str| {
        BankTransfer::new("DE02".parse().unwrap(), "tx".parse().unwrap(), euros(49), payer, proof).map(drop)
    };
    assert_eq!(new("Wayne", PROOF), Ok(()));
    assert_eq!(new("Wayne", &"0f".repeat(32)), Ok(()));
    for proof in ["", "http://bank.example/1", "https://", "https://a b", &"0F".repeat(32), &"0f".repeat(31)] {
        assert_eq!(new("Wayne", proof), Err(TransferError::Proof), "{proof}");
    }
    for payer in ["", "  ", &"x".repeat(501)] {
        assert_eq!(new(payer, PROOF), Err(TransferError::Payer));
    }
    for reference in ["", " ", "é", "a\nb", &"x".repeat(65)] {
        assert_eq!(reference.parse::<BankReference>(), Err(TransferError::Reference));
    }
}

proptest! {
    /// Two pairs of references never share the key of their grant: no transfer can take another's place.
    #[test]
    fn b5_the_grants_of_two_transfers_never_share_a_key(
        a in "[0-9A-Z/]{1,6}", b in "[0-9A-Z/]{1,6}", c in "[0-9A-Z/]{1,6}", d in "[0-9A-Z/]{1,6}",
    ) {
        let key = |receiving: &str, transaction: &str| {
            let (receiving, transaction) = (receiving.parse().unwrap(), transaction.parse().unwrap());
            let transfer = BankTransfer::new(receiving, transaction, euros(49), "Wayne", PROOF).unwrap();
            let change = fresh(confirm(&transfer, facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete)));
            change.wallet().outcome().unwrap().outcome().key().to_owned()
        };
        prop_assert_eq!(key(&a, &b) == key(&c, &d), (&a, &b) == (&c, &d));
    }
}
