//! The only way across tenants: who may take it, what is written down, and which rows it opens.

use crate::support::{account, at, operator_of, staff, tenant};
use bailiwick::account::AccountStatus;
use bailiwick::danger::{AuditRecord, CrossTenant, CrossTenantError};
use bailiwick::gate::{Credential, Denial, Operator};
use bailiwick::id::UserId;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::problem::Explained;
use bailiwick::right::Privilege;
use bailiwick::scope::{Dialect, Statement};
use bailiwick::subscription::SubscriptionStatus;
use bailiwick::{AccountId, Evidence, Principal, Route, SiteId, Subscription, Tenant, admit};
use proptest::prelude::*;

bailiwick::table! {
    struct Sites: Account in "sites" {
        tenant "account_id" Int;
        key ID = "id" i64 generated;
    }
}
bailiwick::table! {
    struct Article: Site in "articles" {
        tenant "account_id" Int, "site_id" Int of Sites;
        key ID = "id" i64 generated;
        column TITLE = "title" String;
    }
}

const WHY: &str = "ticket 4711";

fn target(id: i64, sites: &[i64]) -> Tenant {
    Tenant {
        sites: sites.iter().copied().map(SiteId::from).collect(),
        ..tenant(id)
    }
}

fn support_staff() -> Operator {
    operator_of(1, Privilege::CrossTenants)
}

fn open(
    operator: &Operator,
    target: &Tenant,
    reason: &str,
) -> Result<(CrossTenant, AuditRecord), CrossTenantError> {
    CrossTenant::open(operator, target, reason, at(9))
}

fn values(statement: &Statement) -> String {
    format!("{:?}", statement.values().0)
}

/// An operator by any credential, admitted under a privilege.
fn admitted(principal: Principal, own: i64, privilege: Privilege) -> Operator {
    let principal = principal
        .of_account(own.into())
        .with_privileges([privilege].into_iter().collect());
    let decision = admit(
        Route::Operator(privilege),
        &Evidence::Verified(principal),
        Some(&staff(own)),
        at(0),
    );
    decision.into_result().unwrap().into_operator().unwrap()
}

