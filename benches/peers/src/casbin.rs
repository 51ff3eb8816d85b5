//! The question in Casbin.

use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter};

use crate::{Facts, account_word, entitled_until, user_of};

/// What the two models share: the request's fields, and the rules that are the same for all
/// tenants. Absent text is empty, an absent time is 0.
const REQUEST: &str =
    "r = user, domain, action, account, status, plan, active, needs, owner, bought, until, now";
const RULES: &str = r#"r.domain != "" && r.account == r.domain && r.status == "active" && r.plan != "" && r.active \
&& (r.owner == "" || r.owner == r.domain) && (!r.needs || (r.owner != "" && r.bought == r.plan && r.now < r.until))"#;

/// A request's facts as Casbin compares them: text and numbers, made once for each tenant.
pub struct Row {
    user: String,
    domain: String,
    account: String,
    status: &'static str,
    plan: String,
    active: bool,
    needs: bool,
    owner: String,
    bought: String,
    until: i32,
}

impl Row {
    pub fn new(facts: &Facts) -> Self {
        let tenant = &facts.tenant;
        let (plan, subscription) = (tenant.plan.as_ref(), tenant.subscription.as_ref());
        Self {
            user: facts.principal.user().unwrap().to_string(),
            domain: facts
                .principal
                .account()
                .map(ToString::to_string)
                .unwrap_or_default(),
            account: tenant.account.id.to_string(),
            status: account_word(tenant.account.status),
            plan: plan.map(|plan| plan.id.to_string()).unwrap_or_default(),
            active: plan.is_some_and(|plan| plan.active),
            needs: plan.is_some_and(|plan| plan.needs_subscription),
            owner: subscription
                .map(|subscription| subscription.account.to_string())
                .unwrap_or_default(),
            bought: subscription
                .map(|subscription| subscription.plan.to_string())
                .unwrap_or_default(),
            until: subscription
                .and_then(entitled_until)
                .unwrap_or_default()
                .try_into()
                .unwrap(),
        }
    }
}

/// Casbin's enforcer.
pub struct Engine(Enforcer);

impl Engine {
    fn open(model: &str, policies: Vec<Vec<String>>, roles: Vec<Vec<String>>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let model = DefaultModel::from_str(model).await.unwrap();
            let mut enforcer = Enforcer::new(model, NullAdapter).await.unwrap();
            assert!(enforcer.add_policies(policies).await.unwrap());
            if !roles.is_empty() {
                assert!(enforcer.add_grouping_policies(roles).await.unwrap());
            }
            Self(enforcer)
        })
    }

    /// Role-based access control with domains: one policy and one role assignment for each account
    /// from 1 on. What is cheap and decides most stands first in the matcher.
    pub fn domains(accounts: i64) -> Self {
        let model = format!(
            "[request_definition]\n{REQUEST}\n[policy_definition]\np = role, domain, action\n[role_definition]\n\
             g = _, _, _\n[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\n\
             m = r.domain == p.domain && r.action == p.action && g(r.user, p.role, r.domain) && {RULES}\n"
        );
        let policies =
            (1..=accounts).map(|account| vec!["member".into(), account.to_string(), "use".into()]);
        let roles = (1..=accounts).map(|account| {
            vec![
                user_of(account).to_string(),
                "member".into(),
                account.to_string(),
            ]
        });
        Self::open(&model, policies.collect(), roles.collect())
    }

    /// Attribute-based access control: one policy for all tenants.
    pub fn attributes() -> Self {
        let model = format!(
            "[request_definition]\n{REQUEST}\n[policy_definition]\np = action\n[policy_effect]\n\
             e = some(where (p.eft == allow))\n[matchers]\nm = r.action == p.action && {RULES}\n"
        );
        Self::open(&model, vec![vec!["use".into()]], vec![])
    }

    /// Casbin's answer.
    pub fn decide(&self, row: &Row, now: i32) -> bool {
        self.0
            .enforce((
                &row.user,
                &row.domain,
                "use",
                &row.account,
                row.status,
                &row.plan,
                row.active,
                row.needs,
                &row.owner,
                &row.bought,
                row.until,
                now,
            ))
            .unwrap()
    }
}
