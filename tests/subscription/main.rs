//! Subscriptions: status, time and their table.

#[path = "../model/subscription_facts.rs"]
mod facts;
#[path = "../model/subscription.rs"]
mod model;
#[path = "../model/paid_time_facts.rs"]
mod paid_time_facts;
#[path = "../model/paid_time.rs"]
mod paid_time_model;

#[path = "../support/mod.rs"]
mod support;

mod documents;
mod paid_time;
mod tables;
mod transitions;