proptest! {
    /// Only an operator who was admitted under the very privilege crosses, whatever the reason and
    /// the account are.
    #[test]
    fn s10_only_the_privilege_crosses_tenants(own in 1..4_i64, other in 1..4_i64, reason in ".{0,8}") {
        for privilege in Privilege::ALL {
            let opened = open(&operator_of(own, privilege), &target(other, &[12]), &reason);
            if privilege != Privilege::CrossTenants {
                let denied = Denial::PrivilegeMissing(Privilege::CrossTenants);
                prop_assert_eq!(opened.unwrap_err(), CrossTenantError::Denied(denied));
            } else if own == other {
                prop_assert_eq!(opened.unwrap_err(), CrossTenantError::Denied(Denial::OwnAccount));
            } else {
                let speaks = reason.trim().chars().any(char::is_alphanumeric) && !reason.trim().chars().any(char::is_control);
                prop_assert_eq!(opened.is_ok(), speaks, "{:?}", reason);
            }
        }
    }

    /// The record says who, from which account, into which, why and when, and survives its way
    /// through a store.
    #[test]
    fn s10_the_record_tells_the_truth(
        own in 1..9_i64, other in 10..19_i64, who in 0..99_i64, by in 0..3, reason in "[a-z0-9][a-z0-9 :]{0,40}[a-z]", second in 0..999_i64,
    ) {
        let (principal, credential, user) = match by {
            0 => (Principal::session(who.into()), Credential::Session, Some(UserId::from(who))),
            1 => (Principal::jwt(who.into()), Credential::Jwt, Some(UserId::from(who))),
            _ => (Principal::api_key(who.into()), Credential::ApiKey(who.into()), None),
        };
        let operator = admitted(principal, own, Privilege::CrossTenants);
        let padded = format!("  {reason}\n");
        let (crossing, record) = CrossTenant::open(&operator, &target(other, &[]), &padded, at(second)).unwrap();
        prop_assert_eq!(crossing.account_id(), &AccountId::from(other));
        let stored = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<AuditRecord>(&stored).unwrap(), record.clone());
        let expected = AuditRecord {
            credential, user, operator_account: own.into(), account: other.into(), reason, at: at(second),
        };
        prop_assert_eq!(record, expected);
    }

    /// What it opens is the named account and its sites: the statements carry its predicate, and
    /// bind it.
    #[test]
    fn s10_it_opens_the_named_account_alone(other in 2..9_i64, site in 20..30_i64, asked in 20..30_i64) {
        let (crossing, _record) = open(&support_staff(), &target(other, &[site]), WHY).unwrap();
        let all = crossing.read().account().unwrap().select::<Article>().build(Dialect::Postgres).unwrap();
        prop_assert!(all.sql().ends_with(r#"FROM "articles" WHERE "articles"."account_id" = $1"#), "{}", all.sql());
        prop_assert_eq!(values(&all), format!("[BigInt(Some({other}))]"));

        let one = crossing.read().site(asked.into());
        prop_assert_eq!(one.is_ok(), asked == site);
        if let Ok(scope) = one {
            let one = scope.count::<Article>().filter(Article::ID.equals(3)).build(Dialect::Sqlite).unwrap();
            let tail = r#"WHERE "articles"."account_id" = ? AND "articles"."site_id" = ? AND "articles"."id" = ?"#;
            prop_assert!(one.sql().ends_with(tail), "{}", one.sql());
            let bound = format!("[BigInt(Some({other})), BigInt(Some({site})), BigInt(Some(3))]");
            prop_assert_eq!(values(&one), bound);
        }
    }
}

#[test]
fn s10_a_reason_is_one_line_that_says_something() {
    let staff = support_staff();
    let long = "x".repeat(501);
    for reason in [
        "",
        " ",
        "\t\n",
        "...",
        "\u{200b}",
        "a\nb",
        "a\u{7}b",
        long.as_str(),
    ] {
        let refused = open(&staff, &target(7, &[]), reason).unwrap_err();
        assert_eq!(refused, CrossTenantError::Reason, "{reason:?}");
        assert_eq!(refused.code().status(), 400);
    }
    for reason in ["x", "Störung", &long[..500]] {
        assert!(open(&staff, &target(7, &[]), reason).is_ok(), "{reason:?}");
    }
}

/// Bound to sites of its own account, a credential has no whole account to open anywhere (S8).
#[test]
fn s10_who_is_bound_to_sites_does_not_cross() {
    let privilege = Privilege::CrossTenants;
    for sites in [vec![], vec![SiteId::from(12)]] {
        let key = Principal::api_key(3.into())
            .of_account(1.into())
            .bound_to_sites(sites);
        let key = key.with_privileges([privilege].into_iter().collect());
        let decision = admit(
            Route::Operator(privilege),
            &Evidence::Verified(key),
            Some(&staff(1)),
            at(0),
        );
        assert_eq!(
            decision.denial(),
            Some(&Denial::AccountWideForbidden),
            "the gate makes no operator of it"
        );
    }
}

/// The operator's own standing was the gate's to judge; that of the account that is looked at
/// decides nothing.
#[test]
fn s10_an_account_of_any_standing_can_be_looked_at() {
    for status in AccountStatus::ALL {
        let looked_at = Tenant {
            account: account(7, status),
            plan: None,
            ..target(7, &[])
        };
        assert!(
            open(&support_staff(), &looked_at, WHY).is_ok(),
            "{status:?}"
        );
    }
}

#[test]
fn s10_rows_of_two_accounts_are_not_believed() {
    let subscription = |account: i64| Subscription {
        id: 1.into(),
        account: account.into(),
        plan: 1.into(),
        status: SubscriptionStatus::Active,
        anchor: at(0),
        current_period: None,
        free_period: false,
        trial_end: None,
        cancel_at_period_end: false,
        ends_at: None,
        pending_plan: None,
        unpaid_plan: None,
        past_due_since: None,
        payment_method: PaymentMethod::BankTransfer,
        stripe_subscription_id: None,
        paypal_subscription_id: None,
        external_payment_id: None,
        provider_at: None,
        provider_paid: None,
        paid_until: None,
        version: 1,
    };
    let loaded = |account| Tenant {
        subscription: Some(subscription(account)),
        ..target(7, &[])
    };
    assert!(open(&support_staff(), &loaded(7), WHY).is_ok());
    let mismatch = CrossTenantError::Denied(Denial::AccountMismatch);
    assert_eq!(
        open(&support_staff(), &loaded(8), WHY).unwrap_err(),
        mismatch
    );
}
