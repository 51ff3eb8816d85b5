//! Bank transfers: B5 and B7.

use bailiwick::problem::Explained;
use std::sync::Arc;

use crate::support::*;
use bailiwick::account::{AccountStatus, SuspensionCause};
use bailiwick::bank_transfer::{
    AfterRefund, BankReference, BankTransfer, Claim, ClaimError, ClaimRequest, ClaimState,
    ConfirmError, ConfirmedTransfer, Deposit, DepositFacts, RefundFacts, TransferChange,
    TransferError, TransferFacts, TransferRefund, TransferRefundChange, TransferRefundError,
};
use bailiwick::change::{Answer, RowChange, RowError};
use bailiwick::credit::{DueGrant, GrantError, RevokeError, WalletError};
use bailiwick::gate::{BillingAccess, Denial};
use bailiwick::id::{PlanId, UserId};
use bailiwick::money::Currency;
use bailiwick::payment_method::{PaymentMethod, Provider};
use bailiwick::period::{Interval, IntervalUnit, Period};
use bailiwick::policy::{AfterRetries, GraceMode, GraceSettings, Overpayment, PolicySettings};
use bailiwick::right::Privilege;
use bailiwick::subscription::{
    Command, ProrationError, RecordedPayment, RefusalReason, SubscriptionStatus, SuccessionError,
};
use bailiwick::{
    Account, Code, Credits, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant,
    Wallet, admit, chrono, validate_account_and_plan,
};
use proptest::prelude::*;

const TENANT: i64 = 7;
const PROOF: &str = "https://bank.example/statement/1";

fn mismatch(left: &'static str, right: &'static str) -> RowError {
    RowError::Mismatch { left, right }
}

fn transfer(transaction: &str, amount: i64) -> BankTransfer {
    let receiving = "DE02120300000000202051".parse().unwrap();
    BankTransfer::new(
        receiving,
        transaction.parse().unwrap(),
        euros(amount),
        "Wayne Ltd",
        PROOF,
    )
    .unwrap()
}

fn facts(status: AccountStatus, subscription: SubscriptionStatus) -> TransferFacts {
    let period = Period {
        start: at(-30 * 86_400),
        end: at(1_000),
    };
    let new = Subscription::new(
        9.into(),
        TENANT.into(),
        1.into(),
        PaymentMethod::Stripe,
        at(-20 * 86_400),
    );
    let subscription = Subscription {
        status: subscription,
        current_period: (subscription != SubscriptionStatus::Incomplete).then_some(period),
        trial_end: (subscription == SubscriptionStatus::Trialing).then_some(at(1_000)),
        past_due_since: (subscription == SubscriptionStatus::PastDue).then_some(at(-5)),
        ..new
    };
    TransferFacts {
        account: Account {
            payment_method: PaymentMethod::Stripe,
            ..account(TENANT, status)
        },
        plan: Arc::new(plan(49, true)),
        subscription: Some(subscription),
        deposit: None,
        claim: None,
        prior: None,
    }
}

/// Grants all that is due to an empty wallet.
fn granted(due: &[DueGrant], now: i64) -> Wallet {
    due.iter().fold(
        Wallet::open(TENANT.into(), at(now)),
        |wallet, due| match wallet.clone().grant_due(due, None, at(now)).unwrap() {
            Some(change) => change.wallet().clone(),
            None => wallet,
        },
    )
}

fn under(settings: PolicySettings) -> Policy {
    Policy::load(settings).unwrap()
}

fn overpayment(overpayment: Overpayment) -> Policy {
    under(PolicySettings {
        overpayment,
        ..PolicySettings::default()
    })
}

fn confirm(
    transfer: &BankTransfer,
    facts: TransferFacts,
) -> Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError> {
    Policy::default().confirm_bank_transfer(
        &operator(Privilege::ConfirmPayments),
        transfer,
        facts,
        at(10),
    )
}

fn fresh(
    answer: Result<Answer<TransferChange, ConfirmedTransfer>, ConfirmError>,
) -> TransferChange {
    match answer.unwrap() {
        Answer::Fresh(change) => change,
        Answer::Replayed(record) => panic!("replayed {record:?}"),
    }
}

/// A payment of a plan's interval.
fn month_of(plan: &Plan) -> RecordedPayment {
    let slack = chrono::TimeDelta::zero();
    RecordedPayment {
        interval: plan.interval,
        slack,
        method: PaymentMethod::BankTransfer,
        external_id: None,
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
        let account_version = facts.account.version;
        let subscription_version = facts.subscription.as_ref().unwrap().version;
        let change = fresh(confirm(&transfer("tx-1", 49), facts.clone()));

        let account = change.account();
        assert_eq!(
            (account.expected_version(), account.row().version),
            (account_version, account_version + 1)
        );
        assert_eq!(account.row().status, AccountStatus::Active);
        assert_eq!(account.row().payment_method, PaymentMethod::BankTransfer);

        let subscription = change.subscription().unwrap();
        assert_eq!(subscription.expected_version(), subscription_version);
        let paid = subscription.row();
        assert_eq!(paid.status, SubscriptionStatus::Active, "from {status:?}");
        assert_eq!(paid.payment_method, PaymentMethod::BankTransfer);
        assert_eq!(paid.external_payment_id.as_deref(), Some("TX-1"));
        assert!(paid.past_due_since.is_none());
        assert!(
            paid.current_period.unwrap().end > at(10),
            "paid for some time from now on"
        );

        let balance = granted(change.grants(), 10).balance();
        assert_eq!(
            balance.free.checked_add(balance.scheduled),
            Some(credits(500)),
            "from {status:?}"
        );
        assert_eq!(change.record().credits, credits(500));
        assert_eq!(
            (change.record().periods, change.record().applied),
            (1, euros(49))
        );
        assert_eq!(change.record().confirmed_by, Some(UserId::from(2)));

        // The tenant is admitted now.
        let tenant = Tenant {
            account: account.row().clone(),
            plan: Some(facts.plan.clone()),
            subscription: Some(paid.clone()),
            sites: Arc::new([]),
        };
        let principal = Principal::session(5.into()).of_account(TENANT.into());
        assert!(
            validate_account_and_plan(&principal, Some(&tenant), at(10)).is_ok(),
            "from {status:?}"
        );

        // Confirmed again, with other spelling, proof and operator: the same answer, nothing to
        // write.
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
            prior: Some(change.record().clone()),
            ..facts
        };
        assert_eq!(
            confirm(&again.unwrap(), later),
            Ok(Answer::Replayed(change.record().clone()))
        );
    }
}

#[test]
fn b5_the_same_transfer_with_other_facts_is_a_conflict() {
    let first = fresh(confirm(
        &transfer("tx-1", 49),
        facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        ),
    ));
    let with_prior = |facts: TransferFacts| TransferFacts {
        prior: Some(first.record().clone()),
        ..facts
    };
    let own = facts(AccountStatus::Active, SubscriptionStatus::Active);

    let more = confirm(&transfer("tx-1", 50), with_prior(own.clone())).unwrap_err();
    assert_eq!(more.code(), Code::TransferConflict);

    let mut other = with_prior(own.clone());
    other.account.id = 8.into();
    assert_eq!(
        confirm(&transfer("tx-1", 49), other).unwrap_err().code(),
        Code::TransferConflict,
        "another account"
    );

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
        (
            Suspended(SuspensionCause::Abuse),
            Ok(Suspended(SuspensionCause::Abuse)),
        ),
        (
            Suspended(SuspensionCause::Requested),
            Ok(Suspended(SuspensionCause::Requested)),
        ),
        (Closed, Err(ConfirmError::Denied(Denial::AccountClosed))),
        (
            Unknown,
            Err(ConfirmError::Denied(Denial::AccountStatusUnknown)),
        ),
    ] {
        let answer = confirm(
            &transfer("tx-1", 49),
            facts(before, SubscriptionStatus::PastDue),
        );
        match after {
            Ok(after) => assert_eq!(fresh(answer).account().row().status, after),
            Err(error) => assert_eq!(answer, Err(error)),
        }
    }
}

#[test]
fn b5_only_a_privileged_operator_of_another_account_confirms() {
    let facts = || {
        facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        )
    };
    let (policy, transfer) = (Policy::default(), transfer("tx-1", 49));
    let own = operator_of(TENANT, Privilege::ConfirmPayments);
    assert_eq!(
        policy.confirm_bank_transfer(&own, &transfer, facts(), at(0)),
        Err(ConfirmError::Denied(Denial::OwnAccount))
    );
    let other = operator(Privilege::GrantCredits);
    let denied = ConfirmError::Denied(Denial::PrivilegeMissing(Privilege::ConfirmPayments));
    assert_eq!(
        policy.confirm_bank_transfer(&other, &transfer, facts(), at(0)),
        Err(denied)
    );
}

