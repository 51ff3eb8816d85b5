//! Subscriptions: status, time and their table.

#[path = "../model/subscription_facts.rs"]
mod facts;
#[path = "../model/subscription.rs"]
mod model;

#[path = "../support/mod.rs"]
mod support;

mod documents;
mod tables;
mod transitions;
