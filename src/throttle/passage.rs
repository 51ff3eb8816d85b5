//! What the throttle answers: a passage, or why not.

use std::fmt;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::gcra::Answers;
use super::gcra::Verdict;
use super::headers::Report;
use super::lease::Acquisition;
use super::room::Ticket;
use crate::policy::{FailureMode, ThrottleBypass};
use crate::problem::{Code, Explained, Problem};
use crate::quota::{ConcurrencyLimit, Quota, QuotaSet, ThrottleScope};

/// The verdict on a request's quotas as the host is told it.
#[inline(always)]
pub(super) fn explain(
    report: Report,
    ticket: Option<Ticket>,
    quotas: &QuotaSet,
    cost: u32,
) -> Result<Passage, Throttled> {
    match report.answers.verdict() {
        Verdict::Allowed => Ok(Passage(Passed::Charged(report, ticket))),
        Verdict::Exceeded => Err(Throttled::QuotaExceeded(Box::new(Exceeded(report)))),
        Verdict::CostExceedsBurst => {
            let burst = quotas
                .as_slice()
                .iter()
                .map(Quota::burst)
                .min()
                .unwrap_or_default();
            Err(Throttled::CostExceedsBurst { cost, burst })
        }
    }
}

/// What passes uncounted where the scope is open, and is refused where it is closed or nothing was
/// said.
pub(super) fn uncounted(
    mode: Option<FailureMode>,
    refusal: Throttled,
) -> Result<Passage, Throttled> {
    if mode == Some(FailureMode::Open) {
        Ok(Passage(Passed::Uncounted))
    } else {
        Err(refusal)
    }
}

/// A request that passed the throttle. It is given back at most once, so it is not `Clone`.
#[derive(Debug)]
pub struct Passage(pub(super) Passed);

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one request, on the stack; boxing would allocate"
)]
pub(super) enum Passed {
    /// With what it was charged to, where that can be given back.
    Charged(Report, Option<Ticket>),
    Bypassed(ThrottleBypass),
    Uncounted,
}

impl Passage {
    /// The response headers that tell the client of its quotas. A request that was not charged has
    /// none.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.report().map(Report::headers).unwrap_or_default()
    }

    /// Cells that would pass at once after this request; `None` if it was not charged.
    pub fn remaining(&self) -> Option<u32> {
        self.report().map(Report::remaining)
    }

    /// Why the throttle was bypassed, if it was.
    pub fn bypass_reason(&self) -> Option<&str> {
        if let Passed::Bypassed(bypass) = &self.0 {
            Some(bypass.reason())
        } else {
            None
        }
    }

    /// Whether it was charged: it was not if it bypassed the throttle, or passed where the throttle
    /// could not be asked.
    pub fn is_counted(&self) -> bool {
        self.report().is_some()
    }

    pub(super) fn scope(&self) -> Option<ThrottleScope> {
        self.report().map(|report| report.scope)
    }

    /// What was charged in process, and to what.
    pub(super) fn charged(&self) -> Option<(&Answers, Ticket)> {
        if let Passed::Charged(report, ticket) = &self.0 {
            ticket.map(|ticket| (&report.answers, ticket))
        } else {
            None
        }
    }

    fn report(&self) -> Option<&Report> {
        if let Passed::Charged(report, _) = &self.0 {
            Some(report)
        } else {
            None
        }
    }
}

/// What is left of the quotas of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct QuotaReport(pub(super) Report);

impl QuotaReport {
    /// Cells that would pass at once.
    pub fn remaining(&self) -> u32 {
        self.0.remaining()
    }

    /// The response headers that tell the client of its quotas.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.0.headers()
    }
}

/// Why a request did not pass the throttle. Nothing was charged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Throttled {
    /// 429: the quota is spent for now.
    #[error("{0}")]
    QuotaExceeded(Box<Exceeded>),
    /// 429: as many requests as the plan allows are at work already.
    #[error(
        "{at_once} requests for {scope} are at work already; try again when one has ended, in {seconds} seconds at the latest"
    )]
    TooManyAtOnce {
        /// The scope.
        scope: ThrottleScope,
        /// The most that may be at work at once.
        at_once: u16,
        /// Seconds until the first of them ends by itself, rounded up.
        seconds: u64,
    },
    /// 422: the cost is more than the quota's burst, so it can never pass at once.
    #[error("the request costs {cost} cells, and no more than {burst} can ever pass at once")]
    CostExceedsBurst {
        /// What was asked for.
        cost: u32,
        /// The least burst among the scope's quotas.
        burst: u32,
    },
    /// 403: the plan has no quota for the scope, so it does not include it.
    #[error("the plan does not include {0}")]
    QuotaMissing(ThrottleScope),
    /// 403: the access that the gate granted has run out.
    #[error("the access that was granted has run out")]
    AccessExpired,
    /// 503: no room for a new key, and none that is held has drained.
    #[error("too many callers are being tracked at once")]
    Full,
    /// 503: the store of rate state cannot be asked, and the policy does not let the scope pass
    /// uncounted.
    #[error("the store of rate state cannot be asked")]
    StoreUnavailable,
}

impl Throttled {
    pub(super) fn too_many_at_once(
        scope: ThrottleScope,
        limit: &ConcurrencyLimit,
        refused: &Acquisition,
        now: DateTime<Utc>,
    ) -> Self {
        let wait = refused
            .retry_at()
            .map(|retry_at| retry_at.signed_duration_since(now));
        let seconds = wait.map(|wait| {
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
                let problem = exceeded
                    .0
                    .violated()
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

/// A quota that is spent for now: until when, and what to tell the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded(Report);

impl Exceeded {
    /// The scope whose quota is spent.
    pub fn scope(&self) -> ThrottleScope {
        self.0.scope
    }

    /// The earliest instant at which the same request passes if no others come between.
    pub fn retry_at(&self) -> DateTime<Utc> {
        self.0.answers.retry_at().unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Seconds until then, rounded up.
    pub fn retry_after_seconds(&self) -> u64 {
        self.0.answers.retry_after_seconds().unwrap_or_default()
    }

    /// The names of the quota policies that refused, as the headers have them.
    pub fn violated_policies(&self) -> impl Iterator<Item = String> {
        self.0.violated()
    }

    /// The response headers: those that tell of the quotas, and `Retry-After`.
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