#[test]
fn b5_what_cannot_be_paid_is_refused_and_changes_nothing() {
    let facts = || {
        facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        )
    };
    let dollars = BankTransfer::new(
        "DE02".parse().unwrap(),
        "tx".parse().unwrap(),
        Money::new(49.into(), Currency::USD).unwrap(),
        "Wayne",
        PROOF,
    );
    assert_eq!(
        confirm(&dollars.unwrap(), facts()).unwrap_err().code(),
        Code::CurrencyMismatch
    );
    assert_eq!(
        confirm(&transfer("tx", 0), facts()),
        Err(ConfirmError::Nothing)
    );
    for terminal in [
        SubscriptionStatus::Canceled,
        SubscriptionStatus::IncompleteExpired,
    ] {
        let mut ended = facts();
        ended.subscription.as_mut().unwrap().status = terminal;
        for amount in [1, 49] {
            let refused = confirm(&transfer("tx", amount), ended.clone()).unwrap_err();
            assert_eq!(refused.code(), Code::TransitionRefused, "{amount}");
        }
    }
    let missing = TransferFacts {
        subscription: None,
        ..facts()
    };
    assert_eq!(
        confirm(&transfer("tx", 49), missing),
        Err(ConfirmError::SubscriptionMissing)
    );
    let mut foreign = facts();
    foreign.subscription.as_mut().unwrap().account = 8.into();
    assert_eq!(
        confirm(&transfer("tx", 49), foreign),
        Err(ConfirmError::Row(mismatch("subscription", "account")))
    );
    let deposit = Deposit {
        account: 8.into(),
        amount: euros(1),
        applied: euros(0),
        version: 1,
    };
    let foreign = TransferFacts {
        deposit: Some(deposit.clone()),
        ..facts()
    };
    assert_eq!(
        confirm(&transfer("tx", 49), foreign),
        Err(ConfirmError::Row(mismatch("deposit", "account")))
    );
    let dollars = |amount: i64| Money::new(amount.into(), Currency::USD).unwrap();
    let with = |amount| {
        let deposit = Deposit {
            account: TENANT.into(),
            amount: dollars(amount),
            ..deposit.clone()
        };
        TransferFacts {
            deposit: Some(deposit),
            ..facts()
        }
    };
    let refused = confirm(&transfer("tx", 49), with(5)).unwrap_err();
    assert_eq!(
        refused,
        ConfirmError::DepositCurrency {
            deposit: dollars(5),
            price: euros(49)
        }
    );
    assert!(
        confirm(&transfer("tx", 49), with(0)).is_ok(),
        "nothing is in no currency"
    );
}

#[test]
fn b5_a_year_brings_the_credits_of_twelve_months_and_another_plan_is_refused() {
    let facts = || {
        facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        )
    };
    let yearly = Plan {
        interval: Interval::YEARLY,
        ..plan(49, true)
    };
    let change = fresh(confirm(
        &transfer("tx-1", 49),
        TransferFacts {
            plan: Arc::new(yearly),
            ..facts()
        },
    ));
    assert_eq!(
        (change.record().credits, change.grants().len()),
        (credits(6000), 12)
    );
    let balance = granted(change.grants(), 10).balance();
    assert_eq!(
        (balance.free, balance.scheduled),
        (credits(500), credits(5500)),
        "a month's at a time"
    );
    let other = Plan {
        id: 2.into(),
        ..plan(49, true)
    };
    let refused = confirm(
        &transfer("tx-1", 49),
        TransferFacts {
            plan: Arc::new(other),
            ..facts()
        },
    );
    assert_eq!(refused, Err(ConfirmError::PlanMismatch));
}

#[test]
fn b5_no_service_is_free() {
    // Seven days of grace, paid on the sixth: the next period starts where the last one ended.
    let grace = GraceSettings {
        seconds: 7 * 86_400,
        mode: GraceMode::Full,
    };
    let settings = PolicySettings {
        past_due_grace: Some(grace),
        ..PolicySettings::default()
    };
    let late = facts(AccountStatus::Active, SubscriptionStatus::PastDue);
    let end = late
        .subscription
        .as_ref()
        .unwrap()
        .current_period
        .unwrap()
        .end;
    let now = end + chrono::TimeDelta::try_days(6).unwrap();
    let mut late = late;
    late.subscription.as_mut().unwrap().past_due_since = Some(end);
    let operator = operator(Privilege::ConfirmPayments);
    let confirmed =
        under(settings).confirm_bank_transfer(&operator, &transfer("tx-1", 49), late, now);
    assert_eq!(
        fresh(confirmed)
            .subscription()
            .unwrap()
            .row()
            .current_period
            .unwrap()
            .start,
        end
    );
}

/// Five weeks paid within one calendar month bring that month's credits once.
#[test]
fn b5_weeks_bring_a_months_credits_once() {
    let weekly = Interval {
        unit: IntervalUnit::Week,
        count: std::num::NonZeroU16::MIN,
    };
    let plan = Arc::new(Plan {
        interval: weekly,
        ..plan(12, true)
    });
    let mut facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    facts.plan = plan;
    let mut keys = std::collections::BTreeSet::new();
    for week in 0..30 {
        let now = at(week * 7 * 86_400);
        let transfer = transfer(&format!("week-{week}"), 12);
        let operator = operator(Privilege::ConfirmPayments);
        let change = fresh(Policy::default().confirm_bank_transfer(
            &operator,
            &transfer,
            facts.clone(),
            now,
        ));
        assert_eq!(change.grants().len(), 1);
        keys.insert(change.grants()[0].key().to_owned());
        facts.account = change.account().row().clone();
        facts.subscription = Some(change.subscription().unwrap().row().clone());
    }
    // From 15 January 2027, thirty weeks: January to August.
    assert_eq!(keys.len(), 8);
}

#[test]
fn b5_parts_are_kept_until_they_reach_the_price() {
    let mut facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    for (part, (amount, kept)) in [(20, 20), (28, 48)].into_iter().enumerate() {
        let change = fresh(confirm(
            &transfer(&format!("part-{part}"), amount),
            facts.clone(),
        ));
        assert_eq!(change.account().row().status, AccountStatus::PendingPayment);
        assert_eq!(
            change.account().row().payment_method,
            PaymentMethod::Stripe,
            "nothing is paid by it yet"
        );
        assert_eq!(change.subscription(), None);
        assert!(change.grants().is_empty());
        assert_eq!(
            (change.record().periods, change.record().applied),
            (0, euros(0))
        );
        assert_eq!(change.record().paid_until, None);
        let deposit = change.deposit().unwrap();
        assert_eq!(
            deposit.expected_version(),
            facts.deposit.as_ref().map_or(0, |deposit| deposit.version)
        );
        assert_eq!(deposit.row().amount, euros(kept));
        facts.deposit = Some(deposit.row().clone());
        facts.account = change.account().row().clone();
    }
    let change = fresh(confirm(&transfer("part-2", 1), facts));
    assert_eq!(change.account().row().status, AccountStatus::Active);
    assert_eq!(
        (change.record().periods, change.record().applied),
        (1, euros(49))
    );
    assert_eq!(change.deposit().unwrap().row().amount, euros(0));
    assert_eq!(change.grants().len(), 1);
}

#[test]
fn b5_a_deposit_that_cannot_be_written_loses_no_money() {
    let deposit = Deposit {
        account: TENANT.into(),
        amount: euros(1),
        applied: euros(0),
        version: u64::MAX,
    };
    let facts = TransferFacts {
        deposit: Some(deposit),
        ..facts(AccountStatus::Active, SubscriptionStatus::Active)
    };
    let refused = confirm(&transfer("tx", 1), facts).unwrap_err();
    assert_eq!(
        refused,
        ConfirmError::Row(RowError::VersionExhausted { row: "deposit" })
    );
    assert_eq!(refused.code(), Code::AmountOverflow);
}

#[test]
fn b5_what_is_above_the_price_goes_as_the_policy_says() {
    let facts = || {
        facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        )
    };
    let operator = operator(Privilege::ConfirmPayments);
    for (policy, periods, noted, kept) in [
        (Overpayment::Note, 1, 61, 0),
        (Overpayment::Deposit, 1, 0, 61),
        (Overpayment::NextPeriods, 2, 0, 12),
    ] {
        let confirmed = overpayment(policy).confirm_bank_transfer(
            &operator,
            &transfer("tx", 110),
            facts(),
            at(10),
        );
        let change = fresh(confirmed);
        let record = change.record();
        assert_eq!(
            (record.periods, record.noted),
            (periods, euros(noted)),
            "{policy:?}"
        );
        assert_eq!(
            change
                .deposit()
                .map_or(euros(0), |deposit| deposit.row().amount),
            euros(kept),
            "{policy:?}"
        );
        assert_eq!(change.grants().len(), periods as usize);
        let period = change.subscription().unwrap().row().current_period.unwrap();
        let end = Interval::MONTHLY.after(at(10), periods).unwrap();
        assert_eq!(period.end, end, "{policy:?}");
        assert_eq!(
            change.subscription().unwrap().row().version,
            2,
            "one change, however many periods"
        );
    }
}

