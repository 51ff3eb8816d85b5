//! What a host asks for: a hold, or a deduction.

use chrono::TimeDelta;

use super::key::IdempotencyKey;
use super::outcome::Intent;
use super::price::Quote;

/// What to hold: how much, for what, for how long, under which key.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// What it will cost at most.
    pub quote: Quote,
    /// How long the credits are kept aside: more than nothing, at most 366 days.
    pub time_to_live: TimeDelta,
    /// A digest of what else the request says, such as its body. The same key with another digest
    /// is another request.
    pub fingerprint: Option<[u8; 32]>,
}

/// What to charge at once: for what, under which key.
#[derive(Clone, Debug)]
pub struct DeductRequest {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// What it costs.
    pub quote: Quote,
    /// A digest of what else the request says, such as its body. The same key with another digest
    /// is another request.
    pub fingerprint: Option<[u8; 32]>,
}

impl HoldRequest {
    pub(super) fn intent(&self) -> Intent {
        Intent::Hold {
            operation: self.quote.operation_name().clone(),
            quantity: self.quote.quantity(),
            time_to_live_micros: self.time_to_live.num_microseconds(),
            fingerprint: self.fingerprint,
        }
    }
}

impl DeductRequest {
    pub(super) fn intent(&self) -> Intent {
        Intent::Deduct {
            operation: self.quote.operation_name().clone(),
            quantity: self.quote.quantity(),
            fingerprint: self.fingerprint,
        }
    }
}
