//! The life of the credits that paid for something.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The life of credits; of several, the longest. The order of the variants is the order of lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Life {
    /// No credits, or a debt.
    None,
    /// To this instant, exclusively.
    Until(DateTime<Utc>),
    /// For ever.
    Forever,
}
