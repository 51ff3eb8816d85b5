//! The requests of a host: a hold, or a deduction.

use chrono::TimeDelta;

use super::key::IdempotencyKey;
use super::outcome::Intent;
use super::price::Quote;

/// A request to hold credits: how many, for which operation, for how long, under which key.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct HoldRequest {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// The most that it will cost.
    pub quote: Quote,
    /// The time for which the credits are kept aside: positive, and at most 366 days.
    pub time_to_live: TimeDelta,
    /// A digest of the rest of the request, such as its body. The same key with another digest is
    /// another request.
    pub fingerprint: Option<[u8; 32]>,
}

impl HoldRequest {
    /// Creates a request without a fingerprint.
    pub fn new(key: IdempotencyKey, quote: Quote, time_to_live: TimeDelta) -> Self {
        Self {
            key,
            quote,
            time_to_live,
            fingerprint: None,
        }
    }

    pub(super) fn intent(&self) -> Intent {
        Intent::Hold {
            operation: self.quote.operation_name().clone(),
            quantity: self.quote.quantity(),
            time_to_live_micros: self.time_to_live.num_microseconds(),
            fingerprint: self.fingerprint,
        }
    }
}

/// A request to charge credits at once: for which operation, under which key.
#[derive(Clone, Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a request: a host writes it, by struct update"
)]
pub struct DeductRequest {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// The cost.
    pub quote: Quote,
    /// A digest of the rest of the request, such as its body. The same key with another digest is
    /// another request.
    pub fingerprint: Option<[u8; 32]>,
}

impl DeductRequest {
    /// Creates a request without a fingerprint.
    pub fn new(key: IdempotencyKey, quote: Quote) -> Self {
        Self {
            key,
            quote,
            fingerprint: None,
        }
    }

    pub(super) fn intent(&self) -> Intent {
        Intent::Deduct {
            operation: self.quote.operation_name().clone(),
            quantity: self.quote.quantity(),
            fingerprint: self.fingerprint,
        }
    }
}
