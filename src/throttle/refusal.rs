//! Requests that did not pass the throttle, and why.

use std::fmt;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::headers::Report;
use super::leases::Acquisition;
use crate::problem::{Code, Explained, Problem};
use crate::quota::{ConcurrencyLimit, ThrottleScope};

/// A reason for which a request did not pass the throttle. Nothing was charged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Throttled {
    /// 429: the quota is spent for now.
    #[error("{0}")]
    QuotaExceeded(Box<Exceeded>),
    /// 429: as many requests as the plan allows are running already.
    #[error(
        "{at_once} requests for {scope} are running, which is the limit; \
         try again when one ends, in at most {seconds} seconds"
    )]
    TooManyAtOnce {
        /// The scope.
        scope: ThrottleScope,
        /// The number of requests that may run at once.
        at_once: u16,
        /// Seconds until the first of them ends by itself, rounded up.
        seconds: u64,
    },
    /// 422: the cost is more than the quota's burst, so it can never pass at once.
    #[error("the request costs {cost} cells, but at most {burst} can ever pass at once")]
    CostExceedsBurst {
        /// The cells that were asked for.
        cost: u32,
        /// The least burst among the scope's quotas.
        burst: u32,
    },
    /// 403: the plan has no quota for the scope, so it does not include it.
    #[error("the plan does not include {0}")]
    QuotaMissing(ThrottleScope),
    /// 403: the access that the gate granted has expired.
    #[error("the access that was granted has expired")]
    AccessExpired,
    /// 503: the throttle is full, and no key that it holds has drained.
    #[error("too many callers are being tracked at once")]
    Full,
    /// 503: the store of rate state is unavailable, and the policy does not let the scope pass
    /// uncounted.
    #[error("the store of rate state is unavailable")]
    StoreUnavailable,
}

impl Throttled {
    pub(super) fn too_many_at_once(
        scope: ThrottleScope,
        limit: &ConcurrencyLimit,
        refused: &Acquisition,
        now: DateTime<Utc>,
    ) -> Self {
        debug_assert!(!refused.is_granted(), "only a refusal is told so");

        let wait = refused
            .retry_at()
            .map(|retry_at| retry_at.signed_duration_since(now));
        let seconds = wait.map(|wait| {
            // A clock beyond the year 2257 is cut in the decision, so the wait may be negative.
            let whole = u64::try_from(wait.num_seconds()).unwrap_or_default();
            whole.saturating_add(u64::from(wait.subsec_nanos() > 0))
        });

        Self::TooManyAtOnce {
            scope,
            at_once: limit.at_once(),
            seconds: seconds.unwrap_or_default(),
        }
    }
}

impl Explained for Throttled {
    fn code(&self) -> Code {
        match self {
            Self::QuotaExceeded(_) => Code::QuotaExceeded,
            Self::TooManyAtOnce { .. } => Code::TooManyAtOnce,
            Self::CostExceedsBurst { .. } => Code::CostExceedsBurst,
            Self::QuotaMissing(_) => Code::QuotaMissing,
            Self::AccessExpired => Code::AccessExpired,
            Self::Full => Code::ThrottleFull,
            Self::StoreUnavailable => Code::UpstreamUnavailable,
        }
    }

    fn decorate(&self, problem: Problem) -> Problem {
        match self {
            Self::QuotaExceeded(exceeded) => {
                // The policies' names stand in the body too, for clients that read no headers.
                let problem = exceeded
                    .violated_policies()
                    .fold(problem, Problem::with_violated_policy);
                exceeded
                    .headers()
                    .into_iter()
                    .fold(problem, |problem, (name, value)| {
                        problem.with_header(name, value)
                    })
            }
            Self::TooManyAtOnce { seconds, .. } => {
                problem.with_header("Retry-After", seconds.to_string())
            }
            _ => problem,
        }
    }
}

/// A quota that is spent for now, with the time to retry and the headers for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded(pub(super) Report);

impl Exceeded {
    /// Returns the scope whose quota is spent.
    pub fn scope(&self) -> ThrottleScope {
        self.0.scope
    }

    /// Returns the earliest instant at which the same request passes if no others come between.
    pub fn retry_at(&self) -> DateTime<Utc> {
        let retry_at = self.0.answers.retry_at();
        debug_assert!(retry_at.is_some(), "a quota that is spent has a wait");
        retry_at.unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Returns the seconds until [`retry_at`](Self::retry_at), rounded up.
    pub fn retry_after_seconds(&self) -> u64 {
        let seconds = self.0.answers.retry_after_seconds();
        debug_assert!(seconds.is_some(), "a quota that is spent has a wait");
        seconds.unwrap_or_default()
    }

    /// Returns the names of the quota policies that refused, as the headers state them.
    pub fn violated_policies(&self) -> impl Iterator<Item = String> {
        self.0.violated()
    }

    /// Returns the response headers: those that tell of the quotas, and `Retry-After`.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.0.headers()
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.retry_after_seconds();
        let plural = if seconds == 1 { "" } else { "s" };
        write!(
            f,
            "the quota for {} is spent; try again in {seconds} second{plural}",
            self.scope()
        )
    }
}
