//! The parts that several of Stripe's objects have. Fields that are not named are ignored.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::money::{Currency, Money};
use crate::period::Period;

/// The entries that the host wrote beside an object.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) subscription: Option<String>,
    pub(super) charge: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

#[derive(Deserialize)]
pub(super) struct Id {
    pub(super) id: String,
}

/// An object, or only its identifier.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Reference {
    Id(String),
    Object(Id),
}

impl Reference {
    pub(super) fn into_id(self) -> String {
        let (Self::Id(id) | Self::Object(Id { id })) = self;
        id
    }
}

/// Reads an amount in the smallest unit in which Stripe counts a currency, which is not always the
/// currency's own: <https://docs.stripe.com/currencies>.
pub(super) fn money(minor: i64, currency: &str) -> Option<Money> {
    let currency: Currency = currency.to_ascii_uppercase().parse().ok()?;
    let places = match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        _ => 2,
    };

    Money::new(
        Decimal::try_from_i128_with_scale(minor.into(), places).ok()?,
        currency,
    )
    .ok()
}

pub(super) fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

/// Reads a period, if both ends are there and the second is later.
pub(super) fn period(start: Option<i64>, end: Option<i64>) -> Option<Period> {
    let period = Period {
        start: instant(start?)?,
        end: instant(end?)?,
    };

    (period.start < period.end).then_some(period)
}
