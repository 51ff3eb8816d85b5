//! What a handler returns when it refuses: a problem of RFC 9457, or an error of the service that
//! only the log sees.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bailiwick::{Code, Problem};
use tokio::task::JoinError;

use super::writer::OutOfOrder;

/// The service's error. Whatever bailiwick refuses becomes a problem by `?`.
#[derive(Debug)]
pub enum AppError {
    /// A refusal, for the client.
    Problem(Problem),
    /// A fault of the service, for the log.
    Fault(anyhow::Error),
}

bailiwick::from_refusals!(AppError => AppError::Problem);

impl AppError {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::Problem(Problem::new(code, detail))
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<serde_json::Error> for AppError {
    fn from(error: serde_json::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<OutOfOrder> for AppError {
    fn from(_: OutOfOrder) -> Self {
        Self::new(
            Code::UpstreamUnavailable,
            "The writer is out of order. Nothing was charged.",
        )
    }
}

impl From<JoinError> for AppError {
    fn from(error: JoinError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<JsonRejection> for AppError {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::MediaTypeUnsupported,
            _ => Code::InputInvalid,
        };
        Self::new(code, rejection.body_text())
    }
}

impl From<PathRejection> for AppError {
    fn from(rejection: PathRejection) -> Self {
        tracing::debug!(%rejection, "path");
        Self::new(
            Code::IdInvalid,
            "The address does not hold an identifier of this kind.",
        )
    }
}

impl From<QueryRejection> for AppError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Code::InputInvalid, rejection.body_text())
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::Problem(problem) => problem,
            Self::Fault(fault) => {
                tracing::error!(%fault, "request failed");
                Problem::internal()
            }
        };
        let status =
            StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(Problem::CONTENT_TYPE),
        );
        for (name, value) in problem.headers() {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(*name), HeaderValue::try_from(value))
            {
                headers.append(name, value);
            }
        }
        response
    }
}

pub async fn not_found() -> AppError {
    AppError::new(Code::NotFound, "There is no such address here.")
}

pub async fn method_not_allowed() -> AppError {
    AppError::new(
        Code::MethodNotAllowed,
        "This address does not take that method.",
    )
}
