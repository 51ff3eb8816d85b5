//! Any text and any JSON as an amount or a price list: nothing panics, what is taken is exact,
//! within bounds and the same when it is written and read again, and what is refused has a reason
//! (C11). Quotes equal the sum in integers of 10^-12.
#![no_main]

use bailiwick::credit::{PriceError, PriceList};
use bailiwick::money::Currency;
use bailiwick::{Credits, Money};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const MOST: i128 = 1_000_000_000_000;
/// What a decimal can hold whatever its digits are.
const DIGITS: usize = 28;

/// A plain decimal in units of 10^-`places`, if that is exact.
fn units(text: &str, places: usize) -> Option<i128> {
    let (is_negative, unsigned) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let plain =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    if whole.len() > 15 || fraction.len() > places {
        return None;
    }
    let value: i128 = format!("0{whole}{fraction:0<places$}").parse().unwrap();
    (!is_negative || value == 0)
        .then_some(value)
        .filter(|value| *value <= MOST * 10_i128.pow(u32::try_from(places).unwrap()))
}

/// So long a text may be refused although its value is small: zeros count too.
fn is_long(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() > DIGITS
}

fn text_as_amount(text: &str) {
    match (text.parse::<Credits>(), units(text, 6)) {
        (Ok(credits), Some(micros)) => {
            assert_eq!(i128::from(credits.micros()), micros, "{text}");
            let shown = credits.to_string();
            assert_eq!(shown.parse(), Ok(credits));
            assert_eq!(Credits::try_from(credits.to_decimal()), Ok(credits));
            assert!(!shown.contains('.') || !shown.ends_with('0'), "{shown}");
        }
        (Err(_), None) => {}
        (Err(error), Some(_)) => assert!(is_long(text), "{text}: {error}"),
        (Ok(credits), None) => panic!("{text} was taken as {credits}"),
    }
    let money = Value::String(text.to_owned());
    match (
        serde_json::from_value::<Money>(json!({ "amount": money, "currency": "EUR" })),
        units(text, 4),
    ) {
        (Ok(money), Some(value)) => {
            assert_eq!(units(&money.amount().to_string(), 4), Some(value));
            assert_eq!(
                serde_json::from_str::<Money>(&serde_json::to_string(&money).unwrap()).unwrap(),
                money
            );
        }
        (Err(_), None) => {}
        (Err(error), Some(_)) => assert!(is_long(text), "{text}: {error}"),
        (Ok(money), None) => panic!("{text} was taken as {money}"),
    }
    if let Ok(currency) = text.parse::<Currency>() {
        assert_eq!(currency.as_str(), text);
    }
}

fn any_json(bytes: &[u8]) {
    fn again<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(
        bytes: &[u8],
    ) -> Option<T> {
        let value: T = serde_json::from_slice(bytes).ok()?;
        let text = serde_json::to_string(&value).unwrap();
        let read: T = serde_json::from_str(&text).unwrap();
        assert_eq!(read, value);
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        Some(read)
    }
    if let Some(credits) = again::<Credits>(bytes) {
        assert!((0..=MOST * 1_000_000).contains(&i128::from(credits.micros())));
    }
    again::<Money>(bytes);
    if let Some(prices) = again::<PriceList>(bytes) {
        let quantities = [0, 1, 2, 10, 1_000_003, u64::MAX]
            .into_iter()
            .chain(numbers(bytes).take(4));
        // Duplicate names leave the last of them in both.
        let written: Map<String, Value> = serde_json::from_slice(bytes).unwrap();
        quotes(&prices, &written, quantities);
    }
}

/// Every eight bytes are a number.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|chunk| u64::from_le_bytes(*chunk))
}

