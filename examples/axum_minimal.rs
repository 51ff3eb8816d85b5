//! The smallest service on axum that is guarded: two tenants in memory, one route that reads and
//! one that writes.
//!
//! ```sh
//! cargo run --example axum_minimal --features axum
//! curl -i localhost:3000/notes                                            # 401: who are you?
//! curl -i localhost:3000/notes -H 'Authorization: Bearer stolen'          # 401: not that
//! curl -i localhost:3000/notes -H 'Authorization: Bearer ada'             # 200: Ada's notes
//! curl -i localhost:3000/notes -H 'Authorization: Bearer bob'             # 402: Bob's plan has ended
//! curl -i localhost:3000/notes -H 'Authorization: Bearer ada' \
//!     -H 'Content-Type: application/json' -d '"Buy milk"'                 # 200; the fourth in a minute 429
//! ```

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bailiwick::account::AccountStatus;
use bailiwick::axum::{Json, method_not_allowed, not_found};
use bailiwick::gate::{CredentialFailure, GateDecision};
use bailiwick::http::{Gatekeeper, RequestHead};
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::quota::ThrottleScope;
use bailiwick::right::Privileges;
use bailiwick::throttle::{Passage, ThrottleCapacity};
use bailiwick::{
    Access, Account, AccountId, Credits, Evidence, Money, Plan, Policy, Principal, Problem, Quota,
    Tenant, Throttle, WriteAccess, throttle_scope,
};
use chrono::{DateTime, Utc};

const WRITE: ThrottleScope = throttle_scope!("write");

struct Host {
    principals: HashMap<&'static str, Principal>,
    tenants: HashMap<AccountId, Tenant>,
    notes: Mutex<HashMap<AccountId, Vec<String>>>,
    policy: Policy,
    throttle: Throttle,
}

impl Gatekeeper for Host {
    type Error = Problem;

    async fn evidence(&self, head: &RequestHead<'_>) -> Result<Evidence, Problem> {
        Ok(
            match head
                .bearer()
                .map(|token| token.map(|token| self.principals.get(token)))
            {
                Ok(Some(Some(principal))) => Evidence::Verified(principal.clone()),
                Ok(Some(None)) => Evidence::Failed(CredentialFailure::Unknown),
                Ok(None) => Evidence::Nothing,
                Err(failure) => Evidence::Failed(failure),
            },
        )
    }

    async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, Problem> {
        Ok(principal
            .account_id()
            .and_then(|account| self.tenants.get(account))
            .cloned())
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the edge of the service is where time comes in"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn observe(&self, head: &RequestHead<'_>, _: &Evidence, decision: &GateDecision) {
        println!("{} {}: {}", head.method(), head.path(), decision.label());
    }
}

async fn list(access: Access, State(host): State<Arc<Host>>) -> Json<Vec<String>> {
    Json(
        host.notes
            .lock()
            .unwrap()
            .get(access.account_id())
            .cloned()
            .unwrap_or_default(),
    )
}

async fn add(
    access: WriteAccess,
    State(host): State<Arc<Host>>,
    Json(note): Json<String>,
) -> Result<(Passage, Json<String>), Problem> {
    let passage = host.throttle.check(&access, WRITE, host.now())?;
    host.notes
        .lock()
        .unwrap()
        .entry(access.account_id().clone())
        .or_default()
        .push(note.clone());
    Ok((passage, Json(note)))
}

/// A tenant in good standing, if its plan is active.
fn tenant(id: i64, active: bool) -> anyhow::Result<(AccountId, Tenant)> {
    let plan = Plan {
        id: id.into(),
        active,
        price: Money::new("0".parse()?, Currency::EUR)?,
        interval: Interval::MONTHLY,
        credits_per_month: Credits::ZERO,
        needs_subscription: false,
        quotas: BTreeMap::from([(WRITE, Quota::new(3, 60)?.into())]),
        concurrency: Default::default(),
    };
    let (status, payment_method) = (AccountStatus::Active, PaymentMethod::BankTransfer);
    let account = Account {
        id: id.into(),
        status,
        payment_method,
        version: 1,
        privileges: Privileges::NONE,
    };
    Ok((
        id.into(),
        Tenant {
            account,
            plan: Some(plan.into()),
            subscription: None,
            sites: [].into(),
        },
    ))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let host = Arc::new(Host {
        principals: HashMap::from([("ada", 1), ("bob", 2)].map(|(token, id)| {
            (token, Principal::session(id.into()).of_account(id.into())) // a real host verifies a signature or a digest
        })),
        tenants: HashMap::from([tenant(1, true)?, tenant(2, false)?]),
        notes: Mutex::default(),
        policy: Policy::default(),
        throttle: Throttle::new(ThrottleCapacity {
            accounts: 1000,
            addresses: 1000,
        }),
    });
    let router = Router::new()
        .route("/notes", get(list).post(add))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(host);
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}