#[test]
fn b5_a_transfer_without_a_subscription_tops_up() {
    let facts = |credits: Option<Credits>| {
        let mut facts = facts(AccountStatus::Active, SubscriptionStatus::Active);
        (facts.plan, facts.subscription) = (Arc::new(plan(10, false)), None);
        let settings = PolicySettings {
            top_up_credits: credits,
            overpayment: Overpayment::NextPeriods,
            ..Default::default()
        };
        (under(settings), facts)
    };
    let operator = operator(Privilege::ConfirmPayments);
    for (configured, amount, expected) in
        [(None, 10, 500), (None, 25, 1000), (Some(credits(7)), 10, 7)]
    {
        let (policy, facts) = facts(configured);
        let change =
            fresh(policy.confirm_bank_transfer(&operator, &transfer("tx", amount), facts, at(10)));
        let wallet = granted(change.grants(), 10);
        assert_eq!(
            wallet.balance_at(at(100 * 366 * 86_400)).unwrap().free,
            credits(expected),
            "for ever"
        );
    }
}

/// What time had made due comes first: the same answer as if a job had run.
#[test]
fn b5_what_time_had_made_due_comes_before_the_payment() {
    let settings = PolicySettings {
        after_grace: AfterRetries::Cancel,
        ..PolicySettings::default()
    };
    let policy = under(settings);
    let late = facts(AccountStatus::Active, SubscriptionStatus::Active);
    let operator = operator(Privilege::ConfirmPayments);
    let refused = policy
        .confirm_bank_transfer(&operator, &transfer("tx", 49), late, at(1_000))
        .unwrap_err();
    assert_eq!(
        refused.code(),
        Code::TransitionRefused,
        "canceled, whether or not a job said so"
    );
}

#[test]
fn b5_a_pending_plan_is_what_is_paid_for() {
    let mut facts = facts(AccountStatus::Active, SubscriptionStatus::Active);
    let pro = Plan {
        id: 2.into(),
        credits_per_month: credits(900),
        ..plan(90, true)
    };
    let change = Command::ChangePlanAtPeriodEnd { plan: 2.into() };
    facts.subscription = Some(
        facts
            .subscription
            .unwrap()
            .apply(change, at(5))
            .unwrap()
            .into_subscription(),
    );
    assert_eq!(
        facts.subscription.as_ref().unwrap().next_plan(),
        &PlanId::from(2)
    );
    assert_eq!(
        confirm(&transfer("tx", 90), facts.clone()),
        Err(ConfirmError::PlanMismatch),
        "the old plan's price"
    );

    // Paid early: the next period is paid, and its plan waits.
    facts.plan = Arc::new(pro);
    let early = fresh(confirm(&transfer("tx", 90), facts.clone()));
    let paid = early.subscription().unwrap().row().clone();
    assert_eq!(
        (&paid.plan, early.plan()),
        (&PlanId::from(1), &PlanId::from(1))
    );
    assert_eq!(early.grants()[0].terms().amount, credits(900));
    let policy = Policy::default();
    assert_eq!(policy.command_due(&paid, at(999)), None);
    let started = policy.advance_subscription(&paid, at(1_000)).pop().unwrap();
    assert_eq!(started.subscription().plan, 2.into());
    let raise = started.grants(&facts.plan);
    assert!(
        raise.len() == 1 && raise[0].key() == early.grants()[0].key(),
        "which adds nothing: it was granted so"
    );

    // Paid late: the payment puts it into force.
    let policy = under(PolicySettings {
        renewal_slack_seconds: 3600,
        ..PolicySettings::default()
    });
    let operator = operator(Privilege::ConfirmPayments);
    let late =
        fresh(policy.confirm_bank_transfer(&operator, &transfer("tx", 90), facts, at(1_010)));
    assert_eq!(late.plan(), &PlanId::from(2));
    assert_eq!(late.subscription().unwrap().row().pending_plan, None);
}

fn claim_facts(reference: &str, amount: i64) -> ClaimRequest {
    ClaimRequest::new(
        reference.parse().unwrap(),
        euros(amount),
        "Wayne Ltd",
        PROOF,
    )
    .unwrap()
}

fn billing(account: i64) -> BillingAccess {
    let principal = Principal::session(5.into()).of_account(account.into());
    let mut tenant = tenant(account);
    tenant.account.status = AccountStatus::Suspended(SuspensionCause::PaymentOverdue);
    let decision = admit(
        Route::Billing,
        &Evidence::Verified(principal),
        Some(&tenant),
        at(0),
    );
    decision.into_result().unwrap().into_billing().unwrap()
}

#[test]
fn b5_a_claim_is_made_once_and_answered_once() {
    let policy = Policy::default();
    let access = billing(TENANT);
    let Ok(Answer::Fresh(made)) =
        policy.submit_claim(&access, claim_facts("inv-7", 49), None, at(1))
    else {
        panic!()
    };
    assert_eq!(made.expected_version(), 0);
    let claim = made.into_row();
    assert_eq!(
        (&claim.account, &claim.state),
        (&TENANT.into(), &ClaimState::Submitted)
    );

    // The same again is the same; with other facts the reference is taken; another account's does
    // not meet it.
    let again = policy.submit_claim(
        &access,
        claim_facts(" INV-7", 49),
        Some(claim.clone()),
        at(9),
    );
    assert_eq!(again, Ok(Answer::Replayed(claim.clone())));
    let other = policy
        .submit_claim(
            &access,
            claim_facts("inv-7", 50),
            Some(claim.clone()),
            at(9),
        )
        .unwrap_err();
    assert_eq!(other.code(), Code::ClaimConflict);
    let foreign = policy.submit_claim(
        &billing(8),
        claim_facts("inv-7", 49),
        Some(claim.clone()),
        at(9),
    );
    assert_eq!(foreign, Err(ClaimError::Row(mismatch("claim", "account"))));
    assert_eq!(
        policy.submit_claim(&access, claim_facts("x", 0), None, at(1)),
        Err(ClaimError::Nothing)
    );

    // Turned down by an operator of another account, with a reason; then it may be made again.
    let desk = operator(Privilege::ConfirmPayments);
    assert_eq!(
        claim
            .clone()
            .reject(&operator_of(TENANT, Privilege::ConfirmPayments), "no"),
        Err(ClaimError::Denied(Denial::OwnAccount))
    );
    assert!(matches!(
        claim
            .clone()
            .reject(&operator(Privilege::GrantCredits), "no"),
        Err(ClaimError::Denied(_))
    ));
    assert_eq!(claim.clone().reject(&desk, " "), Err(ClaimError::Reason));
    let Ok(Answer::Fresh(rejected)) = claim.clone().reject(&desk, "nothing arrived") else {
        panic!()
    };
    assert_eq!(rejected.expected_version(), claim.version);
    let rejected = rejected.into_row();
    let repeated = rejected.clone().reject(&desk, "nothing arrived");
    assert_eq!(repeated, Ok(Answer::Replayed(rejected.clone())));
    assert_eq!(
        rejected.clone().reject(&desk, "another"),
        Err(ClaimError::Rejected)
    );
    let Ok(Answer::Fresh(renewed)) = policy.submit_claim(
        &access,
        claim_facts("inv-7", 50),
        Some(rejected.clone()),
        at(20),
    ) else {
        panic!()
    };
    assert_eq!(
        (renewed.expected_version(), &renewed.row().state),
        (rejected.version, &ClaimState::Submitted)
    );

    // The transfer that answers it closes it; no other does.
    let facts = |claim: &Claim| TransferFacts {
        claim: Some(claim.clone()),
        ..facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        )
    };
    let renewed = renewed.into_row();
    let change = fresh(confirm(&transfer("tx-1", 50), facts(&renewed)));
    let confirmed = change.claim().unwrap();
    assert_eq!(confirmed.expected_version(), renewed.version);
    assert!(
        matches!(&confirmed.row().state, ClaimState::Confirmed { transaction, .. } if transaction.as_str() == "TX-1")
    );
    assert_eq!(
        confirm(&transfer("tx-2", 50), facts(confirmed.row())),
        Err(ConfirmError::ClaimMismatch)
    );
    assert_eq!(
        confirm(&transfer("tx-2", 50), facts(&rejected)),
        Err(ConfirmError::ClaimMismatch)
    );
    let mut foreign = renewed;
    foreign.account = 8.into();
    assert_eq!(
        confirm(&transfer("tx-2", 50), facts(&foreign)),
        Err(ConfirmError::ClaimMismatch)
    );
    assert_eq!(
        confirmed.row().clone().reject(&desk, "late"),
        Err(ClaimError::Confirmed)
    );
    let taken = policy.submit_claim(
        &access,
        claim_facts("inv-7", 60),
        Some(confirmed.row().clone()),
        at(30),
    );
    assert_eq!(taken.unwrap_err().code(), Code::ClaimConflict);
}

