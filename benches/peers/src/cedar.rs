//! The question in Cedar.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression,
};

use crate::{Facts, account_word, entitled_until};

/// One policy for all tenants, as Cedar advises: what differs is in the entities.
const POLICY: &str = r#"
permit(principal, action == Action::"use_tenant_route", resource)
when {
    principal has account && principal.account == resource &&
    resource.status == "active" &&
    resource has plan_active && resource.plan_active &&
    (if resource has subscription_account then resource.subscription_account == principal.account else true) &&
    (!resource.plan_needs_subscription ||
        (resource has subscription_account &&
         resource.subscription_plan == resource.plan &&
         resource has entitled_until && context.now < resource.entitled_until))
};
"#;

/// Cedar's authorizer with the policy, and names that are parsed once.
pub struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    user: EntityTypeName,
    account: EntityTypeName,
    action: EntityUid,
}

impl Engine {
    #[allow(clippy::new_without_default, reason = "it parses")]
    pub fn new() -> Self {
        Self {
            authorizer: Authorizer::new(),
            policies: POLICY.parse().unwrap(),
            user: "User".parse().unwrap(),
            account: "Account".parse().unwrap(),
            action: r#"Action::"use_tenant_route""#.parse().unwrap(),
        }
    }

    fn uid(kind: &EntityTypeName, id: impl ToString) -> EntityUid {
        EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id.to_string()))
    }

    /// The entities of the requests with these facts: for each the user and the account.
    pub fn entities<'a>(&self, all: impl IntoIterator<Item = &'a Facts>) -> Entities {
        let entities = all.into_iter().flat_map(|facts| {
            let mut user = HashMap::new();
            if let Some(account) = facts.principal.account() {
                let account = Self::uid(&self.account, account);
                user.insert(
                    "account".to_owned(),
                    RestrictedExpression::new_entity_uid(account),
                );
            }
            let tenant = &facts.tenant;
            let word = account_word(tenant.account.status).to_owned();
            let mut account =
                HashMap::from([("status".to_owned(), RestrictedExpression::new_string(word))]);
            if let Some(plan) = &tenant.plan {
                account.insert(
                    "plan".to_owned(),
                    RestrictedExpression::new_string(plan.id.to_string()),
                );
                account.insert(
                    "plan_active".to_owned(),
                    RestrictedExpression::new_bool(plan.active),
                );
                let needs = RestrictedExpression::new_bool(plan.needs_subscription);
                account.insert("plan_needs_subscription".to_owned(), needs);
            }
            if let Some(subscription) = &tenant.subscription {
                let owner = RestrictedExpression::new_entity_uid(Self::uid(
                    &self.account,
                    &subscription.account,
                ));
                account.insert("subscription_account".to_owned(), owner);
                let plan = RestrictedExpression::new_string(subscription.plan.to_string());
                account.insert("subscription_plan".to_owned(), plan);
                if let Some(until) = entitled_until(subscription) {
                    account.insert(
                        "entitled_until".to_owned(),
                        RestrictedExpression::new_long(until),
                    );
                }
            }
            [
                Entity::new(self.principal(facts), user, HashSet::new()).unwrap(),
                Entity::new(
                    Self::uid(&self.account, &tenant.account.id),
                    account,
                    HashSet::new(),
                )
                .unwrap(),
            ]
        });
        Entities::from_entities(entities, None).unwrap()
    }

    fn principal(&self, facts: &Facts) -> EntityUid {
        Self::uid(&self.user, facts.principal.user().unwrap())
    }

    /// The request: who, what, which account, and the time.
    pub fn request(&self, facts: &Facts, now: i64) -> Request {
        let context =
            Context::from_pairs([("now".to_owned(), RestrictedExpression::new_long(now))]).unwrap();
        let resource = Self::uid(&self.account, &facts.tenant.account.id);
        Request::new(
            self.principal(facts),
            self.action.clone(),
            resource,
            context,
            None,
        )
        .unwrap()
    }

    /// Cedar's answer.
    pub fn decide(&self, request: &Request, entities: &Entities) -> bool {
        self.authorizer
            .is_authorized(request, &self.policies, entities)
            .decision()
            == Decision::Allow
    }
}