/// A price list of the bytes' own making, so that quotes are reached without writing JSON.
fn built(bytes: &[u8]) {
    let mut numbers = numbers(bytes);
    let mut price = || {
        let (digits, form) = (numbers.next()?, numbers.next()?);
        let digits = (digits >> (form % 64)).to_string();
        let places = usize::try_from(form >> 8 & 15).unwrap();
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        Some(if places == 0 {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        })
    };
    let (Some(base), Some(per_unit), Some(minimum)) = (price(), price(), price()) else {
        return;
    };
    let mut tiers = vec![];
    while let Some(per_unit) = price().filter(|_| tiers.len() < 4) {
        tiers.push(json!({ "up_to": 1_u64 << (tiers.len() * 9 + per_unit.len() % 9), "per_unit": per_unit }));
    }
    let rounding = ["up", "down", "half_even"][bytes.len() / 8 % 3];
    let minimum = if units(&minimum, 6).is_some() {
        minimum
    } else {
        "0".to_owned()
    };
    let written = json!({ "x": {
        "base": base, "per_unit": per_unit, "tiers": tiers, "minimum": minimum, "rounding": rounding
    } });
    let Value::Object(written) = written else {
        unreachable!()
    };
    let in_bounds = |price: &Value| {
        price
            .as_str()
            .is_none_or(|price| units(price, 12).is_some())
    };
    let fields = &written["x"];
    let ascending = tiers
        .windows(2)
        .all(|pair| pair[0]["up_to"].as_u64() < pair[1]["up_to"].as_u64());
    let sound = ascending
        && [&fields["base"], &fields["per_unit"]]
            .into_iter()
            .all(in_bounds)
        && tiers.iter().all(|tier| in_bounds(&tier["per_unit"]));
    let prices = serde_json::from_value::<PriceList>(Value::Object(written.clone()));
    assert_eq!(prices.is_ok(), sound, "{written:?}");
    if let Ok(prices) = prices {
        let quantities = [0, 1, 7, 511, 65_536, u64::MAX];
        let own = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|chunk| u64::from_le_bytes(*chunk));
        quotes(
            &prices,
            &written,
            quantities
                .into_iter()
                .chain(own.flat_map(|number| [number, number >> 40])),
        );
    }
}

/// A price as it is written: a text or a whole number; none is nothing.
fn written_price(value: &Value, places: usize) -> i128 {
    let text = match value {
        Value::Null => "0".to_owned(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    units(&text, places).expect("a price that was taken")
}

/// The quote in integers; `None` beyond what can be held.
fn exact(price: &Value, quantity: u64) -> Option<i128> {
    let mut sum = written_price(&price["base"], 12);
    let mut counted = 0;
    let last = json!({ "up_to": u64::MAX, "per_unit": price["per_unit"] });
    for tier in price["tiers"]
        .as_array()
        .into_iter()
        .flatten()
        .chain([&last])
    {
        let end = tier["up_to"].as_u64().unwrap();
        let charged = quantity.min(end).saturating_sub(counted);
        counted = end;
        sum = sum
            .checked_add(i128::from(charged).checked_mul(written_price(&tier["per_unit"], 12))?)?;
    }
    let (floor, rest) = (sum / 1_000_000, sum % 1_000_000);
    let up = match price["rounding"].as_str().unwrap_or("up") {
        "up" => rest > 0,
        "down" => false,
        _ => rest > 500_000 || (rest == 500_000 && floor % 2 == 1),
    };
    let micros = floor + i128::from(up);
    (micros <= MOST * 1_000_000).then(|| micros.max(written_price(&price["minimum"], 6)))
}

fn quotes(prices: &PriceList, written: &Map<String, Value>, quantities: impl Iterator<Item = u64>) {
    for quantity in quantities {
        for (operation, price) in written {
            match (prices.quote(operation, quantity), exact(price, quantity)) {
                (Ok(quote), Some(micros)) => {
                    assert_eq!(
                        i128::from(quote.price().micros()),
                        micros,
                        "{quantity} of {price}"
                    );
                    assert!(
                        quote.to_string().ends_with("credits")
                            || quote.to_string().ends_with("(the minimum)")
                    );
                }
                (Err(PriceError::TooLarge(..)), None) => {}
                (seen, expected) => panic!("{quantity} of {price}: {seen:?}, {expected:?}"),
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        text_as_amount(text);
        text_as_amount(text.trim_ascii_end());
    }
    any_json(bytes);
    built(bytes);
});
