//! Credit: on whose account.

#[path = "../model/credit_facts.rs"]
mod credit_facts;
#[cfg(feature = "testkit")]
#[path = "../memory/mod.rs"]
mod memory;
#[path = "../model/credit.rs"]
mod model;
#[path = "../model/recurring.rs"]
mod recurring;
#[path = "../support/mod.rs"]
mod support;

mod aligning;
mod allowance;
mod attempts;
mod conversion;
mod gifts;
#[cfg(feature = "testkit")]
mod interleavings;
mod ledger;
mod model_check;
mod months;
mod paid_time;
mod state_machine;
mod tables;
mod wallet;
