//! The throttle: how fast.

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod cells;
#[cfg(feature = "governor")]
mod governor;
mod keys;
mod leases;
mod process;
mod shared;
