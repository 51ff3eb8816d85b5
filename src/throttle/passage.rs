//! Requests that passed the throttle, and reports of a key's quotas.

use super::answers::Answers;
use super::gcra::Verdict;
use super::headers::Report;
use super::refusal::{Exceeded, Throttled};
use super::room::Ticket;
use crate::policy::{FailureMode, Policy, ThrottleBypass};
use crate::quota::{QuotaSet, ThrottleScope};

/// Turns the answer about a request's quotas into a passage or a refusal.
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
        Verdict::CostExceedsBurst => Err(Throttled::CostExceedsBurst {
            cost,
            burst: quotas.least_burst(),
        }),
    }
}

/// Passes uncounted where the scope is open; refuses where it is closed or nothing was said.
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

impl Policy {
    /// Decides whether a request passes uncounted in a throttle scope, while the store of its rate
    /// state is unavailable. It passes where the policy says [`Open`](FailureMode::Open).
    ///
    /// This is only for requests whose usage is not known. A quota that is spent is refused in
    /// either mode.
    ///
    /// # Errors
    /// [`Throttled::StoreUnavailable`] where the policy says [`Closed`](FailureMode::Closed), and
    /// where it says nothing.
    pub fn pass_uncounted(&self, scope: ThrottleScope) -> Result<Passage, Throttled> {
        uncounted(Some(self.failure_mode(scope)), Throttled::StoreUnavailable)
    }
}

/// A request that passed the throttle. It can be given back once at most, so it is not `Clone`.
#[derive(Debug)]
pub struct Passage(pub(super) Passed);

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one request, on the stack; boxing would allocate"
)]
pub(super) enum Passed {
    /// Charged, with the bucket that it was charged to where that can be given back.
    Charged(Report, Option<Ticket>),
    Bypassed(ThrottleBypass),
    Uncounted,
}

impl Passage {
    /// Returns the response headers that tell the client of its quotas. A request that was not
    /// charged has none.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.report().map(Report::headers).unwrap_or_default()
    }

    /// Returns the cells that would pass at once after this request; `None` if it was not charged.
    pub fn remaining(&self) -> Option<u32> {
        self.report().map(Report::remaining)
    }

    /// Returns the reason for which the throttle was bypassed, if it was.
    pub fn bypass_reason(&self) -> Option<&str> {
        if let Passed::Bypassed(bypass) = &self.0 {
            Some(bypass.reason())
        } else {
            None
        }
    }

    /// Returns whether the request was charged. It was not if it bypassed the throttle, or passed
    /// while its usage was not known.
    pub fn is_counted(&self) -> bool {
        self.report().is_some()
    }

    pub(super) fn scope(&self) -> Option<ThrottleScope> {
        self.report().map(|report| report.scope)
    }

    /// Returns the answer to a charge in process, and the bucket that was charged.
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

/// A report of the rest of a key's quotas.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct QuotaReport(pub(super) Report);

impl QuotaReport {
    /// Returns the cells that would pass at once.
    pub fn remaining(&self) -> u32 {
        self.0.remaining()
    }

    /// Returns the response headers that tell the client of its quotas.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.0.headers()
    }
}
