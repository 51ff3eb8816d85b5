//! Registration: an account, its owner, its first site, its subscription, its wallet and its first
//! credits are created together or not at all, once for each request. A verified identity receives
//! first credits once and one trial, even if it registers again. Further users join by invitation.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bailiwick::account::AccountStatus;
//! use bailiwick::change::Answer;
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::registration::{Registration, RegistrationFacts, Subject};
//! use bailiwick::{Money, Plan, Policy};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2027-02-01T00:00:00Z".parse()?;
//!     let price = Money::new("49".parse()?, Currency::EUR)?;
//!     let request = Registration {
//!         key: "request-1".parse()?,
//!         subject: Subject::from_digest([7; 32]), // of the address that was verified
//!         plan: Arc::new(Plan::new(3.into(), price, Interval::MONTHLY)),
//!         payment_method: PaymentMethod::BankTransfer,
//!         account: 7.into(),
//!         owner: 1.into(),
//!         site: 12.into(),
//!         subscription: 9.into(),
//!         trial_until: None,
//!     };
//!
//!     // The host has looked both rows up, and found neither.
//!     let facts = RegistrationFacts { by_key: None, by_subject: None };
//!     match Policy::default().register(&request, facts, now)? {
//!         Answer::Fresh(change) => {
//!             // Write all of it in one transaction.
//!             assert_eq!(change.account().status, AccountStatus::PendingPayment);
//!             assert_eq!(change.registered().owner, 1.into());
//!         }
//!         Answer::Replayed(earlier) => println!("registered at {}", earlier.registered_at),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Types, in the order in which one meets them
//!
//! - [`Subject`]: a verified identity, as a digest; [`SubjectError`] for a malformed one.
//! - [`Registration`]: the request, with the identifiers that the host set aside for the new rows.
//! - [`RegistrationFacts`]: the rows that the host loads before
//!   [`Policy::register`](crate::Policy::register).
//! - [`RegistrationChange`]: everything that a registration writes, with the rows [`Registered`]
//!   and [`SubjectRecord`]; [`RegistrationError`] where it is refused.
//! - [`Invitation`]: an invitation to an account, for one identity.
//! - [`JoinFacts`], [`JoinChange`], [`JoinError`]: the same three steps when somebody joins, by
//!   [`Invitation::accept`].
//! - [`TrialFacts`], [`TrialChange`], [`TrialError`]: the same for a trial of an account that is there
//!   already, by [`Policy::start_trial`](crate::Policy::start_trial).
//!
//! # The order in which a host loads and writes
//!
//! 1. Begin a transaction. To register, load the [`Registered`] row by (subject, key) and the
//!    [`SubjectRecord`] by subject; to invite or to join, load the [`Invitation`] by (account,
//!    subject), and to join the account and the subject's record, too.
//! 2. Call the command. [`Answer::Replayed`](crate::change::Answer::Replayed) means that it was
//!    carried out before: write nothing.
//! 3. In the same transaction, insert the new rows, and write every
//!    [`RowChange`](crate::change::RowChange) over its expected version, where 0 means to insert
//!    it. Commit.
//! 4. If a version has moved or a unique key is taken, roll back and begin again at 1.
//!
//! The store holds these keys unique: (subject) of subjects' records, over all tenants; (subject,
//! key) of registrations; (account, subject) of invitations. When an account is deleted, the host
//! keeps its subjects' records and sets [`SubjectRecord::account`] to `None`, and nothing else.

mod invitation;
mod newcomer;
mod subject;
mod trial;

pub use invitation::{Invitation, JoinChange, JoinError, JoinFacts};
pub use newcomer::{
    Registered, Registration, RegistrationChange, RegistrationError, RegistrationFacts,
};
pub use subject::{Subject, SubjectError, SubjectRecord};
pub use trial::{TrialChange, TrialError, TrialFacts};
