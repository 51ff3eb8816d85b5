//! The judgement of this crate's own table on a step that a provider reports.

use crate::subscription::{CommandKind, SubscriptionStatus, transition};

/// The judgement of this crate's own table on the step that a snapshot made, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Plausibility {
    /// One command leads there, or nothing changed.
    Expected,
    /// Several commands lead there: a report was lost or is on its way.
    Unusual,
    /// No commands lead there, from a terminal status for example. It is adopted all the same: the
    /// provider knows best.
    Impossible,
}

impl Plausibility {
    /// Judges the step from one status to another.
    pub fn between(from: SubscriptionStatus, to: SubscriptionStatus) -> Self {
        let leads = |from, to| {
            from == to
                || CommandKind::ALL
                    .iter()
                    .any(|command| transition(from, *command) == Ok(to))
        };
        if leads(from, to) {
            return Self::Expected;
        }

        // Each round reaches one more status, so it ends after as many rounds as there are.
        let mut reached = vec![from];
        while !reached.contains(&to) {
            let next = SubscriptionStatus::ALL.into_iter().find(|status| {
                !reached.contains(status) && reached.iter().any(|from| leads(*from, *status))
            });
            match next {
                Some(next) => reached.push(next),
                None => return Self::Impossible,
            }
        }

        Self::Unusual
    }
}