#[test]
fn b5_claims_have_a_switch_of_their_own() {
    let access = billing(TENANT);
    let closed = under(PolicySettings {
        bank_transfer_claims: false,
        ..PolicySettings::default()
    });
    assert_eq!(
        closed.submit_claim(&access, claim_facts("a", 49), None, at(1)),
        Err(ClaimError::ComingSoon)
    );
    let desk = operator(Privilege::ConfirmPayments);
    assert!(
        closed
            .record_claim(&desk, &TENANT.into(), claim_facts("a", 49), None, at(1))
            .is_ok(),
        "the desk is open"
    );
    let own = operator_of(TENANT, Privilege::ConfirmPayments);
    let refused = closed.record_claim(&own, &TENANT.into(), claim_facts("a", 49), None, at(1));
    assert_eq!(refused, Err(ClaimError::Denied(Denial::OwnAccount)));

    let off = under(PolicySettings {
        payment_methods: [PaymentMethod::Stripe].into(),
        ..PolicySettings::default()
    });
    assert_eq!(
        off.submit_claim(&access, claim_facts("a", 49), None, at(1)),
        Err(ClaimError::ComingSoon)
    );
    let refused = off.record_claim(&desk, &TENANT.into(), claim_facts("a", 49), None, at(1));
    assert_eq!(refused, Err(ClaimError::ComingSoon));
}

fn refund(
    record: &ConfirmedTransfer,
    total: i64,
    then: AfterRefund,
    subscription: Option<Subscription>,
    deposit: Option<Deposit>,
) -> Result<Answer<TransferRefundChange, ConfirmedTransfer>, TransferRefundError> {
    refund_of(
        record,
        total,
        then,
        subscription,
        deposit,
        Wallet::open(TENANT.into(), at(0)),
    )
}

fn refund_of(
    record: &ConfirmedTransfer,
    total: i64,
    then: AfterRefund,
    subscription: Option<Subscription>,
    deposit: Option<Deposit>,
    wallet: Wallet,
) -> Result<Answer<TransferRefundChange, ConfirmedTransfer>, TransferRefundError> {
    let facts = RefundFacts {
        record: record.clone(),
        subscription,
        deposit,
        wallet,
    };
    let refund = TransferRefund {
        total: euros(total),
        then,
    };
    ConfirmedTransfer::refund(&operator(Privilege::ConfirmPayments), refund, facts, at(20))
}

#[test]
fn b5_a_refund_is_cumulative_and_ends_what_it_had_paid() {
    use AfterRefund::{EndService, KeepService};
    let facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let change = fresh(confirm(&transfer("tx-1", 60), facts));
    let (record, paid) = (
        change.record(),
        change.subscription().unwrap().row().clone(),
    );
    assert_eq!(record.noted, euros(11));

    // What was noted goes back first, in parts too, and costs no service.
    let Ok(Answer::Fresh(part)) = refund(record, 5, EndService, Some(paid.clone()), None) else {
        panic!()
    };
    let part = part.record().row();
    assert_eq!(
        (part.noted, part.refunded, part.taken_back),
        (euros(6), euros(5), euros(0))
    );
    let Ok(Answer::Fresh(noted)) = refund(record, 11, EndService, Some(paid.clone()), None) else {
        panic!()
    };
    assert_eq!((noted.subscription(), noted.revocations().len()), (None, 0));
    let record = noted.record().row();
    assert_eq!(
        (record.noted, record.refunded, record.taken_back),
        (euros(0), euros(11), euros(0))
    );
    assert_eq!(noted.record().expected_version() + 1, record.version);
    assert_eq!(
        refund(record, 11, EndService, Some(paid.clone()), None),
        Ok(Answer::Replayed(record.clone()))
    );

    // Never more than arrived, never less than was refunded.
    assert!(matches!(
        refund(record, 61, KeepService, None, None),
        Err(TransferRefundError::ExceedsTransfer { .. })
    ));
    assert!(matches!(
        refund(record, 10, KeepService, None, None),
        Err(TransferRefundError::BelowRefunded { .. })
    ));

    // A gesture: the service goes on.
    let Ok(Answer::Fresh(kept)) = refund(record, 31, KeepService, Some(paid.clone()), None) else {
        panic!()
    };
    assert_eq!((kept.subscription(), kept.revocations().len()), (None, 0));
    assert_eq!(kept.record().row().taken_back, euros(20));

    // All of it: the subscription ends, and what is left of its credits is taken back, once.
    let wallet = granted(change.grants(), 10);
    let Ok(Answer::Fresh(ended)) = refund_of(
        record,
        60,
        EndService,
        Some(paid.clone()),
        None,
        wallet.clone(),
    ) else {
        panic!()
    };
    assert_eq!(
        ended.subscription().unwrap().row().status,
        SubscriptionStatus::Canceled
    );
    let [revocation] = ended.revocations() else {
        panic!()
    };
    assert_eq!(revocation.grant(), change.grants()[0].key());
    let revoked = wallet
        .revoke_due(revocation, None, at(20))
        .unwrap()
        .unwrap();
    assert_eq!(revoked.wallet().balance().free, credits(0));
    let outcome = revoked.outcome().unwrap().outcome();
    assert_eq!(
        revoked
            .wallet()
            .clone()
            .revoke_due(revocation, Some(outcome), at(21)),
        Ok(None)
    );

    // One that has ended already stays ended; another subscription is not touched.
    let over = Subscription {
        status: SubscriptionStatus::Canceled,
        ..paid.clone()
    };
    let Ok(Answer::Fresh(ended)) = refund(record, 60, EndService, Some(over), None) else {
        panic!()
    };
    assert_eq!(ended.subscription(), None);
    let other = Subscription {
        id: 99.into(),
        ..paid
    };
    let Ok(Answer::Fresh(ended)) = refund(record, 60, EndService, Some(other), None) else {
        panic!()
    };
    assert_eq!(ended.subscription(), None);

    // By whom it may not be, and in another currency.
    let wallet = Wallet::open(TENANT.into(), at(0));
    let facts = || RefundFacts {
        record: record.clone(),
        subscription: None,
        deposit: None,
        wallet: wallet.clone(),
    };
    let total = TransferRefund {
        total: euros(60),
        then: KeepService,
    };
    let own = operator_of(TENANT, Privilege::ConfirmPayments);
    assert_eq!(
        ConfirmedTransfer::refund(&own, total, facts(), at(20)),
        Err(TransferRefundError::Denied(Denial::OwnAccount))
    );
    let other = operator(Privilege::GrantCredits);
    assert!(matches!(
        ConfirmedTransfer::refund(&other, total, facts(), at(20)),
        Err(TransferRefundError::Denied(_))
    ));
    let dollars = TransferRefund {
        total: Money::new(60.into(), Currency::USD).unwrap(),
        then: KeepService,
    };
    let refused = ConfirmedTransfer::refund(
        &operator(Privilege::ConfirmPayments),
        dollars,
        facts(),
        at(20),
    );
    assert!(matches!(refused, Err(TransferRefundError::Currency { .. })));
}

#[test]
fn b7_a_method_that_is_not_enabled_is_coming_soon() {
    let settings = PolicySettings {
        payment_methods: [PaymentMethod::Stripe].into(),
        ..PolicySettings::default()
    };
    let policy = Policy::load(settings).unwrap();
    let facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let operator = operator(Privilege::ConfirmPayments);
    let refused = policy
        .confirm_bank_transfer(&operator, &transfer("tx-1", 49), facts, at(0))
        .unwrap_err();
    assert_eq!(refused, ConfirmError::ComingSoon);
    assert!(refused.to_string().contains("coming soon"));
}

#[test]
fn the_facts_of_a_transfer_are_checked() {
    let new = |payer: &str, proof: &str| {
        BankTransfer::new(
            "DE02".parse().unwrap(),
            "tx".parse().unwrap(),
            euros(49),
            payer,
            proof,
        )
        .map(drop)
    };
    assert_eq!(new("Wayne", PROOF), Ok(()));
    assert_eq!(new("Wayne", &"0f".repeat(32)), Ok(()));
    for proof in [
        "",
        "http://bank.example/1",
        "https://",
        "https://a b",
        &"0F".repeat(32),
        &"0f".repeat(31),
    ] {
        assert_eq!(new("Wayne", proof), Err(TransferError::Proof), "{proof}");
    }
    for payer in ["", "  ", &"x".repeat(501)] {
        assert_eq!(new(payer, PROOF), Err(TransferError::Payer));
    }
    for reference in ["", " ", "é", "a\nb", &"x".repeat(65)] {
        assert_eq!(
            reference.parse::<BankReference>(),
            Err(TransferError::Reference)
        );
    }
}

