//! One service on axum, behind each throttle. All take the address from the connection, and tell
//! the client of its quotas in headers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum_governor::extractor::PeerIp;
use bailiwick::quota::QuotaSet;
use bailiwick::throttle::{HeaderDialect, Passage, ThrottleCapacity};
use bailiwick::{Problem, Quota, Throttle};
use governor::clock::QuantaInstant;
use governor::middleware::NoOpMiddleware;
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::PeerIpKeyExtractor;

use crate::throttle::{AI, clock};

/// The service without a throttle.
pub fn plain() -> Router {
    Router::new().route("/", get(|| async { "ok" }))
}

/// The service behind a middleware that does nothing: what axum's `from_fn` costs.
pub fn idle() -> Router {
    plain().layer(from_fn(|request: Request, next: Next| async move {
        next.run(request).await
    }))
}

struct Limit {
    throttle: Throttle,
    quotas: QuotaSet,
}

async fn limit(
    State(limit): State<Arc<Limit>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<(Passage, Response), Problem> {
    let passage = limit
        .throttle
        .check_address(peer.ip(), AI, &limit.quotas, clock())?;
    Ok((passage, next.run(request).await))
}

async fn limit_silently(
    State(limit): State<Arc<Limit>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    limit
        .throttle
        .check_address(peer.ip(), AI, &limit.quotas, clock())?;
    Ok(next.run(request).await)
}

fn state(quota: &Quota, keys: u32, dialect: HeaderDialect) -> Arc<Limit> {
    let capacity = ThrottleCapacity {
        accounts: 0,
        addresses: keys.checked_mul(2).unwrap(),
    };
    Arc::new(Limit {
        throttle: Throttle::new(capacity).with_dialect(dialect),
        quotas: (*quota).into(),
    })
}

/// bailiwick by address.
pub fn ours(quota: &Quota, keys: u32, dialect: HeaderDialect) -> Router {
    plain().layer(from_fn_with_state(state(quota, keys, dialect), limit))
}

/// bailiwick by address, which tells those that pass nothing.
pub fn ours_without_headers(quota: &Quota, keys: u32) -> Router {
    plain().layer(from_fn_with_state(
        state(quota, keys, HeaderDialect::default()),
        limit_silently,
    ))
}

fn tower_governor_config(
    quota: &Quota,
) -> GovernorConfigBuilder<PeerIpKeyExtractor, NoOpMiddleware<QuantaInstant>> {
    let mut builder = GovernorConfigBuilder::default();
    builder
        .per_nanosecond(quota.interval_nanos().unsigned_abs())
        .burst_size(quota.burst());
    builder
}

/// tower_governor, by the address of the peer.
pub fn tower_governor(quota: &Quota) -> Router {
    plain().layer(GovernorLayer::new(
        tower_governor_config(quota).use_headers().finish().unwrap(),
    ))
}

/// tower_governor, which tells those that pass nothing.
pub fn tower_governor_without_headers(quota: &Quota) -> Router {
    plain().layer(GovernorLayer::new(
        tower_governor_config(quota).finish().unwrap(),
    ))
}

/// axum-governor, by the address of the peer. Its headers are always on, and so is its task that
/// drops old keys.
pub fn axum_governor(quota: &Quota) -> Router {
    let config = axum_governor::GovernorConfigBuilder::default()
        .with_extractor(PeerIp::default())
        .expect_connect_info()
        .quota_default(governor::Quota::from(quota).into())
        .finish()
        .unwrap();
    plain().layer(axum_governor::GovernorLayer::new(config))
}

/// Each service that throttles, by name.
pub fn throttled(quota: &Quota, keys: u32) -> [(&'static str, Router); 4] {
    [
        ("bailiwick", ours(quota, keys, HeaderDialect::Draft10)),
        (
            "bailiwick, legacy headers",
            ours(quota, keys, HeaderDialect::Legacy),
        ),
        ("tower_governor", tower_governor(quota)),
        ("axum-governor", axum_governor(quota)),
    ]
}

/// A request from an address, as axum's server makes it.
pub fn request(id: u32) -> Request {
    let mut request = Request::new(Body::empty());
    let peer = SocketAddr::from((Ipv4Addr::from_bits(id), 443));
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}
