//! Money and people come in: transfers, providers, registration, and a year of all of it.

#[path = "../model/paid_time_facts.rs"]
#[allow(dead_code, reason = "each binary uses what it needs")]
mod paid_time_facts;
#[path = "../model/paid_time.rs"]
#[allow(dead_code, reason = "providers here bill by months alone")]
mod paid_time_model;
#[path = "../support/mod.rs"]
mod support;

mod bank_transfers;
mod charge_payments;
mod charges;
#[cfg(feature = "paypal")]
mod paypal;
mod provider_host;
mod providers;
mod registrations;
mod retractions;
mod simulated_year;
#[cfg(feature = "stripe")]
mod stripe;
mod tables;
mod year;
