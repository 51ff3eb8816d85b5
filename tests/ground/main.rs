//! The ground floor: values, periods, policies, codes.

#[path = "../model/subscription.rs"]
#[allow(dead_code, reason = "only its calendar is used here")]
mod subscription_model;

mod codes;
mod period;
mod policy;
mod values;
