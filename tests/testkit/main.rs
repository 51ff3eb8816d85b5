//! The conformance suite: right stores pass, wrong stores are caught.

#[path = "../memory/mod.rs"]
mod memory;
#[path = "../servers/mod.rs"]
mod servers;
#[path = "../stores/mod.rs"]
mod stores;
#[path = "../support/mod.rs"]
mod support;

mod databases;
#[cfg(feature = "sql")]
mod example_store;
mod suite;
