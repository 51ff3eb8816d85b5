//! Refusals as response bodies: a stable [`Code`], and a [`Problem`] in the form of RFC 9457.
//!
//! Every error of this crate implements [`Explained`] and converts into a [`Problem`], which says
//! what happened, and the next step. The table at [`Code`] is the whole of what a client can be
//! told.
//!
//! # First program
//! ```
//! use bailiwick::account::SuspensionCause;
//! use bailiwick::gate::Denial;
//! use bailiwick::{Code, Problem};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let denial = Denial::AccountSuspended(SuspensionCause::Abuse);
//!     let problem = Problem::from(denial);
//!     assert_eq!((problem.status(), problem.code()), (403, Code::AccountSuspended));
//!
//!     // The body of the response, to be sent as `Problem::CONTENT_TYPE`.
//!     let body = serde_json::to_value(&problem)?;
//!     assert_eq!(body["title"], "The account is suspended");
//!     assert_eq!(body["remedy"], "Contact support.");
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//! | item | role |
//! |---|---|
//! | [`Problem`] | the response: its body, its status and its headers |
//! | [`Code`] | the stable code, with its status, title and default remedy |
//! | [`from_refusals!`](crate::from_refusals) | lets `?` turn every refusal into the host's own error type |
//! | [`Explained`] | the trait of every refusal; a host may implement it, too |
//! | [`Severity`] | the loudness of a refusal in the log |
//!
//! # Rules for a host
//! - Send every header of [`Problem::headers`] with the response: a 401 without `WWW-Authenticate`
//!   violates RFC 9110, and a 429 without `Retry-After` does not say when to come back.
//! - A client decides by the code and the status. Titles, details and remedies are for people, and
//!   may be reworded in any release.
//! - Log a fault on the host's side (status 500) before it becomes a problem: the problem no longer
//!   holds its cause.

mod body;
mod code;
mod explained;
mod refusals;

pub use body::Problem;
pub use code::Code;
pub use explained::{Explained, Severity};
