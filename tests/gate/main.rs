//! The gate: who may act.

#[path = "../model/mod.rs"]
mod model;
#[path = "../support/mod.rs"]
mod support;

mod decisions;
mod jobs;
#[cfg(feature = "tracing")]
mod trace;
