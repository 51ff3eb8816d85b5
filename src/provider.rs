//! Providers: reports from Stripe and PayPal are read into two kinds of facts. Snapshots of
//! subscriptions are adopted by the provider's own time, and payments form a set that only grows.
//! In whatever order reports are delivered, and however often, the outcome is the same.
//!
//! A report is never applied as a command: applied one after another to a table that refuses some
//! steps, *paid, failed* and *failed, paid* would end differently.
//!
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::money::Currency;
//! use bailiwick::payment_method::{PaymentMethod, Provider};
//! use bailiwick::period::{Interval, Period};
//! use bailiwick::provider::{AdoptError, AdoptionFacts, Freshness, ProviderSnapshot};
//! use bailiwick::subscription::SubscriptionStatus;
//! use bailiwick::{Account, Money, Plan, Policy, Subscription};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2027-02-01T00:00:00Z".parse()?;
//!     let method = PaymentMethod::Stripe;
//!     let price = Money::new("49".parse()?, Currency::EUR)?;
//!     let facts = AdoptionFacts {
//!         account: Account::new(7.into(), AccountStatus::PendingPayment, method),
//!         subscription: Subscription::new(9.into(), 7.into(), 3.into(), method, now),
//!         plan: Plan::new(3.into(), price, Interval::MONTHLY).into(),
//!     };
//!
//!     // `stripe::verify` reads such a snapshot from a webhook whose signature it has checked.
//!     let snapshot = ProviderSnapshot {
//!         provider: Provider::Stripe,
//!         subscription: "sub_1".into(),
//!         reference: Some("9".into()),
//!         price: "price_1".into(),
//!         at: now,
//!         status: SubscriptionStatus::Active,
//!         anchor: now,
//!         current_period: Some(Period { start: now, end: "2027-03-01T00:00:00Z".parse()? }),
//!         trial: None,
//!         cancel_at_period_end: false,
//!     };
//!
//!     // A provider is refused until the policy enables it.
//!     let refused = Policy::default().adopt_snapshot(&snapshot, facts.clone(), now);
//!     assert_eq!(refused, Err(AdoptError::ComingSoon(method)));
//!
//!     let settings = r#"{ "payment_methods": ["stripe"] }"#;
//!     let policy = Policy::load(serde_json::from_str(settings)?)?;
//!     let adoption = policy.adopt_snapshot(&snapshot, facts, now)?;
//!     assert_eq!(adoption.freshness(), Freshness::Newer);
//!     let status = adoption.transition().map(|transition| transition.to());
//!     assert_eq!(status, Some(SubscriptionStatus::Active));
//!     Ok(())
//! }
//! ```
//!
//! # Types, in the order in which one meets them
//!
//! - `stripe` and `paypal` (with the features of these names): the checks of webhooks' signatures.
//!   They return a [`ProviderEvent`], or a [`WebhookError`].
//! - [`ProviderReport`]: the content of an event: a [`ProviderSnapshot`], a [`ProviderPayment`]
//!   with its [`PaidFor`], or nothing that matters here.
//! - [`AdoptionFacts`], [`Adoption`], [`AdoptError`]: the facts, the change and the error of
//!   [`Policy::adopt_snapshot`]. [`Freshness`] and [`Plausibility`] explain the change.
//! - [`PaymentFacts`], [`PaymentChange`], [`PaymentError`]: those of
//!   [`Policy::record_provider_payment`]. [`PaidInvoice`] is the row that it inserts.
//!
//! # The order in which a host loads and writes
//!
//! 1. Check the signature over the body's bytes as they came. Answer
//!    [`Unmapped`](ProviderReport::Unmapped) events with success, so that they are not sent again.
//! 2. Begin a transaction. Find the subscription by the provider's identifier; at Stripe, the first
//!    time, by the report's reference, which is the subscription's own identifier. Load it, its
//!    account, and the plan that the report's price stands for. For a payment, load the
//!    subscription's present plan, and the [`PaidInvoice`] by (account, provider, invoice).
//! 3. Call the command. [`Answer::Replayed`](crate::change::Answer::Replayed) means that the
//!    payment was recorded before: write nothing.
//! 4. In the same transaction, write every row of the change over its
//!    [`expected_version`](crate::change::RowChange::expected_version), and set the account's plan
//!    where [`Adoption::plan`] names one. Insert the record of a payment. Grant what is due with
//!    [`Wallet::grant_due`](crate::Wallet::grant_due). Commit. If a version has moved or a unique
//!    key is taken, roll back and begin again at 2.
//! 5. Answer the webhook with success, after [`AdoptError::OtherMethod`] too; after any other error
//!    with a failure, so that the provider sends it again. Where [`Adoption::needs_refetch`] is
//!    true, fetch the subscription from the provider, and adopt that.
//!
//! The store holds these keys unique: the providers' identifiers of subscriptions, where present,
//! and (account, provider, invoice) of paid invoices.
//!
//! [`Policy::adopt_snapshot`]: crate::Policy::adopt_snapshot
//! [`Policy::record_provider_payment`]: crate::Policy::record_provider_payment

mod adoption;
mod comparison;
mod error;
mod identity;
mod payment;
#[cfg(feature = "paypal")]
pub mod paypal;
mod plausibility;
mod reckoning;
mod report;
#[cfg(feature = "stripe")]
pub mod stripe;
mod webhook;

pub use adoption::{Adoption, AdoptionFacts};
pub use comparison::Freshness;
pub use error::{AdoptError, PaymentError};
pub use payment::{PaidInvoice, PaymentChange, PaymentFacts};
pub use plausibility::Plausibility;
pub use report::{PaidFor, ProviderPayment, ProviderReport, ProviderSnapshot};
pub use webhook::{ProviderEvent, WebhookError};
