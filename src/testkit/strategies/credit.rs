//! Grants, prices, requests to spend, and policies of credit.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use super::value::{
    DAY, MAX_MICROS, credits, credits_between, credits_up_to, idempotency_key, later,
};
use crate::credit::{
    DeductRequest, GrantTerms, HoldRequest, Price, PriceList, Quote, Rollover, Rounding, Tier,
};
use crate::money::Credits;
use crate::policy::{CreditPolicy, LateSettle, Overage};

/// Draws the terms by which the grant with this key rolls over, zero and all of it among the
/// bounds.
pub fn rollover(from: impl Into<Arc<str>>) -> impl Strategy<Value = Rollover> {
    let from = from.into();
    (
        credits_up_to(Credits::whole(100)),
        credits_up_to(Credits::whole(1_000)),
    )
        .prop_map(move |(minimum, maximum)| Rollover {
            from: from.clone(),
            minimum,
            maximum,
        })
}

/// Draws terms that can be granted at `now`: some live at once and for ever, some later, some for a
/// moment. No other grant rolls over into them; for that, see [`rollover`].
pub fn grant_terms(now: DateTime<Utc>) -> impl Strategy<Value = GrantTerms> {
    let amount = credits().prop_filter("a positive amount", |amount| !amount.is_zero());
    let wait = prop_oneof![Just(0_i64), -DAY..0, 1..60_i64, 1..40 * DAY];
    let life = prop_oneof![Just(1_i64), 1..60_i64, 1..400 * DAY];

    (amount, any::<u8>(), option::of(wait), option::of(life)).prop_map(
        move |(amount, priority, wait, life)| {
            let effective_at = wait.map(|wait| later(now, wait));
            // A grant that took effect in the past still lives for a while from now on.
            let from = effective_at.map_or(now, |at| at.max(now));
            GrantTerms {
                amount,
                priority,
                effective_at,
                expires_at: life.map(|life| later(from, life)),
                rollover: None,
            }
        },
    )
}

/// Draws price lists of the operations `a`, `b` and `c`, with every way of rounding.
pub fn price_list() -> impl Strategy<Value = PriceList> {
    let rounding = select(&[Rounding::Up, Rounding::Down, Rounding::HalfEven][..]);
    let decimal = (0..1_000_000_000_i64, 0..=12_u32)
        .prop_filter_map("a price", |(mantissa, places)| {
            Decimal::try_new(mantissa, places).ok()
        });
    let minimum = prop_oneof![3 => Just(Credits::ZERO), 1 => credits_between(0, 5_000_000)];

    // Each tier ends some units after the one before.
    let tiers = vec((1..1_000_u64, decimal.clone()), 0..3).prop_map(|lengths| {
        lengths
            .into_iter()
            .scan(0_u64, |end, (length, per_unit)| {
                *end = end.saturating_add(length);
                Some(Tier {
                    up_to: *end,
                    per_unit,
                })
            })
            .collect()
    });

    let price = (decimal.clone(), decimal, tiers, minimum, rounding).prop_map(
        |(base, per_unit, tiers, minimum, rounding)| Price {
            base,
            per_unit,
            tiers,
            minimum,
            rounding,
        },
    );

    vec(price, 3).prop_filter_map("a price list", |prices| {
        let names = ["a", "b", "c"].map(Arc::from);
        PriceList::try_from(names.into_iter().zip(prices).collect::<BTreeMap<_, _>>()).ok()
    })
}

/// Draws quotes of at most so many credits, for an operation named `spend` that is charged by the
/// millionth of a credit.
pub fn quote(max: Credits) -> impl Strategy<Value = Quote> {
    credits_up_to(max).prop_filter_map("a quote", |price| {
        let per_unit = Credits::from_micros(1).ok()?.to_decimal();
        let spend = Price {
            base: Decimal::ZERO,
            per_unit,
            tiers: Vec::new(),
            minimum: Credits::ZERO,
            rounding: Rounding::Up,
        };

        let list = PriceList::try_from(BTreeMap::from([(Arc::from("spend"), spend)])).ok()?;
        list.quote("spend", u64::try_from(price.micros()).ok()?)
            .ok()
    })
}

/// Draws requests to hold at most so many credits. Few keys are drawn, so that requests repeat, and
/// clash.
pub fn hold_request(max: Credits) -> impl Strategy<Value = HoldRequest> {
    let life = prop_oneof![Just(1_i64), 1..60_i64, 1..366 * DAY, Just(366 * DAY)];
    let fingerprint = option::weighted(0.3, (0..3_u8).prop_map(|digest| [digest; 32]));
    (idempotency_key(), quote(max), life, fingerprint).prop_map(
        |(key, quote, life, fingerprint)| HoldRequest {
            key,
            quote,
            time_to_live: TimeDelta::try_seconds(life).unwrap_or_default(),
            fingerprint,
        },
    )
}

/// Draws requests to deduct at most so many credits. Few keys are drawn, so that requests repeat,
/// and clash.
pub fn deduct_request(max: Credits) -> impl Strategy<Value = DeductRequest> {
    hold_request(max).prop_map(
        |HoldRequest {
             key,
             quote,
             fingerprint,
             ..
         }| DeductRequest {
            key,
            quote,
            fingerprint,
        },
    )
}

/// Draws the total of all draws on a hold, or of all refunds of a charge: zero, a part, all of it,
/// a millionth more, far more.
pub fn total_of(amount: Credits) -> impl Strategy<Value = Credits> {
    settle_cost(amount)
}

/// Draws the real cost of a call that held so much: zero, less, just that, a millionth more, far
/// more.
pub fn settle_cost(held: Credits) -> impl Strategy<Value = Credits> {
    let more = held.micros().saturating_add(1).min(MAX_MICROS);
    prop_oneof![
        6 => credits_up_to(held),
        1 => credits_between(more, more),
        1 => credits_between(held.micros(), held.micros().saturating_mul(3).min(MAX_MICROS)),
    ]
}

/// Draws the rules for a settlement beyond its hold.
pub fn overage() -> impl Strategy<Value = Overage> {
    prop_oneof![
        Just(Overage::Reject),
        Just(Overage::Cap),
        Just(Overage::Available),
        credits_up_to(Credits::whole(100)).prop_map(Overage::Debt),
    ]
}

/// Draws the rules for a settlement after its hold's end.
pub fn late_settle() -> impl Strategy<Value = LateSettle> {
    prop_oneof![
        Just(LateSettle::Refuse),
        Just(LateSettle::Available),
        credits_up_to(Credits::whole(100)).prop_map(LateSettle::Debt),
    ]
}

/// Draws policies of credit, with few open holds and many, and every way of settling beyond a hold
/// and after its end.
pub fn credit_policy() -> impl Strategy<Value = CreditPolicy> {
    (
        1..=4096_u16,
        overage(),
        late_settle(),
        0..=86_400_u32,
        0..=86_400_u32,
    )
        .prop_map(
            |(max_open_holds, overage, late_settle, late_settle_seconds, refund_life_seconds)| {
                CreditPolicy {
                    max_open_holds,
                    overage,
                    late_settle,
                    late_settle_seconds,
                    refund_life_seconds,
                }
            },
        )
}
