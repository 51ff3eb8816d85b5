//! The manual: what the crate promises and where that is tested, what it defends against, and what
//! was rejected, and why.

#[doc = include_str!("manual/invariants.md")]
pub mod invariants {}

#[doc = include_str!("manual/codes.md")]
pub mod codes {}

#[doc = include_str!("manual/credit_cases.md")]
pub mod credit_cases {}

#[doc = include_str!("manual/drivers.md")]
pub mod drivers {}

#[doc = include_str!("manual/rollout.svg")]
///
#[doc = include_str!("manual/rollout.md")]
pub mod rollout {}

#[doc = include_str!("manual/threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("manual/rejected_designs.md")]
pub mod rejected_designs {}
