//! A second gate, written naively from the table of default decisions: a list of rows, of which the
//! first that fits answers. It knows nothing of the crate. Instants are whole nanoseconds, whose
//! sums cannot overflow here.
//!
//! Until when an answer holds is found by its definition: the gate is asked again at every instant
//! that any fact names, and the earliest one with another answer is it.

pub type Instant = i128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Public,
    Authenticated,
    Read,
    Write,
    Billing,
    Operator(&'static str),
}

#[derive(Clone, Debug)]
pub enum Evidence {
    Nothing,
    Failed,
    Verified(Principal),
}

#[derive(Clone, Debug)]
pub struct Principal {
    pub account: Option<i64>,
    pub sites: Option<Vec<i64>>,
    pub privileges: Vec<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Tenant {
    pub account: i64,
    /// The account's standing, as the stored text.
    pub status: &'static str,
    pub privileges: Vec<&'static str>,
    pub plan: Option<Plan>,
    /// The plan that the subscription waits to change to.
    pub next: Option<Plan>,
    pub subscription: Option<Subscription>,
    pub sites: Vec<i64>,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub active: bool,
    pub needs_subscription: bool,
    /// Whether it has no price.
    pub free: bool,
}

/// A change of plan that waits.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub at: Instant,
    /// Whether the period from then on is paid already. Without a period, none is.
    pub paid: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    pub account: i64,
    /// The subscription's status, as the stored text.
    pub status: &'static str,
    /// Whether it is for the tenant's plan, and not for another.
    pub of_plan: bool,
    pub trial_end: Option<Instant>,
    pub period_end: Option<Instant>,
    pub paid_until: Option<Instant>,
    pub cancel_at_period_end: bool,
    pub past_due_since: Option<Instant>,
    pub pending: Option<Pending>,
    /// Whether a provider runs it.
    pub by_provider: bool,
}

impl Subscription {
    fn is_next_paid(&self) -> bool {
        self.period_end.is_some() && self.pending.is_some_and(|pending| pending.paid)
    }

    /// Whether it is served without a payment on a plan that has no price.
    fn lives_by_time(&self) -> bool {
        ["incomplete", "trialing", "active", "past_due", "unpaid"].contains(&self.status)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    pub slack: Instant,
    /// The length of the grace time, and whether it allows writing.
    pub grace: Option<(Instant, bool)>,
}

/// `code` is `admitted` or the denial's code; `admission` the kind of admission, empty for a
/// denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: &'static str,
    pub admission: &'static str,
    pub writable: bool,
    /// The plan of a tenant's admission: 1, or 3 for the one that waited; else 0.
    pub plan: i64,
    pub valid_until: Option<Instant>,
}

pub fn decide(
    policy: Policy,
    route: Route,
    evidence: &Evidence,
    tenant: Option<&Tenant>,
    now: Instant,
) -> Answer {
    let answer = at(policy, route, evidence, tenant, now);
    let valid_until = instants(policy, tenant)
        .into_iter()
        .flatten()
        .filter(|later| *later > now && at(policy, route, evidence, tenant, *later) != answer)
        .min();
    Answer {
        valid_until,
        ..answer
    }
}

/// Every instant that the facts name, as it stands and with each length of the policy added.
fn instants(policy: Policy, tenant: Option<&Tenant>) -> [Option<Instant>; 12] {
    let Some(facts) = tenant.and_then(|tenant| tenant.subscription) else {
        return [None; 12];
    };
    let grace = policy.grace.map_or(0, |(length, _)| length);
    let [trial, period, due] = [facts.trial_end, facts.period_end, facts.past_due_since];
    let later = |instant: Option<Instant>, length| instant.map(|instant| instant + length);
    [
        trial,
        later(trial, policy.slack),
        later(trial, grace),
        period,
        later(period, policy.slack),
        later(period, grace),
        facts.paid_until,
        later(facts.paid_until, policy.slack),
        due,
        later(due, policy.slack),
        later(due, grace),
        facts.pending.map(|pending| pending.at),
    ]
}

/// From when on the plan that waited serves, by time alone.
fn next_serves_from(policy: Policy, tenant: &Tenant) -> Option<Instant> {
    let (present, next) = (tenant.plan?, tenant.next?);
    let subscription = tenant.subscription?;
    let pending = subscription.pending?;
    // It is to end, a provider decides, or the account is on yet another plan.
    if subscription.cancel_at_period_end || subscription.by_provider || !subscription.of_plan {
        return None;
    }
    // What is due on a plan without a price is not due for long.
    let status = match subscription.status {
        "past_due" | "unpaid" if present.free => "active",
        status => status,
    };
    let starts = if subscription.is_next_paid() {
        status == "active"
    } else if !next.free {
        false
    } else {
        // It must not have ended before.
        let is_in_time = |end: Option<Instant>| {
            present.free || end.is_none_or(|end| pending.at <= end + policy.slack)
        };
        match status {
            "trialing" => is_in_time(subscription.trial_end),
            "active" => is_in_time(subscription.period_end.max(subscription.paid_until)),
            // When its grace is over it is unpaid, and not canceled.
            "past_due" | "unpaid" | "paused" => true,
            _ => false,
        }
    };
    starts.then_some(pending.at)
}

