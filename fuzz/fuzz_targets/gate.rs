//! The gate against its model, on any facts at all: same code, same admission, same power, same
//! `valid_until` (G1 to G8).
#![no_main]

use arbitrary::Arbitrary;
use bailiwick::gate::CredentialFailure;
use bailiwick::{Evidence, Policy};
use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/model/gate.rs"]
mod gate;
#[path = "../../tests/model/gate_facts.rs"]
mod gate_facts;

/// The longest slack or grace that a policy has, in seconds.
const LONGEST: u32 = 366 * 86_400;
/// Few accounts and sites, so that they meet.
const IDS: u8 = 4;

#[derive(Arbitrary, Debug)]
struct Input {
    route: u8,
    evidence: Presented,
    tenant: Option<Loaded>,
    now: When,
    slack: u32,
    grace: Option<(u32, bool)>,
    is_free: bool,
    next: Option<(bool, bool, bool)>,
    pending: Option<(When, bool)>,
    by_provider: bool,
}

#[derive(Arbitrary, Debug)]
enum Presented {
    Nothing,
    Failed(u8),
    Verified {
        kind: u8,
        account: Option<u8>,
        sites: Option<Vec<u8>>,
        confirm: bool,
        grant: bool,
    },
}

#[derive(Arbitrary, Debug)]
struct Loaded {
    account: u8,
    status: u8,
    plan: Option<(bool, bool)>,
    subscription: Option<Subscribed>,
    sites: Vec<u8>,
    privilege: bool,
}

#[derive(Arbitrary, Debug)]
struct Subscribed {
    account: u8,
    status: u8,
    trial_end: Option<When>,
    period_end: Option<When>,
    paid_until: Option<When>,
    past_due_since: Option<When>,
    of_plan: bool,
    cancel_at_period_end: bool,
}

/// Instants near one another, near the ends of the calendar, and anywhere.
#[derive(Arbitrary, Debug)]
enum When {
    Near(i8),
    First(u8),
    Last(u8),
    Anywhere(i64, u32),
}

impl When {
    fn instant(&self) -> gate::Instant {
        let first = gate_facts::nanos(DateTime::<Utc>::MIN_UTC);
        let last = gate_facts::nanos(DateTime::<Utc>::MAX_UTC);
        let instant = match self {
            Self::Near(nanos) => i128::from(*nanos),
            Self::First(seconds) => first + i128::from(*seconds) * gate_facts::SECOND,
            Self::Last(seconds) => last - i128::from(*seconds) * gate_facts::SECOND,
            Self::Anywhere(seconds, nanos) => {
                i128::from(*seconds) * gate_facts::SECOND + i128::from(*nanos)
            }
        };
        instant.clamp(first, last)
    }
}

fn pick<T: Copy>(from: &[T], index: u8) -> T {
    from[usize::from(index) % from.len()]
}

fn ids(from: &[u8]) -> Vec<i64> {
    from.iter().take(8).map(|id| i64::from(id % IDS)).collect()
}

impl Input {
    fn policy(&self) -> gate::Policy {
        let length = |seconds: u32| i128::from(seconds) * gate_facts::SECOND;
        gate::Policy {
            slack: length(self.slack % (LONGEST + 1)),
            grace: self
                .grace
                .map(|(seconds, full)| (length(seconds % LONGEST + 1), full)),
        }
    }

    fn route(&self) -> gate::Route {
        use gate::Route::{Authenticated, Billing, Operator, Public, Read, Write};
        let all = [
            Public,
            Authenticated,
            Read,
            Write,
            Billing,
            Operator("confirm_payments"),
            Operator("grant_credits"),
        ];
        pick(&all, self.route)
    }

