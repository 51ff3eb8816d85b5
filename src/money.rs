//! Exact amounts: credits in whole micro-credits, and money in a currency.
//!
//! No amount passes through a floating-point number. An amount that cannot be held exactly is
//! refused, never rounded, and a sum that leaves the range is `None`, never wrapped.
//!
//! # First program
//! ```
//! use bailiwick::money::{AmountError, Currency};
//! use bailiwick::{Credits, Money};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let price = Money::new("49.90".parse()?, Currency::EUR)?;
//!     let twice = price.checked_add(price).ok_or("too much money")?;
//!     assert_eq!(twice.to_string(), "99.8 EUR");
//!
//!     let held: Credits = "2.5".parse()?;
//!     assert_eq!(held.checked_sub(Credits::whole(3)), None, "amounts are never negative");
//!
//!     let too_precise = "0.0000001".parse::<Credits>();
//!     assert_eq!(too_precise, Err(AmountError::TooPrecise { places: 6 }));
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//! | type | range | stored as |
//! |---|---|---|
//! | [`Credits`] | 0 to 10^12, 6 decimal places | an integer of micro-credits, or a text in JSON |
//! | [`Money`] | 0 to 10^12, 4 decimal places, with its currency | a decimal and a currency |
//! | [`Currency`] | three upper-case letters | a text |
//! | [`AmountError`] | | |
//!
//! In JSON an amount is a text such as `"12.5"`, or a whole number. A fraction that is written as a
//! JSON number is refused, because most senders have already passed it through a binary float.

mod amount;
mod credits;
mod currency;
mod decimal;
mod error;

pub use amount::Money;
pub use credits::Credits;
pub use currency::Currency;
pub(crate) use decimal::{deserialize_decimal, serialize_decimal};
pub use error::AmountError;
