//! How long the credits live that paid for something.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How long credits live; of several, the longest.
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
