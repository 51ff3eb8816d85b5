//! The service's error: a refusal that the client is told, or a fault that only the log sees.

use axum::response::{IntoResponse, Response};
use bailiwick::Problem;

/// The reason why a request was not carried out. `?` makes one of everything that bailiwick
/// refuses.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A refusal, for the client.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// A fault of the database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Any other fault of the service.
    #[error(transparent)]
    Fault(#[from] anyhow::Error),
}

bailiwick::from_refusals!(AppError => AppError::Refused);

/// The client learns nothing of a fault but that there was one.
impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Refused(problem) => problem,
            AppError::Database(_) | AppError::Fault(_) => {
                tracing::error!(?error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
