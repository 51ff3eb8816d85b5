//! Providers: reports from Stripe and PayPal are read into facts. Snapshots of subscriptions are
//! adopted by the provider's own time; payments and their undoing form a set that only grows. In
//! whatever order reports are delivered, and however often, the outcome is the same.
//!
//! A report is never applied as a command: applied one after another to a table that refuses some
//! steps, *paid, failed* and *failed, paid* would end differently.
//!
//! Only money brings a plan's credits. A snapshot sets the plan and what the gate goes by. A payment
//! becomes [paid time](crate::paid_time), line by line, and the host aligns the wallet with it.
//!
//! ```
//! use bailiwick::account::AccountStatus;
//! use bailiwick::change::Answer;
//! use bailiwick::money::Currency;
//! use bailiwick::paid_time::PaidTime;
//! use bailiwick::payment_method::{PaymentMethod, Provider};
//! use bailiwick::period::{Interval, Period};
//! use bailiwick::provider::{
//!     AdoptError, AdoptionFacts, Freshness, LineKind, PaidLine, PaymentFacts, ProviderItem,
//!     ProviderPayment, ProviderPrice, ProviderSnapshot,
//! };
//! use bailiwick::subscription::SubscriptionStatus;
//! use bailiwick::{Account, Credits, Money, Plan, Policy, Subscription, Wallet};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2027-02-01T00:00:00Z".parse()?;
//!     let month = Period { start: now, end: "2027-03-01T00:00:00Z".parse()? };
//!     let method = PaymentMethod::Stripe;
//!     let price = Money::new("49".parse()?, Currency::EUR)?;
//!     let plan = Plan {
//!         credits: Credits::whole(500),
//!         ..Plan::new(3.into(), price, Interval::MONTHLY)
//!     };
//!     let prices = vec![ProviderPrice { price: "price_1".into(), plan: plan.into() }];
//!     let facts = AdoptionFacts {
//!         account: Account::new(7.into(), AccountStatus::PendingPayment, method),
//!         subscription: Subscription::new(9.into(), 7.into(), 3.into(), method, now),
//!         prices: prices.clone(),
//!         paid_time: PaidTime::new(7.into(), 9.into()),
//!         had_trial: false,
//!     };
//!
//!     // `stripe::verify` reads such a snapshot from a webhook whose signature it has checked.
//!     let snapshot = ProviderSnapshot {
//!         provider: Provider::Stripe,
//!         subscription: "sub_1".into(),
//!         reference: Some("9".into()),
//!         items: vec![ProviderItem {
//!             price: "price_1".into(),
//!             quantity: 1,
//!             period: Some(month),
//!         }],
//!         at: now,
//!         status: SubscriptionStatus::Active,
//!         anchor: now,
//!         trial: None,
//!         cancel_at_period_end: false,
//!         cancel_at: None,
//!         ended_at: None,
//!     };
//!
//!     // A provider is refused until the policy enables it.
//!     let refused = Policy::default().adopt_snapshot(&snapshot, facts.clone(), now);
//!     assert_eq!(refused, Err(AdoptError::ComingSoon(method)));
//!
//!     let settings = r#"{ "payment_methods": ["stripe"] }"#;
//!     let policy = Policy::load(serde_json::from_str(settings)?)?;
//!     let adoption = policy.adopt_snapshot(&snapshot, facts.clone(), now)?;
//!     assert_eq!(adoption.freshness(), Freshness::Newer);
//!     let transition = adoption.transition().ok_or("nothing changed")?;
//!     assert_eq!(transition.to(), SubscriptionStatus::Active);
//!
//!     // The invoice of the month was paid.
//!     let payment = ProviderPayment {
//!         provider: Provider::Stripe,
//!         subscription: "sub_1".into(),
//!         reference: Some("9".into()),
//!         invoice: "in_1".into(),
//!         made: now,
//!         received: now,
//!         amount: price,
//!         lines: vec![PaidLine {
//!             key: "il_1".into(),
//!             price: Some("price_1".into()),
//!             quantity: 1,
//!             amount: price,
//!             kind: LineKind::Period(month),
//!         }],
//!     };
//!     let facts = PaymentFacts {
//!         account: facts.account,
//!         subscription: transition.subscription().clone(),
//!         prices,
//!         paid_time: facts.paid_time,
//!         prior: None,
//!     };
//!     let Answer::Fresh(change) = policy.record_provider_payment(&payment, facts, now)? else {
//!         return Err("it was recorded before".into());
//!     };
//!     assert_eq!(change.subscription().row().paid_until, Some(month.end));
//!
//!     // Its credits come by aligning the wallet.
//!     let paid_time = change.paid_time().ok_or("nothing was paid")?.row();
//!     let wallet = Wallet::open(7.into(), now);
//!     let aligned = wallet.align(&paid_time.schedule(), policy.align_terms(), now)?;
//!     let aligned = aligned.ok_or("nothing to align")?;
//!     assert_eq!(aligned.wallet().balance().free, Credits::whole(500));
//!     Ok(())
//! }
//! ```
//!
//! # Types, in the order in which one meets them
//!
//! - `stripe` and `paypal` (with the features of these names): the checks of webhooks' signatures.
//!   They return a [`ProviderEvent`], or a [`WebhookError`].
//! - [`ProviderReport`]: the content of an event: a [`ProviderSnapshot`] with its
//!   [`ProviderItem`]s, a [`ProviderPayment`] with its [`PaidLine`]s and their [`LineKind`]s, a
//!   [`ProviderUndone`] with its [`Undoing`], a [`ProviderCharge`], or the reason why it has no
//!   meaning here, [`Unmapped`].
//! - [`ProviderPrice`]: a plan of the host's, by a price of the provider's.
//! - [`AdoptionFacts`], [`Adoption`], [`AdoptError`]: the facts, the change and the error of
//!   [`Policy::adopt_snapshot`]. [`Freshness`] and [`Plausibility`] explain the change.
//! - [`PaymentFacts`], [`PaymentChange`], [`PaymentError`]: those of
//!   [`Policy::record_provider_payment`]. [`PaidInvoice`] is the row that it inserts; each
//!   [`RecordedLine`] of it has its [`LineOutcome`].
//! - [`UndoneFacts`], [`UndoneChange`], [`UndoneError`]: those of
//!   [`Policy::record_provider_undone`].
//! - [`ProviderChargeFacts`], [`ProviderChargeChange`]: those of [`Policy::record_charge_payment`],
//!   which pays one of the host's own [charges](crate::charge). [`PaidCharge`] is the row that it
//!   inserts.
//!
//! # The order in which a host loads and writes
//!
//! 1. Check the signature over the body's bytes as they came.
//! 2. Begin a transaction. Find the subscription by the provider's identifier; at Stripe, the first
//!    time, by the report's reference, which is the subscription's own identifier. Load it, its
//!    account, its [`PaidTime`](crate::paid_time::PaidTime), and the plans that the report's prices
//!    stand for. For a payment, load the [`PaidInvoice`] by (account, provider, invoice); for an
//!    undoing, find it by (provider, invoice), and the subscription by it. For a payment of a charge, load the charge that
//!    it names, with its account, and the [`PaidCharge`] by (provider, payment). If the report of an
//!    undoing names no invoice, ask the provider for it first.
//! 3. Call the command. [`Answer::Replayed`](crate::change::Answer::Replayed) means that the
//!    payment was recorded before: write nothing.
//! 4. In the same transaction, write every row of the change over its
//!    [`expected_version`](crate::change::RowChange::expected_version), and set the account's plan
//!    where [`Adoption::plan`] names one. Insert the record of a payment. Grant what a pack of credits brings. Where there is paid time
//!    to write, align the wallet with its schedule: [`Wallet::align`](crate::Wallet::align), on
//!    [`Policy::align_terms`](crate::Policy::align_terms). Grant a trial's gift with
//!    [`Wallet::grant_due`](crate::Wallet::grant_due), and note it in the registry where
//!    [`Adoption::starts_trial`] is true. Commit. If a version has moved or a unique key is taken,
//!    roll back and begin again at 2.
//! 5. Answer the webhook with success, and log the reason, where the event is
//!    [`Unmapped`](ProviderReport::Unmapped), where no subscription was found (it is not the
//!    host's), and after every error that [is final](AdoptError::is_final): sent again, it would be
//!    refused again, and a provider gives up an endpoint that refuses for days. Answer with a
//!    failure only what should be sent again: any other error, an undoing of a payment that
//!    [may still be on its way](ProviderUndone::is_early), and a signed event of a shape that
//!    [nobody knows](WebhookError::Malformed), which a corrected service may read.
//! 6. Where [`Adoption::needs_refetch`] is true, fetch the subscription from the provider, and adopt
//!    that. Where an invoice is [`Incomplete`](ProviderReport::Incomplete), fetch it with all of its
//!    lines, and record that, before the webhook is answered with success.
//!
//! The store holds these keys unique: the providers' identifiers of subscriptions, where present,
//! (account, provider, invoice) of paid invoices, and (provider, payment) of paid charges.
//!
//! [`Policy::adopt_snapshot`]: crate::Policy::adopt_snapshot
//! [`Policy::record_provider_payment`]: crate::Policy::record_provider_payment
//! [`Policy::record_charge_payment`]: crate::Policy::record_charge_payment
//! [`Policy::record_provider_undone`]: crate::Policy::record_provider_undone

mod adoption;
mod charge_payment;
mod comparison;
mod error;
mod identity;
mod invoice;
mod line;
mod payment;
#[cfg(feature = "paypal")]
pub mod paypal;
mod placing;
mod plausibility;
mod reckoning;
mod report;
#[cfg(feature = "stripe")]
pub mod stripe;
mod undone;
mod webhook;

pub use adoption::{Adoption, AdoptionFacts};
pub use charge_payment::{PaidCharge, ProviderChargeChange, ProviderChargeFacts};
pub use comparison::Freshness;
pub use error::{AdoptError, PaymentError, UndoneError};
pub use invoice::PaidInvoice;
pub use line::{LineKind, LineOutcome, PaidLine, RecordedLine};
pub use payment::{PaymentChange, PaymentFacts};
pub use placing::ProviderPrice;
pub use plausibility::Plausibility;
pub use report::{
    ProviderCharge, ProviderItem, ProviderPayment, ProviderReport, ProviderSnapshot,
    ProviderUndone, Undoing, Unmapped,
};
pub use undone::{UndoneChange, UndoneFacts};
pub use webhook::{ProviderEvent, WebhookError};
