//! What a client is told of its quotas, in the dialect that the host chose.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use super::gcra::Answers;
use super::gcra::{Decision, Verdict, seconds_up};
use crate::quota::{Quota, ThrottleScope};

/// Room for the list of a scope with one quota or two, so that it need not grow.
const LONG_LIST: usize = 64;

/// Which response headers tell a client of its quotas.
///
/// The draft is not final, so the dialect is a choice; `Retry-After` (RFC 9110 section 10.2.3) goes
/// with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeaderDialect {
    /// `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-10 has them.
    ///
    /// A policy is named after the throttle scope, and where the scope has several quotas, after
    /// the period too: `"ai/60s"`. `q` and `w` are the burst and the seconds that it takes to
    /// drain: `q` cells at once in every `w` seconds always pass. `r` is what would pass now, `t`
    /// the seconds until one more would; it is left out while the whole burst would pass. In a
    /// refusal only the quotas that refuse have a `t`, so `Retry-After` is never earlier than it.
    #[default]
    Draft10,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, as GitHub's API has
    /// them, for the quota that is nearest to its end. The reset is a Unix time in seconds: when
    /// the whole burst would pass again.
    Legacy,
}

/// The quotas of a scope as one decision left them: what the headers are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) scope: ThrottleScope,
    pub(super) dialect: HeaderDialect,
    pub(super) answers: Answers,
}

impl Report {
    /// The headers, in a fixed order; none if nothing was decided.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = match self.dialect {
            HeaderDialect::Draft10 => self.draft(),
            HeaderDialect::Legacy => self.legacy().unwrap_or_default(),
        };
        headers.extend(
            self.answers
                .retry_after_seconds()
                .map(|seconds| ("Retry-After", seconds.to_string())),
        );
        headers
    }

    /// Cells that would pass at once, of all the quotas.
    pub(super) fn remaining(&self) -> u32 {
        self.answers
            .iter()
            .map(|decision| decision.remaining())
            .min()
            .unwrap_or_default()
    }

    fn draft(&self) -> Vec<(&'static str, String)> {
        let policies = self.list(|decision, list| write_policy(list, decision.quota()));
        let limits = self.list(|decision, list| {
            write!(list, ";r={}", decision.remaining())?;
            let is_told = self.answers.verdict() == Verdict::Allowed
                || decision.verdict() == Verdict::Exceeded;
            match decision.until_next().filter(|_| is_told).map(seconds_up) {
                Some(next) => write!(list, ";t={next}"),
                None => Ok(()),
            }
        });
        vec![("RateLimit-Policy", policies), ("RateLimit", limits)]
    }

    /// A list of strings with parameters, as RFC 9651 writes it. A name has nothing in it that
    /// would need escaping.
    fn list(&self, parameters: impl Fn(&Decision, &mut String) -> fmt::Result) -> String {
        let mut list = String::with_capacity(LONG_LIST);
        for decision in self.answers.iter() {
            let comma = if list.is_empty() { "" } else { "," };
            // Writing into a text cannot fail.
            let _ = write!(list, "{comma}\"{}\"", self.name(&decision))
                .and_then(|()| parameters(&decision, &mut list));
        }
        list
    }

    fn legacy(&self) -> Option<Vec<(&'static str, String)>> {
        let nearest = self
            .answers
            .iter()
            .min_by_key(|decision| (Reverse(decision.wait()), decision.remaining()))?;
        let reset = nearest.reset_at();
        let reset = reset
            .timestamp()
            .saturating_add(i64::from(reset.timestamp_subsec_nanos() > 0));
        Some(vec![
            ("X-RateLimit-Limit", nearest.quota().burst().to_string()),
            ("X-RateLimit-Remaining", nearest.remaining().to_string()),
            ("X-RateLimit-Reset", reset.to_string()),
        ])
    }

    /// The names of the policies that refuse.
    pub(super) fn violated(&self) -> impl Iterator<Item = String> {
        self.answers
            .iter()
            .filter(|decision| decision.verdict() == Verdict::Exceeded)
            .map(|decision| self.name(&decision).to_string())
    }

    fn name(&self, decision: &Decision) -> Name {
        let seconds = decision.quota().seconds();
        Name {
            scope: self.scope,
            seconds: (self.answers.iter().nth(1).is_some()).then_some(seconds),
        }
    }
}

/// A policy's name: the scope, and its period where the scope has several.
struct Name {
    scope: ThrottleScope,
    seconds: Option<u32>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scope.as_str())?;
        self.seconds
            .map_or(Ok(()), |seconds| write!(f, "/{seconds}s"))
    }
}

/// The burst, and the whole seconds in which it drains.
fn write_policy(list: &mut String, quota: &Quota) -> fmt::Result {
    let (cells, round_up) = (
        u64::from(quota.cells()),
        u64::from(quota.cells().saturating_sub(1)),
    );
    let nominal = u64::from(quota.burst())
        .saturating_mul(quota.seconds().into())
        .saturating_add(round_up);
    write!(
        list,
        ";q={};w={}",
        quota.burst(),
        nominal.checked_div(cells).unwrap_or_default()
    )
}
