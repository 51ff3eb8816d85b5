//! The generic cell rate algorithm as pure functions, for hosts that keep rate state in a store of
//! their own: read the state, decide, write it back under the store's guard.

mod answers;
mod decision;
mod states;

pub(super) use answers::{Answers, Brief};
pub(super) use decision::{Asked, SECOND, nanos, seconds_up};
pub use decision::{Decision, GcraState, Limits, Verdict, decide, decide_within, refund, reprice};
pub use states::{Decisions, GcraStates, decide_all, refund_all};
pub(super) use states::{Slot, decide_slots, refund_slots};
