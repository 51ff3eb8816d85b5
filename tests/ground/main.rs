//! The ground floor: values, periods, policies, codes.

#[path = "../model/subscription.rs"]
#[allow(dead_code, reason = "only its calendar is used here")]
mod subscription_model;

#[path = "../support/root.rs"]
mod root;

mod codes;
mod period;
mod policy;
mod values;
