//! Paid time: which time of which plan was paid for, and how many credits each window of it has
//! earned.
//!
//! Credits follow money. A payment is recorded as a [`Span`] of time, a refund of unused time as a
//! [`TimeCredit`], an end of service without a refund as a [`Stop`], and a payment that never was as
//! a [`Void`]. They form a set that only grows: [`PaidTime`], one row for each subscription. What
//! was paid is a pure function of that set, the [`Schedule`], so facts may come late, twice and in
//! any order.
//!
//! A period is divided into windows, by the plan's [`Grid`]: a year into twelve months, for example.
//! A window earns each payment's amount for the share of the window that the payment covers, summed
//! up and rounded down once. An upgrade in the middle of a month brings the larger amount for the
//! days that are left, and a refund takes back the credits of the days that it gives back.
//!
//! # First program
//!
//! ```
//! use bailiwick::Credits;
//! use bailiwick::chrono::{DateTime, TimeDelta, Utc};
//! use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
//! use bailiwick::period::Interval;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let january: DateTime<Utc> = "2027-01-01T00:00:00Z".parse()?;
//!     let upgrade: DateTime<Utc> = "2027-01-16T00:00:00Z".parse()?;
//!     let month = Interval::MONTHLY.period(january, 0).ok_or("the calendar ended")?;
//!
//!     // A month of a plan of 500 credits is paid; on the 16th the rest of a plan of 2,000.
//!     let basic = Span {
//!         key: "invoice-1/line-1".into(),
//!         payment: "invoice-1".into(),
//!         period: BilledPeriod::Whole(month),
//!         from: january,
//!         grid: Grid::of(Interval::MONTHLY, Interval::MONTHLY),
//!         amount: Credits::whole(500),
//!         made: january,
//!         received: january,
//!     };
//!     let pro = Span {
//!         key: "invoice-2/line-1".into(),
//!         payment: "invoice-2".into(),
//!         period: BilledPeriod::EndingAt(month.end),
//!         from: upgrade,
//!         amount: Credits::whole(2_000),
//!         made: upgrade,
//!         received: upgrade,
//!         ..basic.clone()
//!     };
//!
//!     // In whatever order they are heard.
//!     let facts = [Fact::Span(pro), Fact::Span(basic)];
//!     let change = PaidTime::new(7.into(), 1.into()).record(facts)?.ok_or("nothing new")?;
//!
//!     // 15 of 31 days at 500, and 16 of 31 at 2,000.
//!     let schedule = change.row().schedule();
//!     let target = schedule.target(month, TimeDelta::zero()).ok_or("out of range")?;
//!     assert_eq!(target.amount, "1274.193548".parse()?);
//!     assert_eq!(change.row().paid_until(), Some(month.end));
//!     Ok(())
//! }
//! ```
//!
//! # The rules
//!
//! - Of the spans of one period, each is paid until the next one begins, or until a credit of that
//!   period by another invoice. Spans of different periods never end each other.
//! - Facts are ordered by the instant that they tell, then by the instant at which they were made;
//!   in a tie spans come before credits and stops, then the larger amount, then the smaller key.
//! - Time that remains of a period, as a provider's proration tells it, belongs to the whole period
//!   with the same end. Until that is known it brings nothing.
//! - Sales that name no period make a chain by their own instants: see [`BilledPeriod::Interval`].
//! - A span brings nothing to windows that begin at or after a later stop. Windows that had begun
//!   keep what they have earned.
//! - A void leaves out all lines of a payment, those that gave time back too.
//!
//! # The types, in the order in which one meets them
//!
//! | type | what it is |
//! |---|---|
//! | [`Span`], [`TimeCredit`], [`Stop`], [`Void`], [`Fact`] | what money says of time |
//! | [`BilledPeriod`], [`Grid`] | the period that a fact belongs to, and its windows |
//! | [`PaidTime`], [`RecordError`] | the row that a host stores, and why a fact is refused |
//! | [`Schedule`], [`Piece`] | the time that is paid, after all that ends it |
//! | [`Target`], [`Share`] | the credits of a window, and the payments that they come from |

mod chain;
mod fact;
mod grid;
mod known;
mod piece;
mod row;
mod schedule;

pub use fact::{BilledPeriod, Fact, Span, Stop, TimeCredit, Void};
pub use grid::Grid;
pub use piece::Piece;
pub use row::{PaidTime, RecordError};
pub use schedule::{Schedule, Share, Target};
