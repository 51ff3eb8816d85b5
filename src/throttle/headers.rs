//! The response headers that tell a client of its quotas, in the dialect that the host chose.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use super::answers::Answers;
use super::gcra::{Decision, Verdict, seconds_up};
use crate::quota::{Quota, ThrottleScope};

/// Room for the list of a scope with one quota or two, so that it need not grow.
const LONG_LIST: usize = 64;

/// The response headers that tell a client of its quotas.
///
/// The draft is not final, so the dialect is a choice, and there may be more of them. `Retry-After`
/// (RFC 9110 section 10.2.3) goes with any.
///
/// ```
/// use bailiwick::Throttle;
/// use bailiwick::throttle::{HeaderDialect, ThrottleCapacity};
///
/// let throttle = Throttle::new(ThrottleCapacity { accounts: 1000, addresses: 1000 })
///     .with_dialect(HeaderDialect::Legacy);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderDialect {
    /// `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-10 defines them.
    ///
    /// A policy is named after the throttle scope, and after the period too where the scope has
    /// several quotas: `"ai/60s"`. `q` is the burst and `w` the seconds that it takes to drain: `q`
    /// cells at once in every `w` seconds always pass. `r` is the number of cells that would pass
    /// now, and `t` the seconds until one more would; `t` is left out while the whole burst would
    /// pass. In a refusal only the quotas that refuse have a `t`, so `Retry-After` is never earlier
    /// than it.
    #[default]
    Draft10,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, as GitHub's API writes
    /// them, for the quota that is nearest to being spent. The reset is the Unix time in seconds at
    /// which the whole burst would pass again.
    Legacy,
}

/// The quotas of a scope as one decision left them, from which the headers are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) scope: ThrottleScope,
    pub(super) dialect: HeaderDialect,
    pub(super) answers: Answers,
}

impl Report {
    /// Returns the headers, in a fixed order.
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

    /// Returns the cells that would pass at once under all the quotas.
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

            // A quota that would have allowed a refused request says nothing of when to retry.
            let is_told = self.answers.verdict() == Verdict::Allowed
                || decision.verdict() == Verdict::Exceeded;
            match decision.until_next().filter(|_| is_told).map(seconds_up) {
                Some(next) => write!(list, ";t={next}"),
                None => Ok(()),
            }
        });

        vec![("RateLimit-Policy", policies), ("RateLimit", limits)]
    }

    /// Writes a list of strings with parameters, as RFC 9651 defines it. A name contains nothing
    /// that would need escaping.
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
        // The quota that refuses for longest, or else the one with the fewest cells left.
        let nearest = self
            .answers
            .iter()
            .min_by_key(|decision| (Reverse(decision.wait()), decision.remaining()))?;

        let reset_at = nearest.reset_at();
        let reset = reset_at
            .timestamp()
            .saturating_add(i64::from(reset_at.timestamp_subsec_nanos() > 0));

        Some(vec![
            ("X-RateLimit-Limit", nearest.quota().burst().to_string()),
            ("X-RateLimit-Remaining", nearest.remaining().to_string()),
            ("X-RateLimit-Reset", reset.to_string()),
        ])
    }

    /// Returns the names of the policies that refuse.
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
            // A scope's only quota is named by the scope alone, so its name outlives a new period.
            seconds: self.answers.iter().nth(1).is_some().then_some(seconds),
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

/// Writes the burst, and the whole seconds in which it drains.
fn write_policy(list: &mut String, quota: &Quota) -> fmt::Result {
    let cells = u64::from(quota.cells());
    debug_assert!(cells > 0, "a quota allows a cell at least");

    // From the rate as it was bought: its interval in nanoseconds is rounded.
    let seconds = u64::from(quota.burst())
        .saturating_mul(quota.seconds().into())
        .saturating_add(cells.saturating_sub(1))
        .checked_div(cells)
        .unwrap_or_default();
    write!(list, ";q={};w={seconds}", quota.burst())
}
