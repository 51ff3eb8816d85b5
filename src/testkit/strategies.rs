//! Strategies of proptest for facts and for the arguments of commands, from which a host's own
//! property tests start.
//!
//! Each value that is drawn is sound by itself, and the edges are drawn far more often than chance
//! would draw them.
//!
//! ```
//! use bailiwick::testkit::proptest::prelude::*;
//! use bailiwick::testkit::strategies;
//! use bailiwick::{Principal, validate_account_and_plan};
//!
//! fn main() -> Result<(), chrono::ParseError> {
//!     let now = "2027-01-01T00:00:00Z".parse()?;
//!     proptest!(|(tenant in strategies::tenant_in_good_standing(now))| {
//!         let principal = Principal::session(1.into()).of_account(tenant.account.id.clone());
//!         prop_assert!(validate_account_and_plan(&principal, Some(&tenant), now).is_ok());
//!     });
//!     Ok(())
//! }
//! ```
//!
//! | for | strategies |
//! |---|---|
//! | values | [`account_id`], [`site_id`], [`idempotency_key`], [`credits`], [`credits_up_to`] |
//! | time | [`instant`], [`clock_step`] |
//! | the gate | [`tenant`], [`tenant_in_good_standing`], [`tenant_out_of_good_standing`], [`account`], [`plan`] |
//! | grants | [`grant_terms`], [`rollover`] |
//! | spending | [`price_list`], [`quote`], [`hold_request`], [`deduct_request`], [`settle_cost`], [`total_of`] |
//! | policies of credit | [`credit_policy`], [`overage`], [`late_settle`] |

mod credit;
mod facts;
mod standing;
mod value;

pub use credit::{
    credit_policy, deduct_request, grant_terms, hold_request, late_settle, overage, price_list,
    quote, rollover, settle_cost, total_of,
};
pub use facts::{account, plan};
pub use standing::{tenant, tenant_in_good_standing, tenant_out_of_good_standing};
pub use value::{
    account_id, clock_step, credits, credits_up_to, idempotency_key, instant, site_id,
};