fn at(
    policy: Policy,
    route: Route,
    evidence: &Evidence,
    tenant: Option<&Tenant>,
    now: Instant,
) -> Answer {
    let denied = |code| Answer {
        code,
        admission: "",
        writable: false,
        plan: 0,
        valid_until: None,
    };
    let admitted = |admission, writable| Answer {
        code: "admitted",
        admission,
        writable,
        plan: 0,
        valid_until: None,
    };

    // credential presented and failed, route not public
    if matches!(evidence, Evidence::Failed) && route != Route::Public {
        return denied("credential_rejected");
    }
    // public route
    if route == Route::Public {
        let somebody = matches!(evidence, Evidence::Verified(_));
        return admitted(
            if somebody {
                "public, principal"
            } else {
                "public, anonymous"
            },
            false,
        );
    }
    // none presented
    let Evidence::Verified(principal) = evidence else {
        return denied("credential_missing");
    };
    // authenticated route
    if route == Route::Authenticated {
        return admitted("authenticated", false);
    }
    // operator route, and the principal lacks the stored privilege
    if let Route::Operator(privilege) = route
        && !principal.privileges.contains(&privilege)
    {
        return denied("privilege_missing");
    }
    // principal without an account; account not found; another account's
    let Some(own) = principal.account else {
        return denied("account_missing");
    };
    let Some(tenant) = tenant else {
        return denied("account_missing");
    };
    if tenant.account != own {
        return denied("account_mismatch");
    }
    if tenant
        .subscription
        .is_some_and(|subscription| subscription.account != own)
    {
        return denied("account_mismatch");
    }
    // account suspended (but an overdue payment does not close the billing route), closed
    match tenant.status {
        "suspended_payment_overdue" if route == Route::Billing => {}
        "suspended_payment_overdue" | "suspended_abuse" | "suspended_requested" => {
            return denied("account_suspended");
        }
        "closed" => return denied("account_closed"),
        "active" | "pending_payment" => {}
        _ => return denied("account_status_unknown"),
    }
    // billing route; operator route
    if route == Route::Billing {
        // a principal bound to sites cannot act for the whole account
        if principal.sites.is_some() {
            return denied("account_wide_forbidden");
        }
        return admitted("billing", false);
    }
    if let Route::Operator(privilege) = route {
        // operator route, and the account lacks the stored privilege
        if !tenant.privileges.contains(&privilege) {
            return denied("privilege_missing");
        }
        // a principal bound to sites cannot act for other accounts
        if principal.sites.is_some() {
            return denied("account_wide_forbidden");
        }
        return admitted("operator", false);
    }
    // the plan that waited, once its time has come
    let has_changed = next_serves_from(policy, tenant).is_some_and(|at| at <= now);
    let plan = if has_changed {
        tenant.next
    } else {
        tenant.plan
    };
    // a plan without a price needs no payment, unless it ends or a provider decides
    let is_free = plan.zip(tenant.subscription).is_some_and(|(plan, facts)| {
        let goes_on = facts.of_plan && !facts.cancel_at_period_end && !facts.by_provider;
        plan.free && plan.needs_subscription && facts.lives_by_time() && (has_changed || goes_on)
    });
    // account awaiting its first payment
    if tenant.status == "pending_payment" && !is_free {
        return denied("payment_pending");
    }
    // no plan, plan not active
    let Some(plan) = plan else {
        return denied("plan_missing");
    };
    if !plan.active {
        return denied("plan_inactive");
    }
    let mut writable = true;
    if plan.needs_subscription {
        // plan needs a subscription and there is none
        let Some(subscription) = tenant.subscription else {
            return denied("subscription_missing");
        };
        // the subscription is for another plan
        if !subscription.of_plan && !has_changed {
            return denied("plan_mismatch");
        }
        // nothing follows that was paid, so nothing ends
        let is_endless = is_free && (has_changed || !subscription.is_next_paid());
        let status = match subscription.status {
            _ if is_endless => "endless",
            "past_due" | "unpaid" if is_free || has_changed => "active",
            status => status,
        };
        match status {
            "endless" => {}
            "incomplete" => return denied("subscription_incomplete"),
            "incomplete_expired" => return denied("subscription_incomplete_expired"),
            "unpaid" => return denied("subscription_unpaid"),
            "paused" => return denied("subscription_paused"),
            "canceled" => return denied("subscription_canceled"),
            "trialing" => {
                // A first payment may be on its way, as a renewal may.
                let slack = if subscription.cancel_at_period_end {
                    0
                } else {
                    policy.slack
                };
                if subscription.trial_end.is_none_or(|end| now >= end + slack) {
                    return denied("trial_ended");
                }
            }
            "active" => {
                let slack = if subscription.cancel_at_period_end {
                    0
                } else {
                    policy.slack
                };
                // Paid until is the later of the period's end and the paid time's.
                let is_over = |end: Option<Instant>| end.is_none_or(|end| now >= end + slack);
                if is_over(subscription.period_end) && is_over(subscription.paid_until) {
                    return denied("period_ended");
                }
            }
            "past_due" => {
                let (Some((length, full)), Some(since)) =
                    (policy.grace, subscription.past_due_since)
                else {
                    return denied("payment_past_due");
                };
                if now >= since + length {
                    return denied("payment_past_due");
                }
                writable = full;
            }
            _ => return denied("subscription_status_unknown"),
        }
    }
    // principal bound to sites, none of them the account's
    if let Some(bound) = &principal.sites
        && bound.iter().all(|site| !tenant.sites.contains(site))
    {
        return denied("site_not_in_account");
    }
    // write asked of a read-only access
    if route == Route::Write && !writable {
        return denied("payment_past_due");
    }
    Answer {
        plan: if has_changed { 3 } else { 1 },
        ..admitted("tenant", writable)
    }
}
