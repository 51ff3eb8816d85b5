//! The generic cell rate algorithm (GCRA) as pure functions, for hosts that keep rate state in a
//! store of their own.
//!
//! The algorithm is that of ITU-T I.371 in its virtual-scheduling form. A *cell* is one unit of a
//! request's cost. `T` is the emission interval, the time that one cell takes to drain. `tat` is
//! the theoretical arrival time, at which everything that was charged has drained. A request of
//! `cost` cells passes if and only if
//!
//! ```text
//! max(tat, now) + cost * T - now <= burst * T
//! ```
//!
//! A host reads the state of a key, decides, and writes the new state in place of the old one:
//!
//! ```
//! use bailiwick::Quota;
//! use bailiwick::quota::QuotaSet;
//! use bailiwick::throttle::gcra::{GcraStates, Limits, decide_all};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let quotas = QuotaSet::from(Quota::new(1, 10)?); // one in ten seconds
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!     let mut stored: Option<GcraStates> = None; // read from the host's store
//!
//!     let first = decide_all(&Limits::default(), &quotas, stored.as_ref(), now, 1);
//!     if first.must_store() {
//!         stored = Some(*first.states()); // written to the host's store
//!     }
//!     assert!(first.is_allowed());
//!
//!     let second = decide_all(&Limits::default(), &quotas, stored.as_ref(), now, 1);
//!     assert_eq!(second.retry_after_seconds(), Some(10));
//!     Ok(())
//! }
//! ```
//!
//! The order that a host must keep:
//!
//! 1. Read, decide and write under the store's guard against concurrent writers: a lock, a version
//!    or a transaction. Two decisions on one state that was read would both be allowed.
//! 2. Write whenever [`Decision::must_store`] or [`Decisions::must_store`] says so. It may say so
//!    after a refusal too.
//! 3. Drop a state only once it [is drained](GcraState::is_drained_at) on all clocks that decide.
//!
//! The types, in the order in which one meets them:
//!
//! | for one quota | for the quotas of a set, all or none | |
//! |---|---|---|
//! | [`GcraState`] | [`GcraStates`] | the state that a store keeps |
//! | [`Limits`] | [`Limits`] | the bounds beyond which a state is corrupt |
//! | [`decide`], [`decide_within`] | [`decide_all`] | the decision |
//! | [`Decision`], [`Verdict`] | [`Decisions`], [`Verdict`] | its answer, with the state to write |
//! | [`refund`] | [`refund_all`] | gives back cells that were charged and not used |
//! | [`reprice`] | | carries a state over to another quota; every decision does so by itself |

mod asked;
mod decision;
mod limits;
mod outcome;
mod set;
mod single;
mod slot;
mod state;
mod states;
mod time;

pub(super) use asked::Asked;
pub use decision::{Decision, Verdict};
pub use limits::Limits;
pub(super) use outcome::{Outcome, Usage};
pub use set::{Decisions, decide_all, refund_all};
pub(super) use set::{decide_slots, refund_slots};
pub use single::{decide, decide_within, refund, reprice};
pub(super) use slot::Slot;
pub use state::GcraState;
pub use states::GcraStates;
pub(super) use time::{SECOND, nanos, seconds_up};
