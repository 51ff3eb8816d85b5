//! Money and people come in: transfers, providers, registration, and a year of all of it.

#[path = "../support/mod.rs"]
mod support;

mod bank_transfers;
mod charges;
#[cfg(feature = "paypal")]
mod paypal;
mod providers;
mod registrations;
mod retractions;
mod simulated_year;
#[cfg(feature = "stripe")]
mod stripe;
mod tables;
mod year;
