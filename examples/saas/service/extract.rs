//! Extractors: a handler that takes an access has passed the gate, and one that does not cannot
//! reach a row.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use bailiwick::credit::IdempotencyKey;
use bailiwick::gate::{Admission, BillingAccess, Operator};
use bailiwick::right::Privilege;
use bailiwick::{Access, Code, Evidence, Route, WriteAccess};
use serde::de::DeserializeOwned;

use super::error::AppError;
use super::{API, App};

impl App {
    /// Asks the gate about a request, logs and counts its answer, and throttles whoever reaches a
    /// tenant's rows.
    async fn admit(&self, parts: &Parts, route: Route) -> Result<Admission, AppError> {
        let now = self.now();
        let evidence = self.auth.evidence(&parts.headers, &self.store).await?;
        let tenant = match &evidence {
            Evidence::Verified(principal) => self.store.tenant(principal).await?,
            _ => None,
        };
        let decision = self.policy.admit(route, &evidence, tenant.as_ref(), now);
        let account = tenant.as_ref().map(|tenant| &tenant.account.id);
        tracing::info_span!("request", method = %parts.method, path = parts.uri.path())
            .in_scope(|| decision.trace(route, account));
        self.metrics.count(route, &decision);
        let admission = decision.into_result()?;
        if let Admission::Tenant(access) = &admission {
            self.throttle.check(access, API, now)?;
        }
        Ok(admission)
    }
}

/// A route that reads a tenant's rows takes an [`Access`].
impl FromRequestParts<App> for Access {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        Ok(app.admit(parts, Route::TenantRead).await?.into_access()?)
    }
}

/// A route that writes a tenant's rows takes a [`WriteAccess`].
impl FromRequestParts<App> for WriteAccess {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        Ok(app.admit(parts, Route::TenantWrite).await?.into_write()?)
    }
}

/// A route that pays takes a [`BillingAccess`].
impl FromRequestParts<App> for BillingAccess {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        Ok(app.admit(parts, Route::Billing).await?.into_billing()?)
    }
}

/// The one route of operators confirms payments; another privilege would be an extractor of its
/// own.
impl FromRequestParts<App> for Operator {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        Ok(app
            .admit(parts, Route::Operator(Privilege::ConfirmPayments))
            .await?
            .into_operator()?)
    }
}

/// Whoever calls a public route: nobody in particular, at an address. A credential that failed is
/// still logged.
pub struct Anyone(pub IpAddr);

impl FromRequestParts<App> for Anyone {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        app.admit(parts, Route::Public).await?;
        // The socket's own address: a header such as X-Forwarded-For is worth what its sender is
        // worth.
        let ConnectInfo(address) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|error| AppError::Fault(error.into()))?;
        Ok(Self(address.ip()))
    }
}

/// The request's `Idempotency-Key` header.
pub struct RequestKey(pub IdempotencyKey);

impl FromRequestParts<App> for RequestKey {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, AppError> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        match (
            values.next().and_then(|value| value.to_str().ok()),
            values.next(),
        ) {
            (Some(key), None) => Ok(Self(key.parse()?)),
            _ => Err(AppError::new(
                Code::KeyInvalid,
                "This needs one Idempotency-Key header.",
            )),
        }
    }
}

/// A JSON body, whose faults are problems.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &App) -> Result<Self, AppError> {
        let axum::Json(body) = axum::Json::from_request(request, app).await?;
        Ok(Self(body))
    }
}

/// A path parameter, whose faults are problems.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let axum::extract::Path(value) =
            axum::extract::Path::from_request_parts(parts, app).await?;
        Ok(Self(value))
    }
}

/// Query parameters, whose faults are problems.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let axum::extract::Query(value) =
            axum::extract::Query::from_request_parts(parts, app).await?;
        Ok(Self(value))
    }
}
