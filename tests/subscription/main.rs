//! Subscriptions: status, time and their table.

#[path = "../model/subscription_facts.rs"]
mod facts;
#[path = "../model/subscription.rs"]
mod model;

mod documents;
mod transitions;
