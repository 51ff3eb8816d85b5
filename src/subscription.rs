//! Subscriptions: which plan an account pays for, up to when, and what each command makes of that.
//!
//! A host stores a [`Subscription`]. A customer, an operator or the host's own job gives it a
//! [`Command`]; one table, [`transition`], says which status each command leads to from each
//! status, and refuses the rest with a reason. The answer is a [`Transition`]: the row to write,
//! the version that it must be written over, and its [`Effect`]s on the rows beside it.
//!
//! ```
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::subscription::{Command, Effect, RecordedPayment, SubscriptionStatus};
//! use bailiwick::{Policy, Subscription};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let policy = Policy::default();
//!     let method = PaymentMethod::BankTransfer;
//!     let june = "2027-06-01T00:00:00Z".parse()?;
//!     // Subscription 1 of account 7 to plan 3. The host inserts it.
//!     let subscription = Subscription::new(1.into(), 7.into(), 3.into(), method, june);
//!
//!     // The first payment arrives.
//!     let payment = RecordedPayment {
//!         interval: Interval::MONTHLY,
//!         slack: policy.longest_admission(),
//!         method,
//!         external_id: Some("transfer-1".to_owned()),
//!     };
//!     let transition = subscription.apply(Command::Activate(payment), june)?;
//!     assert_eq!(transition.to(), SubscriptionStatus::Active);
//!     assert!(transition.effects().any(|effect| *effect == Effect::ServiceStarted));
//!
//!     // UPDATE subscriptions SET … WHERE id = 1 AND version = 1
//!     let change = transition.into_change();
//!     assert_eq!((change.expected_version(), change.row().version), (1, 2));
//!
//!     // A month later nothing more was paid, and a job looks at what time has made due.
//!     let july = "2027-07-02T00:00:00Z".parse()?;
//!     let due = policy.advance_subscription(change.row(), &[], july);
//!     let reached: Vec<_> = due.iter().map(|transition| transition.to()).collect();
//!     assert_eq!(reached, [SubscriptionStatus::PastDue, SubscriptionStatus::Unpaid]);
//!     Ok(())
//! }
//! ```
//!
//! # The order that a host keeps
//! 1. Load the subscription and its account.
//! 2. Carry out what time has made due: [`Policy::advance_subscription`], with the plans that the
//!    subscription names: [`Subscription::plan`] and [`Subscription::pending_plan`]. The gate
//!    looks at the clock too, so nobody is let in for want of a job; but grace for a renewal that is
//!    past due begins only once *past due* is written, and a command must find the subscription as
//!    it is by now.
//! 3. Apply the command. A refusal changes nothing.
//! 4. In one transaction, write the subscription over [`Transition::expected_version`], the account
//!    if [`Account::after`] says so, and what the [effects](Effect) ask for, such as the
//!    account's plan where it changed.
//! 5. In the same transaction, record in the subscription's paid time the period that was paid, of
//!    [`Effect::PeriodPaid`], and [`Transition::stop`], if there is one. Write its [`PaidTime::paid_until`] by [`Transition::with_paid_until`], and
//!    [align](crate::credit::Wallet::align) the wallet.
//! 6. If a version does not match, somebody else wrote in between: begin again at 1.
//!
//! # Plans without a price
//! Such a plan needs no payment: it starts, renews and ends by time. A change to it at the period's
//! end happens then, by time alone. Money that comes while such a change waits pays for no period: it
//! is the account's deposit, and the customer who wants to stay withdraws the change, which lets the
//! deposit pay. A change from it to a plan with a price waits for the first payment, whose period
//! begins with it; until then the plan without a price serves. The gate knows all of this without a
//! job: see [`Tenant::next_plan`].
//!
//! A payment is recorded once. Whether it was received, and whether it was counted before, is
//! settled before it comes here: see [`bank_transfer`](crate::bank_transfer) and
//! [`provider`](crate::provider), which call this module themselves.
//!
//! # The types, in the order in which one meets them
//!
//! | type | what it is |
//! |---|---|
//! | [`Subscription`], [`SubscriptionStatus`], [`PendingPlan`], [`UnpaidPlan`] | the row that a host stores |
//! | [`Command`], [`RecordedPayment`] | what is asked for: [`Subscription::apply`], [`Subscription::record_payment`] |
//! | [`transition`], [`CommandKind`] | the table: which status a command leads to from which |
//! | [`Transition`], [`Effect`] | the answer: the row to write, and what follows from it |
//! | [`Refusal`], [`RefusalReason`] | the other answer: why nothing changes |
//! | [`Proration`], [`ProrationError`] | the price of changing the plan within a period: [`Subscription::prorate`] |
//! | [`Resubscription`], [`Succession`], [`SuccessionError`] | a new subscription after one that has ended: [`Policy::resubscribe`] |
//!
//! [`PaidTime::paid_until`]: crate::paid_time::PaidTime::paid_until
//! [`Tenant::next_plan`]: crate::tenant::Tenant::next_plan
//! [`Account::after`]: crate::account::Account::after
//! [`Policy::advance_subscription`]: crate::policy::Policy::advance_subscription
//! [`Policy::resubscribe`]: crate::policy::Policy::resubscribe

mod account;
mod answer;
mod apply;
mod command;
mod due;
mod effect;
mod facts;
mod free;
mod paying;
mod plan_change;
mod proration;
mod status;
mod stored;
mod succession;
mod table;

pub use answer::{Refusal, Transition};
pub use command::{Command, RecordedPayment};
pub use effect::Effect;
pub use facts::{PendingPlan, Subscription, UnpaidPlan};
pub use proration::{Proration, ProrationError};
pub use status::SubscriptionStatus;
pub use succession::{Resubscription, Succession, SuccessionError};
pub use table::{CommandKind, RefusalReason, transition};
