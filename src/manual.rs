//! The manual: a guide for newcomers, the promises of the crate and the tests that hold them, the
//! threats that it defends against, and the designs that were rejected.
//!
//! | page | for |
//! |---|---|
//! | [`guide`] | a newcomer: eight steps from an empty service to a paid subscription |
//! | [`drivers`] | whoever runs the statements with sqlx, SeaORM, rusqlite or another driver |
//! | [`rollout`] | a host whose schema knew Stripe only |
//! | [`paid_time`] | how a payment becomes time and credits, and what happens when it is undone |
//! | [`codes`] | everything that a client can be told |
//! | [`credit_cases`] | what happens to credits where two rules meet |
//! | [`invariants`] | a reviewer: each promise, and the test that holds it |
//! | [`threat_model`] | a reviewer: attackers, assumptions, and limits |
//! | [`rejected_designs`] | anyone who asks why it is not done the other way |

#[cfg_attr(
    all(feature = "axum", feature = "sql"),
    doc = include_str!("manual/guide.md")
)]
#[cfg_attr(
    not(all(feature = "axum", feature = "sql")),
    doc = "The guide for newcomers is about a service on axum: the features `axum` and `sql` show it."
)]
pub mod guide {}

#[doc = include_str!("manual/invariants.md")]
pub mod invariants {}

#[doc = include_str!("manual/codes.md")]
pub mod codes {}

#[doc = include_str!("manual/credit_cases.md")]
pub mod credit_cases {}

#[doc = include_str!("manual/drivers.md")]
pub mod drivers {}

#[doc = include_str!("manual/paid_time.svg")]
///
#[doc = include_str!("manual/paid_time.md")]
pub mod paid_time {}

#[doc = include_str!("manual/rollout.svg")]
///
#[doc = include_str!("manual/rollout.md")]
pub mod rollout {}

#[doc = include_str!("manual/threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("manual/rejected_designs.md")]
pub mod rejected_designs {}

// The README's program must compile as it is printed.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
mod readme {}