    fn evidence(&self) -> (gate::Evidence, Evidence) {
        use CredentialFailure::{BadSignature, Expired, Malformed, NotYetValid, Revoked, Unknown};
        match &self.evidence {
            Presented::Nothing => (gate::Evidence::Nothing, Evidence::Nothing),
            Presented::Failed(failure) => {
                let all = [
                    Malformed,
                    BadSignature,
                    Expired,
                    NotYetValid,
                    Revoked,
                    Unknown,
                ];
                (
                    gate::Evidence::Failed,
                    Evidence::Failed(pick(&all, *failure)),
                )
            }
            Presented::Verified {
                kind,
                account,
                sites,
                confirm,
                grant,
            } => {
                let held = [("confirm_payments", *confirm), ("grant_credits", *grant)];
                let principal = gate::Principal {
                    account: account.map(|id| i64::from(id % IDS)),
                    sites: sites.as_deref().map(ids),
                    privileges: held
                        .into_iter()
                        .filter(|(_, held)| *held)
                        .map(|(privilege, _)| privilege)
                        .collect(),
                };
                let [session, jwt, key] = gate_facts::principals(&principal);
                let presented = match kind % 3 {
                    0 => session,
                    1 => jwt,
                    _ => key,
                };
                (
                    gate::Evidence::Verified(principal),
                    Evidence::Verified(presented),
                )
            }
        }
    }

    fn tenant(&self) -> Option<gate::Tenant> {
        let accounts = [
            "active",
            "pending_payment",
            "suspended_payment_overdue",
            "suspended_abuse",
            "suspended_requested",
            "closed",
            "?",
        ];
        let subscriptions = [
            "active",
            "trialing",
            "past_due",
            "incomplete",
            "incomplete_expired",
            "unpaid",
            "paused",
            "canceled",
            "?",
        ];
        self.tenant.as_ref().map(|tenant| gate::Tenant {
            account: i64::from(tenant.account % IDS),
            status: pick(&accounts, tenant.status),
            plan: tenant.plan.map(|(active, needs_subscription)| gate::Plan {
                active,
                needs_subscription,
                free: self.is_free,
            }),
            next: self.next.map(|(active, needs_subscription, free)| gate::Plan {
                active,
                needs_subscription,
                free,
            }),
            subscription: tenant
                .subscription
                .as_ref()
                .map(|facts| gate::Subscription {
                    account: i64::from(facts.account % IDS),
                    status: pick(&subscriptions, facts.status),
                    of_plan: facts.of_plan,
                    trial_end: facts.trial_end.as_ref().map(When::instant),
                    period_end: facts.period_end.as_ref().map(When::instant),
                    paid_until: facts.paid_until.as_ref().map(When::instant),
                    cancel_at_period_end: facts.cancel_at_period_end,
                    past_due_since: facts.past_due_since.as_ref().map(When::instant),
                    pending: self.pending.as_ref().map(|(at, paid)| gate::Pending {
                        at: at.instant(),
                        paid: *paid,
                    }),
                    by_provider: self.by_provider,
                }),
            sites: ids(&tenant.sites),
            privileges: tenant
                .privilege
                .then_some("confirm_payments")
                .into_iter()
                .collect(),
        })
    }
}

fuzz_target!(|input: Input| {
    // At its very last instant the calendar cannot say that an answer holds any longer.
    let now = input
        .now
        .instant()
        .min(gate_facts::nanos(DateTime::<Utc>::MAX_UTC) - 1);
    let (model, route, tenant) = (input.policy(), input.route(), input.tenant());
    let (shape, evidence) = input.evidence();

    let mut expected = gate::decide(model, route, &shape, tenant.as_ref(), now);
    expected.valid_until = expected
        .valid_until
        .map(|until| gate_facts::nanos(gate_facts::instant(until)));

    let policy: Policy = gate_facts::policy(model);
    let stored = tenant.as_ref().map(gate_facts::tenant);
    let decision = policy.admit(
        gate_facts::route(route),
        &evidence,
        stored.as_ref(),
        gate_facts::instant(now),
    );
    assert_eq!(gate_facts::answer(decision), expected);
});
