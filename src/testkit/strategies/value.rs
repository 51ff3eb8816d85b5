//! Identifiers, keys, amounts and instants.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::credit::IdempotencyKey;
use crate::id::{AccountId, SiteId};
use crate::money::Credits;

/// The largest amount, in micro-credits.
pub(super) const MAX_MICROS: i64 = 1_000_000_000_000_000_000;
/// A day, in seconds.
pub(super) const DAY: i64 = 86_400;

/// Draws printable ASCII without spaces.
fn text(max_len: usize) -> impl Strategy<Value = String> {
    vec(0x21_u8..=0x7E, 1..=max_len).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

/// Draws the text of an identifier: an integer, a UUID or a short text.
fn identifier() -> impl Strategy<Value = String> {
    let uuid = (
        any::<u32>(),
        any::<u16>(),
        any::<u16>(),
        any::<u16>(),
        0..1_u64 << 48,
    )
        .prop_map(|(a, b, c, d, e)| format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"));

    prop_oneof![
        4 => (1..1000_i64).prop_map(|id| id.to_string()),
        1 => any::<i64>().prop_map(|id| id.to_string()),
        2 => uuid,
        2 => text(64).prop_filter("no braces", |text| !text.contains(['{', '}'])),
    ]
}

/// Draws accounts' identifiers: integers, UUIDs and texts.
pub fn account_id() -> impl Strategy<Value = AccountId> {
    identifier().prop_filter_map("an identifier", |text| text.parse().ok())
}

/// Draws sites' identifiers: integers, UUIDs and texts.
pub fn site_id() -> impl Strategy<Value = SiteId> {
    identifier().prop_filter_map("an identifier", |text| text.parse().ok())
}

/// Draws idempotency keys, the shortest and the longest too.
pub fn idempotency_key() -> impl Strategy<Value = IdempotencyKey> {
    let text = prop_oneof![
        4 => (0..20_u8).prop_map(|number| format!("request-{number}")),
        2 => text(40),
        1 => text(255),
    ];
    text.prop_filter_map("a key", |text| text.parse().ok())
}

/// Draws amounts of credits, zero and the limit among them.
pub fn credits() -> impl Strategy<Value = Credits> {
    prop_oneof![
        1 => Just(Credits::ZERO),
        4 => (0..1000_u32).prop_map(Credits::whole),
        4 => credits_between(1, 1_000_000_000),
        1 => credits_between(MAX_MICROS.saturating_sub(1000), MAX_MICROS),
        1 => credits_between(0, MAX_MICROS),
    ]
}

/// Draws amounts of at most so many credits, zero and all of them among them.
pub fn credits_up_to(max: Credits) -> impl Strategy<Value = Credits> {
    prop_oneof![1 => Just(Credits::ZERO), 1 => Just(max), 6 => credits_between(0, max.micros())]
}

/// Draws amounts between two numbers of micro-credits, both inclusive.
pub(super) fn credits_between(min: i64, max: i64) -> impl Strategy<Value = Credits> {
    (min..=max).prop_filter_map("an amount", |micros| Credits::from_micros(micros).ok())
}

/// Draws the step of a clock between two looks at it: zero, microseconds, days, and sometimes a
/// step back.
pub fn clock_step() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![
        2 => Just(0_i64),
        2 => 1..1_000_000_i64,
        4 => (1..120_i64).prop_map(|seconds| seconds.saturating_mul(1_000_000)),
        2 => (1..400_i64).prop_map(|days| days.saturating_mul(DAY).saturating_mul(1_000_000)),
        1 => -5_000_000..0_i64,
    ]
    .prop_map(TimeDelta::microseconds)
}

/// Draws instants of the years 2001 to 2100, to the microsecond.
pub fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (978_307_200_000_000..4_102_444_800_000_000_i64)
        .prop_filter_map("an instant", DateTime::from_timestamp_micros)
}

/// Returns the instant so many seconds later, or the same one at the calendar's ends.
pub(super) fn later(now: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    TimeDelta::try_seconds(seconds)
        .and_then(|step| now.checked_add_signed(step))
        .unwrap_or(now)
}