/// What costs nothing is not paid for: no credits for a cent, and the cent back.
#[test]
fn b5_a_plan_without_a_price_sells_nothing() {
    let mut facts = facts(AccountStatus::Active, SubscriptionStatus::Active);
    (facts.plan, facts.subscription) = (Arc::new(plan(0, false)), None);
    for (policy, noted, kept) in [
        (Overpayment::Note, 1, 0),
        (Overpayment::Deposit, 0, 1),
        (Overpayment::NextPeriods, 0, 1),
    ] {
        let operator = operator(Privilege::ConfirmPayments);
        let confirmed = overpayment(policy).confirm_bank_transfer(
            &operator,
            &transfer("tx", 1),
            facts.clone(),
            at(10),
        );
        let change = fresh(confirmed);
        assert_eq!(
            (change.grants().len(), change.record().periods),
            (0, 0),
            "{policy:?}"
        );
        assert_eq!(change.record().noted, euros(noted));
        assert_eq!(
            change
                .deposit()
                .map_or(euros(0), |deposit| deposit.row().amount),
            euros(kept)
        );
    }
}

/// A part of the price of a plan that is pending moves nobody to it.
#[test]
fn b5_a_part_moves_no_plan() {
    let mut facts = facts(AccountStatus::Active, SubscriptionStatus::Active);
    let change = Command::ChangePlanAtPeriodEnd { plan: 2.into() };
    facts.subscription = Some(
        facts
            .subscription
            .unwrap()
            .apply(change, at(5))
            .unwrap()
            .into_subscription(),
    );
    facts.plan = Arc::new(Plan {
        id: 2.into(),
        ..plan(90, true)
    });
    let change = fresh(confirm(&transfer("tx", 1), facts.clone()));
    assert_eq!(
        (change.plan(), change.subscription()),
        (&PlanId::from(1), None)
    );
    // Nor does a pending plan that needs no subscription take the paid one away.
    facts.plan = Arc::new(Plan {
        id: 2.into(),
        ..plan(10, false)
    });
    assert_eq!(
        confirm(&transfer("tx", 10), facts.clone()),
        Err(ConfirmError::PlanMismatch)
    );
    facts.subscription.as_mut().unwrap().status = SubscriptionStatus::Canceled;
    assert!(
        confirm(&transfer("tx", 10), facts).is_ok(),
        "once it has ended, it is of no account"
    );
}

/// What was paid early for another plan follows, and cannot be turned into the dear one.
#[test]
fn b5_a_plan_that_is_paid_early_is_not_withdrawn() {
    let mut facts = facts(AccountStatus::Active, SubscriptionStatus::Active);
    let cheap = Plan {
        id: 2.into(),
        ..plan(10, true)
    };
    let change = Command::ChangePlanAtPeriodEnd { plan: 2.into() };
    facts.subscription = Some(
        facts
            .subscription
            .unwrap()
            .apply(change, at(5))
            .unwrap()
            .into_subscription(),
    );
    facts.plan = Arc::new(cheap.clone());
    let operator = operator(Privilege::ConfirmPayments);
    let policy = overpayment(Overpayment::NextPeriods);
    let confirmed = policy.confirm_bank_transfer(&operator, &transfer("tx", 120), facts, at(10));
    let paid = fresh(confirmed).subscription().unwrap().row().clone();
    for plan in [1, 2, 3] {
        for command in [
            Command::ChangePlanAtPeriodEnd { plan: plan.into() },
            Command::ChangePlan { plan: plan.into() },
        ] {
            let refused = paid.clone().apply(command, at(20)).unwrap_err();
            assert!(
                matches!(
                    refused.reason(),
                    RefusalReason::PlanPaid | RefusalReason::AlreadySo
                ),
                "{plan}"
            );
        }
    }
    assert_eq!(
        paid.prorate(&plan(49, true), &cheap, at(20)),
        Err(ProrationError::PlanPaid)
    );
    let started = policy
        .advance_subscription(&paid, at(1_000))
        .pop()
        .unwrap()
        .into_subscription();
    assert!(
        started.plan == 2.into()
            && started
                .apply(Command::ChangePlan { plan: 1.into() }, at(1_001))
                .is_ok()
    );
}

/// Paused, nobody was let in: the time since is not paid for.
#[test]
fn b5_time_without_service_is_not_paid_for() {
    let grace = GraceSettings {
        seconds: 14 * 86_400,
        mode: GraceMode::Full,
    };
    let policy = under(PolicySettings {
        past_due_grace: Some(grace),
        ..PolicySettings::default()
    });
    let operator = operator(Privilege::ConfirmPayments);
    for status in [SubscriptionStatus::Paused, SubscriptionStatus::Unpaid] {
        let facts = facts(AccountStatus::Active, status);
        let now = at(1_000 + 13 * 86_400);
        let change =
            fresh(policy.confirm_bank_transfer(&operator, &transfer("tx", 49), facts, now));
        assert_eq!(
            change
                .subscription()
                .unwrap()
                .row()
                .current_period
                .unwrap()
                .start,
            now,
            "{status}"
        );
    }
}

/// Who pays by transfer what a provider ran is told to end it there.
#[test]
fn b5_a_providers_subscription_is_to_be_ended_there() {
    let mut facts = facts(AccountStatus::Active, SubscriptionStatus::Active);
    facts.subscription.as_mut().unwrap().stripe_subscription_id = Some("sub_1".into());
    let paid = fresh(confirm(&transfer("tx", 49), facts.clone()));
    assert_eq!(
        paid.record().ends_at_provider,
        Some((Provider::Stripe, "sub_1".into()))
    );
    let part = fresh(confirm(&transfer("tx", 1), facts.clone()));
    assert_eq!(
        part.record().ends_at_provider,
        None,
        "a part pays for nothing yet"
    );
    facts.subscription.as_mut().unwrap().payment_method = PaymentMethod::BankTransfer;
    assert_eq!(
        fresh(confirm(&transfer("tx", 49), facts))
            .record()
            .ends_at_provider,
        None
    );
}

