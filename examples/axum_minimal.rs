//! The smallest guarded service on axum: two tenants in memory, one route that reads and one that
//! writes.
//!
//! ```sh
//! cargo run --example axum_minimal
//! curl -i localhost:3000/notes                                            # 401: no credential
//! curl -i localhost:3000/notes -H 'Authorization: Bearer stolen'          # 401: an unknown one
//! curl -i localhost:3000/notes -H 'Authorization: Bearer ada'             # 200: Ada's notes
//! curl -i localhost:3000/notes -H 'Authorization: Bearer bob'             # 402: Bob's plan is not active
//! curl -i localhost:3000/notes -H 'Authorization: Bearer ada' \
//!     -H 'Content-Type: application/json' -d '"Buy milk"'                 # 200; the fourth time 429
//! ```

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bailiwick::account::AccountStatus;
use bailiwick::axum::{Json, method_not_allowed, not_found};
use bailiwick::gate::CredentialFailure;
use bailiwick::http::{Gatekeeper, RequestHead};
use bailiwick::money::Currency;
use bailiwick::payment_method::PaymentMethod;
use bailiwick::period::Interval;
use bailiwick::quota::ThrottleScope;
use bailiwick::throttle::{Passage, ThrottleCapacity};
use bailiwick::{
    Access, Account, AccountId, Evidence, Money, Plan, Policy, Principal, Problem, Quota, Tenant,
    Throttle, WriteAccess, throttle_scope,
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
        Ok(match head.bearer() {
            Ok(None) => Evidence::Nothing,
            Ok(Some(token)) => match self.principals.get(token) {
                Some(principal) => Evidence::Verified(principal.clone()),
                None => Evidence::Failed(CredentialFailure::Unknown),
            },
            Err(failure) => Evidence::Failed(failure),
        })
    }

    async fn tenant(&self, principal: &Principal) -> Result<Option<Tenant>, Problem> {
        let account = principal.account_id();
        Ok(account.and_then(|id| self.tenants.get(id)).cloned())
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
}

async fn list(access: Access, State(host): State<Arc<Host>>) -> Json<Vec<String>> {
    let notes = host.notes.lock().unwrap();
    Json(notes.get(access.account_id()).cloned().unwrap_or_default())
}

async fn add(
    access: WriteAccess,
    State(host): State<Arc<Host>>,
    Json(note): Json<String>,
) -> Result<(Passage, Json<String>), Problem> {
    let passage = host.throttle.check(&access, WRITE, host.now())?;

    let mut notes = host.notes.lock().unwrap();
    let own = notes.entry(access.account_id().clone()).or_default();
    own.push(note.clone());
    Ok((passage, Json(note)))
}

/// Describes a tenant on a free plan, which may be active or not.
fn tenant(id: i64, active: bool) -> anyhow::Result<Tenant> {
    let plan = Plan {
        active,
        quotas: [(WRITE, Quota::new(3, 60)?.into())].into(),
        ..Plan::new(id.into(), Money::zero(Currency::EUR), Interval::MONTHLY)
    };
    let account = Account::new(
        id.into(),
        AccountStatus::Active,
        PaymentMethod::BankTransfer,
    );
    Ok(Tenant {
        plan: Some(plan.into()),
        ..Tenant::new(account)
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A real host verifies a signature or looks a digest up.
    let member = |id: i64| Principal::session(id.into()).of_account(id.into());
    let host = Arc::new(Host {
        principals: [("ada", member(1)), ("bob", member(2))].into(),
        tenants: [(1.into(), tenant(1, true)?), (2.into(), tenant(2, false)?)].into(),
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
