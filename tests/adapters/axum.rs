//! The adapter for axum, over real sockets.

use std::net::TcpListener;
use std::sync::Arc;

use crate::adapter::{AI, Host, LARGEST_BODY, name};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, serve};
use bailiwick::axum::{Json, Path, Query, method_not_allowed, not_found};
use bailiwick::credit::IdempotencyKey;
use bailiwick::gate::BillingAccess;
use bailiwick::http::{Anyone, Gatekeeper, MayConfirmPayments, MayCrossTenants, MayGrantCredits};
use bailiwick::throttle::Passage;
use bailiwick::{Access, Principal, Problem, WriteAccess};
use serde::{Deserialize, Serialize};

type App = Arc<Host>;

#[derive(Deserialize)]
struct Draft {
    title: String,
}

#[derive(Serialize)]
struct Written {
    title: String,
    key: String,
    account: String,
}

#[derive(Deserialize)]
struct Page {
    page: Option<u32>,
}

async fn public(Anyone(principal): Anyone) -> String {
    name(principal.as_ref())
}

async fn me(principal: Principal) -> String {
    name(Some(&principal))
}

async fn read(access: Access) -> String {
    format!("read {}", access.account_id())
}

async fn article(access: Access, Path(id): Path<i64>, Query(page): Query<Page>) -> String {
    format!(
        "article {id} of {}, page {}",
        access.account_id(),
        page.page.unwrap_or(1)
    )
}

async fn write(
    access: WriteAccess,
    key: IdempotencyKey,
    State(app): State<App>,
    Json(draft): Json<Draft>,
) -> Result<(Passage, Json<Written>), Problem> {
    let passage = app.throttle.check(&access, AI, app.now())?;
    let account = access.account_id().to_string();
    Ok((
        passage,
        Json(Written {
            title: draft.title,
            key: key.as_str().to_owned(),
            account,
        }),
    ))
}

async fn billing(access: BillingAccess) -> String {
    format!("billing {}", access.account_id())
}

async fn confirm(MayConfirmPayments(operator): MayConfirmPayments) -> String {
    format!("{} {}", operator.privilege(), operator.account_id())
}

async fn cross(MayCrossTenants(operator): MayCrossTenants) -> String {
    format!("{} {}", operator.privilege(), operator.account_id())
}

async fn grant(MayGrantCredits(operator): MayGrantCredits) -> String {
    format!("{} {}", operator.privilege(), operator.account_id())
}

/// A guard for routes whose handlers take nothing.
async fn guard(State(_): State<App>, _: WriteAccess, request: Request, next: Next) -> Response {
    next.run(request).await
}

fn run(listener: TcpListener, host: App) {
    let guarded = Router::new()
        .route("/guarded", get(async || "guarded"))
        .route_layer(middleware::from_fn_with_state(host.clone(), guard));
    let router = Router::new()
        .route("/public", get(public))
        .route("/me", get(me))
        .route("/articles", get(read).post(write))
        .route("/articles/{id}", get(article))
        .route("/billing", get(billing))
        .route("/confirm", post(confirm))
        .route("/cross", post(cross))
        .route("/grant", post(grant))
        .nest("/nested", Router::new().route("/articles", get(read)))
        .merge(guarded)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(host);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        serve(tokio::net::TcpListener::from_std(listener).unwrap(), router)
            .await
            .unwrap();
    });
}

crate::adapter::checks!(run);