/// Whatever a subscription brought is taken back when its service ends, by whichever transfer it
/// came, and no other transfer's money is lost with it.
#[test]
fn b5_a_refund_takes_back_all_that_the_subscription_brought() {
    use AfterRefund::EndService;
    let mut facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    facts.plan = Arc::new(Plan {
        interval: Interval::YEARLY,
        ..plan(588, true)
    });
    // In two parts: the second brings the credits, and the first is what is refunded.
    let first = fresh(confirm(&transfer("a", 587), facts.clone()));
    facts.deposit = Some(first.deposit().unwrap().row().clone());
    facts.account = first.account().row().clone();
    let second = fresh(confirm(&transfer("b", 1), facts));
    let wallet = granted(second.grants(), 10);
    let paid = second.subscription().unwrap().row().clone();
    let deposit = second.deposit().map(|deposit| deposit.row().clone());
    let answer = refund_of(
        first.record(),
        587,
        EndService,
        Some(paid.clone()),
        deposit.clone(),
        wallet.clone(),
    );
    assert_eq!(
        answer,
        Err(TransferRefundError::Unattributed),
        "which period a part has paid for cannot be told"
    );
    // Followed by another subscription, it still takes its credits with it; once it has ended, a
    // part does too.
    let next = Subscription {
        id: 77.into(),
        ..paid.clone()
    };
    for (record, total) in [(second.record(), 1), (first.record(), 587)] {
        let answer = refund_of(
            record,
            total,
            EndService,
            Some(next.clone()),
            None,
            wallet.clone(),
        );
        let Ok(Answer::Fresh(late)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!((late.subscription(), late.revocations().len()), (None, 12));
    }
    let answer = refund_of(
        second.record(),
        1,
        EndService,
        Some(paid.clone()),
        deposit,
        wallet.clone(),
    );
    let Ok(Answer::Fresh(ended)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (ended.subscription().is_some(), ended.revocations().len()),
        (true, 12)
    );
    let left = ended.revocations().iter().fold(wallet, |wallet, due| {
        wallet
            .revoke_due(due, None, at(20))
            .unwrap()
            .unwrap()
            .wallet()
            .clone()
    });
    assert_eq!(
        (left.balance().free, left.balance().scheduled),
        (credits(0), credits(0))
    );

    // A larger plan's addition goes too.
    let facts = self::facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let change = fresh(confirm(&transfer("c", 49), facts));
    let paid = change.subscription().unwrap().row().clone();
    let wallet = granted(change.grants(), 10);
    let outcomes = Wallet::open(TENANT.into(), at(10))
        .grant_due(&change.grants()[0], None, at(10))
        .unwrap()
        .unwrap();
    let prior = outcomes.outcome().unwrap().outcome().clone();
    let larger = paid
        .apply(Command::ChangePlan { plan: 2.into() }, at(11))
        .unwrap();
    let pro = Plan {
        id: 2.into(),
        credits_per_month: credits(900),
        ..plan(90, true)
    };
    let raise = &larger.grants(&pro)[0];
    let wallet = wallet
        .grant_due(raise, Some(&prior), at(11))
        .unwrap()
        .unwrap()
        .wallet()
        .clone();
    assert_eq!(wallet.balance().free, credits(900));
    let larger = larger.into_subscription();
    let Ok(Answer::Fresh(ended)) = refund_of(
        change.record(),
        49,
        EndService,
        Some(larger),
        None,
        wallet.clone(),
    ) else {
        panic!()
    };
    assert_eq!(ended.revocations().len(), 2);

    // Later transfers have paid for later periods: theirs first. And what is over has nothing to
    // end.
    let mut facts = self::facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let january = fresh(confirm(&transfer("d", 49), facts.clone()));
    facts.subscription = Some(january.subscription().unwrap().row().clone());
    let february = fresh(confirm(&transfer("e", 49), facts));
    let paid = february.subscription().unwrap().row().clone();
    let refused = refund(january.record(), 49, EndService, Some(paid.clone()), None);
    assert_eq!(refused, Err(TransferRefundError::LaterPaid));
    assert!(refund(february.record(), 49, EndService, Some(paid.clone()), None).is_ok());
    let facts = RefundFacts {
        record: january.record().clone(),
        subscription: Some(paid),
        deposit: None,
        wallet: Wallet::open(TENANT.into(), at(0)),
    };
    let total = TransferRefund {
        total: euros(49),
        then: EndService,
    };
    let late = january.record().paid_until.unwrap();
    let answer =
        ConfirmedTransfer::refund(&operator(Privilege::ConfirmPayments), total, facts, late);
    let Ok(Answer::Fresh(over)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((over.subscription(), over.revocations().len()), (None, 0));
    assert_eq!(over.record().row().taken_back, euros(49));

    // Where a deposit has paid for the running period, nobody can tell whose it was.
    let facts = |applied: i64| RefundFacts {
        record: january.record().clone(),
        subscription: Some(february.subscription().unwrap().row().clone()),
        deposit: Some(Deposit {
            account: TENANT.into(),
            amount: euros(0),
            applied: euros(applied),
            version: 1,
        }),
        wallet: Wallet::open(TENANT.into(), at(0)),
    };
    let desk = operator(Privilege::ConfirmPayments);
    let refused = ConfirmedTransfer::refund(&desk, total, facts(49), late);
    assert_eq!(refused, Err(TransferRefundError::Unattributed));
    assert!(ConfirmedTransfer::refund(&desk, total, facts(0), late).is_ok());
    // Rows of another account.
    let mut foreign = facts(0);
    foreign.deposit.as_mut().unwrap().account = 8.into();
    assert_eq!(
        ConfirmedTransfer::refund(&desk, total, foreign, late),
        Err(TransferRefundError::Row(mismatch(
            "deposit",
            "confirmed transfer"
        )))
    );
    let foreign = RefundFacts {
        wallet: Wallet::open(8.into(), at(0)),
        ..facts(0)
    };
    assert_eq!(
        ConfirmedTransfer::refund(&desk, total, foreign, late),
        Err(TransferRefundError::Row(mismatch(
            "wallet",
            "confirmed transfer"
        )))
    );
}

/// A deposit that reaches the price pays for the next period, once the running one is over.
#[test]
fn b5_a_deposit_pays_for_the_next_period() {
    let paid = |status| {
        let facts = facts(AccountStatus::Active, status);
        let deposit = Deposit {
            account: TENANT.into(),
            amount: euros(60),
            applied: euros(0),
            version: 3,
        };
        let subscription = Subscription {
            payment_method: PaymentMethod::BankTransfer,
            ..facts.subscription.unwrap()
        };
        DepositFacts {
            account: facts.account,
            plan: facts.plan,
            subscription,
            deposit,
        }
    };
    let policy = Policy::default();
    let apply = |facts: DepositFacts, now: i64| policy.apply_deposit(facts, at(now)).unwrap();
    assert_eq!(
        apply(paid(SubscriptionStatus::Active), 999),
        None,
        "not before it is over"
    );
    let change = apply(paid(SubscriptionStatus::Active), 1_000).unwrap();
    assert_eq!(
        (
            change.deposit().expected_version(),
            change.deposit().row().version
        ),
        (3, 4)
    );
    assert_eq!(
        (
            change.deposit().row().amount,
            change.deposit().row().applied
        ),
        (euros(11), euros(49))
    );
    assert_eq!(
        change.subscription().row().current_period.unwrap().start,
        at(1_000)
    );
    assert_eq!(
        change.subscription().row().status,
        SubscriptionStatus::Active
    );
    assert_eq!(
        (change.grants().len(), change.plan()),
        (1, &PlanId::from(1))
    );
    let again = DepositFacts {
        account: change.account().row().clone(),
        subscription: change.subscription().row().clone(),
        deposit: change.deposit().row().clone(),
        ..paid(SubscriptionStatus::Active)
    };
    assert_eq!(apply(again, 1_001), None, "once");

    for status in [
        SubscriptionStatus::PastDue,
        SubscriptionStatus::Unpaid,
        SubscriptionStatus::Trialing,
    ] {
        assert!(apply(paid(status), 2_000).is_some(), "{status}");
    }
    for status in [
        SubscriptionStatus::Canceled,
        SubscriptionStatus::IncompleteExpired,
        SubscriptionStatus::Unknown,
    ] {
        assert_eq!(apply(paid(status), 2_000), None, "{status}");
    }
    let mut ending = paid(SubscriptionStatus::Active);
    ending.subscription.cancel_at_period_end = true;
    assert_eq!(apply(ending, 2_000), None, "it was to end");
    // What has paid nothing so far is in no currency.
    let mut first = paid(SubscriptionStatus::Active);
    first.deposit.applied = Money::new(0.into(), Currency::USD).unwrap();
    assert_eq!(
        apply(first, 1_000).unwrap().deposit().row().applied,
        euros(49)
    );
    let mut little = paid(SubscriptionStatus::Active);
    little.deposit.amount = euros(48);
    assert_eq!(apply(little, 2_000), None);
    let mut dollars = paid(SubscriptionStatus::Active);
    dollars.deposit.amount = Money::new(60.into(), Currency::USD).unwrap();
    let refused = policy.apply_deposit(dollars, at(2_000)).unwrap_err();
    assert!(
        matches!(refused, ConfirmError::DepositCurrency { .. })
            && refused.code() == Code::CurrencyMismatch
    );
    for other in [
        Plan {
            id: 2.into(),
            ..plan(49, true)
        },
        plan(49, false),
    ] {
        let facts = DepositFacts {
            plan: Arc::new(other),
            ..paid(SubscriptionStatus::Active)
        };
        assert_eq!(
            policy.apply_deposit(facts, at(2_000)),
            Err(ConfirmError::PlanMismatch)
        );
    }
    // Nothing is paid that nobody gets, or that costs nothing.
    for odd in [
        Plan {
            active: false,
            ..plan(49, true)
        },
        plan(0, true),
    ] {
        assert_eq!(
            apply(
                DepositFacts {
                    plan: Arc::new(odd),
                    ..paid(SubscriptionStatus::Active)
                },
                2_000
            ),
            None
        );
    }
    assert_eq!(apply(paid(SubscriptionStatus::Paused), 2_000), None);
    for (status, pays) in [
        (AccountStatus::PendingPayment, true),
        (
            AccountStatus::Suspended(SuspensionCause::PaymentOverdue),
            true,
        ),
        (AccountStatus::Suspended(SuspensionCause::Abuse), false),
        (AccountStatus::Suspended(SuspensionCause::Requested), false),
    ] {
        let mut facts = paid(SubscriptionStatus::Active);
        facts.account.status = status;
        let change = apply(facts, 2_000);
        assert_eq!(
            change.as_ref().map(|change| change.account().row().status),
            pays.then_some(AccountStatus::Active)
        );
        assert_eq!(
            change.map(|change| change.subscription().row().external_payment_id.clone()),
            pays.then_some(None)
        );
    }
    let mut closed = paid(SubscriptionStatus::Active);
    closed.account.status = AccountStatus::Closed;
    assert_eq!(
        policy.apply_deposit(closed, at(2_000)),
        Err(ConfirmError::Denied(Denial::AccountClosed))
    );
    let mut foreign = paid(SubscriptionStatus::Active);
    foreign.deposit.account = 8.into();
    assert_eq!(
        policy.apply_deposit(foreign, at(2_000)),
        Err(ConfirmError::Row(mismatch("deposit", "account")))
    );
    // What a provider runs, it renews.
    let mut by_stripe = paid(SubscriptionStatus::Active);
    by_stripe.subscription.payment_method = PaymentMethod::Stripe;
    assert_eq!(apply(by_stripe, 2_000), None);
    // The first payment, too, within its time; what time has ended, nothing revives.
    assert!(apply(paid(SubscriptionStatus::Incomplete), 2_000).is_some());
    assert_eq!(
        apply(paid(SubscriptionStatus::Incomplete), 40 * 86_400),
        None
    );
    let strict = under(PolicySettings {
        after_grace: AfterRetries::Cancel,
        ..PolicySettings::default()
    });
    assert_eq!(
        strict.apply_deposit(paid(SubscriptionStatus::PastDue), at(2_000)),
        Ok(None)
    );
}

/// Only a payment lifts a suspension for one, and a change of plan raises the account's version.
#[test]
fn b5_no_command_but_a_payment_lifts_a_suspension_for_payment() {
    let overdue = account(
        TENANT,
        AccountStatus::Suspended(SuspensionCause::PaymentOverdue),
    );
    let paid = facts(AccountStatus::Active, SubscriptionStatus::Active)
        .subscription
        .unwrap();
    let paused = paid
        .clone()
        .apply(Command::Pause, at(5))
        .unwrap()
        .into_subscription();
    assert_eq!(
        overdue.after(&paused.clone().apply(Command::Resume, at(6)).unwrap()),
        None
    );
    let new = Subscription::new(
        10.into(),
        TENANT.into(),
        1.into(),
        PaymentMethod::BankTransfer,
        at(0),
    );
    let trial = new
        .apply(Command::StartTrial { until: at(100) }, at(5))
        .unwrap();
    assert_eq!(overdue.after(&trial), None);
    let pending = account(TENANT, AccountStatus::PendingPayment);
    assert_eq!(
        pending.after(&trial).unwrap().row().status,
        AccountStatus::Active
    );
    let payment = RecordedPayment {
        interval: Interval::MONTHLY,
        slack: chrono::TimeDelta::zero(),
        method: PaymentMethod::BankTransfer,
        external_id: None,
    };
    let renewed = paused.record_payment(payment, at(7)).unwrap();
    assert_eq!(
        overdue.after(&renewed).unwrap().row().status,
        AccountStatus::Active
    );
    let changed = paid
        .apply(Command::ChangePlan { plan: 2.into() }, at(8))
        .unwrap();
    let moved = overdue.after(&changed).unwrap();
    assert_eq!(
        (moved.row().status, moved.row().version),
        (overdue.status, overdue.version + 1)
    );
    assert_eq!(
        account(8, AccountStatus::PendingPayment).after(&trial),
        None,
        "another account's"
    );
}

#[test]
fn b2_what_has_ended_is_followed_by_a_new_one() {
    let policy = Policy::default();
    let account = account(TENANT, AccountStatus::Active);
    let former = facts(AccountStatus::Active, SubscriptionStatus::Canceled)
        .subscription
        .unwrap();
    let plan = plan(49, true);
    let method = PaymentMethod::BankTransfer;
    let next = policy
        .resubscribe(&account, &former, 10.into(), &plan, method, at(50))
        .unwrap();
    assert_eq!(next.subscription().expected_version(), former.version);
    assert_eq!(
        (
            next.subscription().row().version,
            &next.subscription().row().id
        ),
        (former.version + 1, &10.into())
    );
    assert_eq!(
        (next.account().row().version, next.account().row().status),
        (account.version + 1, account.status)
    );
    let live = facts(AccountStatus::Active, SubscriptionStatus::PastDue)
        .subscription
        .unwrap();
    let refused = |former: &Subscription, id: i64, plan: &Plan, method| {
        policy
            .resubscribe(&account, former, id.into(), plan, method, at(50))
            .unwrap_err()
    };
    // Its grace is over, so it is unpaid by now, and not ended.
    assert_eq!(
        refused(&live, 10, &plan, method),
        SuccessionError::NotEnded(SubscriptionStatus::Unpaid)
    );
    assert_eq!(
        refused(&former, 9, &plan, method),
        SuccessionError::SameIdentifier
    );
    let stripe = PaymentMethod::Stripe;
    assert_eq!(
        refused(&former, 10, &plan, stripe),
        SuccessionError::ComingSoon(stripe)
    );
    let inactive = Plan {
        active: false,
        ..plan.clone()
    };
    assert_eq!(
        refused(&former, 10, &inactive, method),
        SuccessionError::PlanInactive
    );
    let free = Plan {
        needs_subscription: false,
        ..plan.clone()
    };
    assert_eq!(
        refused(&former, 10, &free, method),
        SuccessionError::PlanInactive
    );
    let foreign = Subscription {
        account: 8.into(),
        ..former.clone()
    };
    assert_eq!(
        refused(&foreign, 10, &plan, method),
        SuccessionError::Row(RowError::Mismatch {
            left: "subscription",
            right: "account"
        })
    );
    // The account pays as was chosen, what ran at a provider is to be ended there, and no job must
    // have ended it first.
    let account = Account {
        payment_method: PaymentMethod::Stripe,
        ..account.clone()
    };
    let by_stripe = Subscription {
        stripe_subscription_id: Some("sub_1".into()),
        payment_method: PaymentMethod::Stripe,
        ..former.clone()
    };
    let next = policy
        .resubscribe(&account, &by_stripe, 10.into(), &plan, method, at(50))
        .unwrap();
    assert_eq!(next.account().row().payment_method, method);
    assert_eq!(next.ends_at_provider(), Some((Provider::Stripe, "sub_1")));
    assert_eq!(next.subscription().row().stripe_subscription_id, None);
    let over = Subscription {
        status: SubscriptionStatus::Active,
        cancel_at_period_end: true,
        ..former
    };
    assert!(
        policy
            .resubscribe(&account, &over, 10.into(), &plan, method, at(999))
            .is_err()
    );
    assert!(
        policy
            .resubscribe(&account, &over, 10.into(), &plan, method, at(1_000))
            .is_ok()
    );
}

#[test]
fn c4_what_is_due_is_due_to_one_account_for_its_own_time() {
    let new = || {
        Subscription::new(
            9.into(),
            TENANT.into(),
            1.into(),
            PaymentMethod::BankTransfer,
            at(0),
        )
    };
    let day = 86_400;
    let plan = plan(49, true);
    let trial = new()
        .apply(
            Command::StartTrial {
                until: at(14 * day),
            },
            at(0),
        )
        .unwrap();
    let [due] = &trial.grants(&plan)[..] else {
        panic!()
    };
    assert_eq!(
        due.terms().expires_at,
        Some(at(14 * day)),
        "a trial's credits end with it"
    );
    assert_eq!(
        (due.account(), due.terms().amount),
        (&TENANT.into(), credits(500))
    );

    // Another account's wallet refuses it, and its revocation.
    let foreign = Wallet::open(8.into(), at(0));
    assert_eq!(
        foreign.clone().grant_due(due, None, at(0)),
        Err(GrantError::Wallet(WalletError::Row(RowError::Mismatch {
            left: "wallet",
            right: "cause"
        })))
    );
    let facts = facts(
        AccountStatus::PendingPayment,
        SubscriptionStatus::Incomplete,
    );
    let paid = fresh(confirm(&transfer("tx", 49), facts));
    let record = paid.record().clone();
    let answer = refund_of(
        &record,
        49,
        AfterRefund::EndService,
        Some(paid.subscription().unwrap().row().clone()),
        None,
        granted(paid.grants(), 10),
    );
    let Ok(Answer::Fresh(refunded)) = answer else {
        panic!("{answer:?}")
    };
    let [revocation] = refunded.revocations() else {
        panic!()
    };
    assert_eq!(
        foreign.revoke_due(revocation, None, at(20)),
        Err(RevokeError::Wallet(WalletError::Row(RowError::Mismatch {
            left: "wallet",
            right: "revocation"
        })))
    );

    // A wallet's time never goes back, so what is over by its time is over.
    let late = Wallet::open(TENANT.into(), at(14 * day));
    assert_eq!(late.grant_due(due, None, at(1)), Ok(None));

    // A change of plan adds what the new plan has, to the month that runs, and to nothing else.
    let active = trial
        .into_subscription()
        .record_payment(month_of(&plan), at(14 * day))
        .unwrap();
    let larger = active
        .into_subscription()
        .apply(Command::ChangePlan { plan: 2.into() }, at(20 * day))
        .unwrap();
    let pro = Plan {
        id: 2.into(),
        credits_per_month: credits(900),
        ..plan.clone()
    };
    assert_eq!(
        (larger.grants(&pro).len(), larger.grants(&plan).len()),
        (1, 0)
    );
    let late = larger
        .into_subscription()
        .apply(Command::ChangePlan { plan: 1.into() }, at(90 * day))
        .unwrap();
    assert!(late.grants(&plan).is_empty(), "no paid month runs");

    // One subscription's months are not another's, whatever they are called.
    let named = |id: &str| Subscription {
        id: id.parse().unwrap(),
        ..new()
    };
    let of = |id: &str, at_: i64| {
        let paid = named(id).record_payment(month_of(&plan), at(at_)).unwrap();
        paid.grants(&plan)
    };
    let both = [of("a", 0), of("a/1", 1)].concat();
    let wallet = granted(&both, 10);
    let record = ConfirmedTransfer {
        subscription: Some("a".parse().unwrap()),
        ..record
    };
    let answer = refund_of(
        &record,
        49,
        AfterRefund::EndService,
        None,
        None,
        wallet.clone(),
    );
    let Ok(Answer::Fresh(refunded)) = answer else {
        panic!("{answer:?}")
    };
    let [revocation] = refunded.revocations() else {
        panic!("{:?}", refunded.revocations())
    };
    assert_eq!(revocation.grant(), both[0].key());
    // What was taken back is not taken back again.
    let empty = wallet
        .revoke_due(revocation, None, at(11))
        .unwrap()
        .unwrap()
        .wallet()
        .clone();
    let Ok(Answer::Fresh(again)) =
        refund_of(&record, 49, AfterRefund::EndService, None, None, empty)
    else {
        panic!()
    };
    assert!(again.revocations().is_empty());
}

/// The rows of one account, written as the changes say, under their guards.
struct Books {
    policy: Policy,
    facts: TransferFacts,
    records: Vec<ConfirmedTransfer>,
    keys: std::collections::BTreeSet<String>,
}

impl Books {
    fn new(policy: Policy) -> Self {
        let facts = facts(
            AccountStatus::PendingPayment,
            SubscriptionStatus::Incomplete,
        );
        Self {
            policy,
            facts,
            records: vec![],
            keys: Default::default(),
        }
    }

    fn confirm(&mut self, number: usize, amount: i64, now: i64) -> Option<ConfirmedTransfer> {
        let transfer = transfer(&format!("tx-{number}"), amount);
        let prior = self
            .records
            .iter()
            .find(|record| record.transfer.transaction() == transfer.transaction())
            .cloned();
        let facts = TransferFacts {
            prior,
            ..self.facts.clone()
        };
        let operator = operator(Privilege::ConfirmPayments);
        match self
            .policy
            .confirm_bank_transfer(&operator, &transfer, facts, at(now))
        {
            Ok(Answer::Replayed(record)) => Some(record),
            Err(_) => None,
            Ok(Answer::Fresh(change)) => {
                assert_eq!(
                    change.account().expected_version(),
                    self.facts.account.version
                );
                self.facts.account = change.account().row().clone();
                if let Some(paid) = change.subscription() {
                    assert_eq!(
                        paid.expected_version(),
                        self.facts.subscription.as_ref().unwrap().version
                    );
                    assert_eq!(paid.row().version, paid.expected_version() + 1);
                    self.facts.subscription = Some(paid.row().clone());
                }
                self.deposit(change.deposit());
                for due in change.grants() {
                    assert!(
                        self.keys.insert(due.key().to_owned()),
                        "a month is paid once"
                    );
                }
                self.records.push(change.record().clone());
                Some(change.record().clone())
            }
        }
    }

    fn refund(&mut self, which: usize, total: i64, then: AfterRefund, now: i64) {
        let Some(record) = self.records.get(which).cloned() else {
            return;
        };
        let facts = RefundFacts {
            record: record.clone(),
            subscription: self.facts.subscription.clone(),
            deposit: self.facts.deposit.clone(),
            wallet: Wallet::open(TENANT.into(), at(0)),
        };
        let refund = TransferRefund {
            total: euros(total),
            then,
        };
        let operator = operator(Privilege::ConfirmPayments);
        let answer = ConfirmedTransfer::refund(&operator, refund, facts, at(now));
        // Only for one of these reasons is it refused.
        let in_range = record.refunded.amount() <= total.into()
            && total <= record.transfer.amount().amount().try_into().unwrap();
        let is_told = matches!(
            answer,
            Err(TransferRefundError::LaterPaid | TransferRefundError::Unattributed)
        );
        assert!(answer.is_ok() || !in_range || is_told, "{answer:?}");
        if let Ok(Answer::Fresh(change)) = answer {
            assert_eq!(change.record().expected_version(), record.version);
            self.records[which] = change.record().row().clone();
            if let Some(ended) = change.subscription() {
                assert_eq!(ended.row().status, SubscriptionStatus::Canceled);
                self.facts.subscription = Some(ended.row().clone());
            }
            self.deposit(change.deposit());
        }
    }

    /// What a host's job does at the end of a period.
    fn apply_deposit(&mut self, now: i64) {
        let (Some(deposit), Some(subscription)) =
            (self.facts.deposit.clone(), self.facts.subscription.clone())
        else {
            return;
        };
        let (account, plan) = (self.facts.account.clone(), self.facts.plan.clone());
        let facts = DepositFacts {
            account,
            plan,
            subscription: subscription.clone(),
            deposit,
        };
        if let Some(change) = self.policy.apply_deposit(facts, at(now)).unwrap() {
            assert_eq!(
                change.subscription().expected_version(),
                subscription.version
            );
            assert!(
                change.subscription().row().current_period.unwrap().end > at(now),
                "it pays for time to come"
            );
            self.facts.account = change.account().row().clone();
            self.facts.subscription = Some(change.subscription().row().clone());
            self.deposit(Some(change.deposit()));
            for due in change.grants() {
                assert!(
                    self.keys.insert(due.key().to_owned()),
                    "a month is paid once"
                );
            }
        }
    }

    fn deposit(&mut self, change: Option<&RowChange<Deposit>>) {
        if let Some(change) = change {
            assert_eq!(
                change.expected_version(),
                self.facts
                    .deposit
                    .as_ref()
                    .map_or(0, |deposit| deposit.version)
            );
            self.facts.deposit = Some(change.row().clone());
        }
    }

    /// Everything that arrived is accounted for, to the cent.
    fn check(&self) {
        let sum = |part: fn(&ConfirmedTransfer) -> Money| {
            self.records.iter().fold(euros(0), |sum, record| {
                sum.checked_add(part(record)).unwrap()
            })
        };
        let arrived = sum(|record| record.transfer.amount())
            .checked_sub(sum(|record| record.refunded))
            .unwrap();
        let kept = self
            .facts
            .deposit
            .as_ref()
            .map_or(euros(0), |deposit| deposit.amount);
        // What paid for periods, by a transfer or from the deposit, less what of it was given back.
        let by_itself = self
            .facts
            .deposit
            .as_ref()
            .map_or(euros(0), |deposit| deposit.applied);
        let earned = sum(|record| record.applied).checked_add(by_itself).unwrap();
        let earned = earned.checked_sub(sum(|record| record.taken_back)).unwrap();
        let parts = [kept, sum(|record| record.noted)];
        let accounted = parts
            .into_iter()
            .try_fold(earned, |sum, part| sum.checked_add(part));
        assert_eq!(Some(arrived), accounted);
        for record in &self.records {
            assert!(
                record
                    .transfer
                    .amount()
                    .checked_sub(record.refunded)
                    .is_some(),
                "refunds add up to at most the transfer"
            );
            assert_eq!(record.applied, euros(49 * i64::from(record.periods)));
        }
    }
}

proptest! {
    /// Whatever is paid in whatever parts, doubled and refunded: the books add up, no period is
    /// paid twice, and what was confirmed twice changes nothing.
    #[test]
    fn b5_the_books_add_up(
        steps in prop::collection::vec((0usize..8, 1i64..200, 0i64..40, any::<bool>(), any::<bool>(), 0i64..200), 1..24),
        overpaid in prop::sample::select(vec![Overpayment::Note, Overpayment::Deposit, Overpayment::NextPeriods]),
    ) {
        let mut books = Books::new(overpayment(overpaid));
        let mut now = 10;
        for (number, amount, days, is_refund, ends, total) in steps {
            now += days * 86_400;
            if ends {
                books.apply_deposit(now);
            }
            if is_refund {
                let then = if ends { AfterRefund::EndService } else { AfterRefund::KeepService };
                books.refund(number, total, then, now);
            } else if let Some(record) = books.confirm(number, amount, now) {
                let before = (books.facts.clone(), books.records.clone());
                prop_assert_eq!(books.confirm(number, amount, now + 1), Some(record));
                prop_assert_eq!(format!("{:?}", before), format!("{:?}", (&books.facts, &books.records)));
            }
            books.check();
        }
    }

    /// Two pairs of references never share the key of their grant: no transfer can take another's
    /// place.
    #[test]
    fn b5_the_grants_of_two_transfers_never_share_a_key(
        a in "[0-9A-Z/]{1,6}", b in "[0-9A-Z/]{1,6}", c in "[0-9A-Z/]{1,6}", d in "[0-9A-Z/]{1,6}",
    ) {
        let key = |receiving: &str, transaction: &str| {
            let (receiving, transaction) = (receiving.parse().unwrap(), transaction.parse().unwrap());
            let transfer = BankTransfer::new(receiving, transaction, euros(49), "Wayne", PROOF).unwrap();
            let mut facts = facts(AccountStatus::PendingPayment, SubscriptionStatus::Incomplete);
            (facts.plan, facts.subscription) = (Arc::new(plan(49, false)), None);
            fresh(confirm(&transfer, facts)).grants()[0].key().to_owned()
        };
        prop_assert_eq!(key(&a, &b) == key(&c, &d), (&a, &b) == (&c, &d));
    }
}
