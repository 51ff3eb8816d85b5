//! Charges: what an account owes, what its payment brings, and how it was reckoned.
//!
//! A [`Charge`] is a row. It is opened for an upgrade, for the next period of a subscription or for a
//! pack of credits, and is then open, paid or void. A bank transfer pays it by its
//! [reference](Charge::reference): see [`TransferFacts::charge`]. A provider's payment pays it by its
//! identifier. Until then an upgrade
//! changes no plan, unless the policy says otherwise, and no charge brings credits.
//!
//! A change to a smaller plan at once owes nothing. It is on record as a charge that is paid from the
//! start, and what it leaves over is for the account's deposit.
//!
//! # First program
//!
//! ```
//! use std::sync::Arc;
//!
//! use bailiwick::account::AccountStatus;
//! use bailiwick::change::Answer;
//! use bailiwick::charge::PlanChangeFacts;
//! use bailiwick::money::Currency;
//! use bailiwick::paid_time::PaidTime;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::subscription::SubscriptionStatus;
//! use bailiwick::{
//!     Account, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant, admit,
//! };
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Basic costs 30 EUR a month and is paid for June. Pro costs 90 EUR.
//!     let euros = |text: &str| Money::new(text.parse().unwrap_or_default(), Currency::EUR);
//!     let basic = Plan::new(3.into(), euros("30")?, Interval::MONTHLY);
//!     let pro = Plan::new(4.into(), euros("90")?, Interval::MONTHLY);
//!     let june = "2027-06-01T00:00:00Z".parse()?;
//!     let method = PaymentMethod::BankTransfer;
//!     let account = Account::new(7.into(), AccountStatus::Active, method);
//!     let subscription = Subscription {
//!         status: SubscriptionStatus::Active,
//!         current_period: Interval::MONTHLY.period(june, 0),
//!         ..Subscription::new(1.into(), 7.into(), 3.into(), method, june)
//!     };
//!
//!     // On the 21st, a member of the account asks for Pro.
//!     let now = "2027-06-21T00:00:00Z".parse()?;
//!     let payer = Evidence::Verified(Principal::session(2.into()).of_account(7.into()));
//!     let tenant = Tenant::new(account.clone());
//!     let admitted = admit(Route::Billing, &payer, Some(&tenant), now).into_result()?;
//!     let access = admitted.into_billing()?;
//!
//!     let facts = PlanChangeFacts {
//!         account,
//!         subscription,
//!         from: Arc::new(basic),
//!         to: Arc::new(pro),
//!         paid_time: PaidTime::new(7.into(), 1.into()),
//!         prior: None,
//!     };
//!     let answer = Policy::default().open_upgrade(&access, 50.into(), facts, now)?;
//!     let Answer::Fresh(opened) = answer else {
//!         return Ok(()); // the same charge was opened before
//!     };
//!
//!     // Ten of June's thirty days are left.
//!     let charge = opened.charge().row();
//!     assert_eq!(charge.amount, euros("20")?);
//!     assert_eq!(charge.reference(), "CH-50");
//!     assert_eq!(
//!         charge.to_string(),
//!         "20 EUR: 30 EUR for plan 4 from 2027-06-21 to 2027-07-01, \
//!          less 10 EUR of plan 3 not used"
//!     );
//!
//!     // The plan changes when the charge is paid, and the price holds until June ends.
//!     assert_eq!(opened.plan(), None);
//!     assert_eq!(charge.valid_until.to_string(), "2027-07-01 00:00:00 UTC");
//!     Ok(())
//! }
//! ```
//!
//! # The order in which a host loads and writes
//!
//! 1. Begin a transaction, and load the charge by its identifier, and every row that the command's
//!    facts name.
//! 2. Call the command. [`Answer::Replayed`](crate::change::Answer::Replayed) means that it was
//!    carried out before: write nothing.
//! 3. In the same transaction, insert the charge, and write every other row of the change over its
//!    [`expected_version`](crate::change::RowChange::expected_version). Where the change names a
//!    plan, set the account's to it. Where it has paid time, write that, and then the wallet that
//!    [`Wallet::align`] returns for its schedule. What a downgrade leaves over goes to the account's
//!    deposit: write the row that [`Deposit::with_credited`] returns. Commit.
//! 4. If a version has moved or a unique key is taken, roll back and begin again at 1.
//!
//! The store holds two keys unique over all accounts: the identifier of a charge, and its
//! [reference](Charge::reference).
//!
//! # What a payment does
//!
//! - An upgrade changes the plan, and brings the new plan's credits from the instant of the quote on,
//!   for the days that are left of each month.
//! - A period opens, and brings its credits month by month.
//! - A pack of credits is granted once, for a term of its own.
//! - Money for a charge that was paid before or is void, money that comes when the charge is no
//!   longer valid, and money for an upgrade whose subscription is no longer what was quoted for, are
//!   kept as the account's deposit, and change nothing else: [`NotPayable`].
//!
//! # The types, in the order in which one meets them
//!
//! | type | what it is |
//! |---|---|
//! | [`PlanChangeFacts`], [`NextPeriodFacts`], [`CreditPack`] | what a host loads for [`Policy::open_upgrade`] and [`Policy::downgrade_now`], for [`Policy::open_period`], and for [`Policy::open_credit_pack`] and [`Policy::open_auto_top_up`] |
//! | [`Charge`], [`ChargeState`] | the row that a host stores: [`Charge::withdraw`], [`Charge::void`] |
//! | [`ChargeFor`], [`PlanChange`], [`QuotedTime`], [`NextPeriod`] | its purpose, as it was quoted |
//! | [`ChargeOpened`], [`DowngradeChange`] | what a command changes, to be written whole |
//! | [`ChargeError`], [`DowngradeError`], [`VoidError`] | why a command is refused |
//! | [`NotPayable`] | why money does not pay a charge |
//!
//! [`Policy::open_upgrade`]: crate::Policy::open_upgrade
//! [`Policy::downgrade_now`]: crate::Policy::downgrade_now
//! [`Policy::open_period`]: crate::Policy::open_period
//! [`Policy::open_credit_pack`]: crate::Policy::open_credit_pack
//! [`Policy::open_auto_top_up`]: crate::Policy::open_auto_top_up
//! [`Wallet::align`]: crate::Wallet::align
//! [`TransferFacts::charge`]: crate::bank_transfer::TransferFacts::charge
//! [`Deposit::with_credited`]: crate::bank_transfer::Deposit::with_credited

mod downgrade;
mod error;
mod opening;
mod payment;
mod purpose;
mod quote;
mod row;
mod spans;
#[cfg(test)]
mod tests;
mod void;
mod windows;

pub use downgrade::DowngradeChange;
pub use error::{ChargeError, DowngradeError, NotPayable, VoidError};
pub use opening::{ChargeOpened, NextPeriodFacts};
pub(crate) use payment::{ChargePaid, ChargePayment, ChargePaymentFacts};
pub use purpose::{ChargeFor, CreditPack, NextPeriod, PlanChange, QuotedTime};
pub use quote::PlanChangeFacts;
pub use row::{Charge, ChargeState};
