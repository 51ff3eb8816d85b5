//! Bank transfers: a tenant claims one, an operator confirms it against the bank's statement, and
//! the money becomes paid time, whose credits follow, and a row in a registry that spans all tenants.
//! Each step is one change set, to be written whole or not at all.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bailiwick::account::AccountStatus;
//! use bailiwick::bank_transfer::{
//!     AfterRefund, BankTransfer, ClaimRequest, ConfirmedTransfer, RefundFacts, TransferFacts,
//!     TransferRefund,
//! };
//! use bailiwick::change::Answer;
//! use bailiwick::money::Currency;
//! use bailiwick::paid_time::PaidTime;
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::right::{Privilege, Privileges};
//! use bailiwick::{
//!     Account, Credits, Evidence, Money, Plan, Policy, Principal, Route, Subscription, Tenant,
//!     Wallet, admit,
//! };
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = "2027-06-01T00:00:00Z".parse()?;
//!     let policy = Policy::default();
//!     let price = Money::new("49".parse()?, Currency::EUR)?;
//!     let method = PaymentMethod::BankTransfer;
//!     let account = Account::new(7.into(), AccountStatus::PendingPayment, method);
//!     let subscription = Subscription::new(9.into(), 7.into(), 3.into(), method, now);
//!
//!     // Claim: the tenant, who still owes, announces a transfer.
//!     let payer = Evidence::Verified(Principal::session(1.into()).of_account(7.into()));
//!     let tenant = Tenant::new(account.clone());
//!     let admitted = admit(Route::Billing, &payer, Some(&tenant), now).into_result()?;
//!     let access = admitted.into_billing()?;
//!     let proof = "https://wayne.example/receipts/7";
//!     let request = ClaimRequest::new("inv-7".parse()?, price, "Wayne Ltd", proof)?;
//!     let Answer::Fresh(claim) = policy.submit_claim(&access, request, None, now)? else {
//!         return Ok(()); // the same claim was submitted before
//!     };
//!
//!     // Confirm: an operator, who belongs to another account, finds it on the bank's statement.
//!     let privilege = Privilege::ConfirmPayments;
//!     let privileges = Privileges::from_iter([privilege]);
//!     let clerk = Principal::session(2.into()).of_account(1.into()).with_privileges(privileges);
//!     let clerk = Evidence::Verified(clerk);
//!     let service = Account::new(1.into(), AccountStatus::Active, method);
//!     let service = Tenant::new(Account { privileges, ..service });
//!     let route = Route::Operator(privilege);
//!     let admitted = admit(route, &clerk, Some(&service), now).into_result()?;
//!     let operator = admitted.into_operator()?;
//!
//!     let proof = "https://bank.example/statements/1";
//!     let receiver = "DE02 1203 0000".parse()?;
//!     let booked_on = "2027-05-31".parse()?;
//!     let transaction = "tx-1".parse()?;
//!     let transfer =
//!         BankTransfer::new(receiver, transaction, booked_on, price, "Wayne Ltd", proof)?;
//!     let facts = TransferFacts {
//!         account,
//!         // It names no charge, so it pays for the plan.
//!         charge: None,
//!         plan: Arc::new(Plan {
//!             credits: Credits::whole(500),
//!             ..Plan::new(3.into(), price, Interval::MONTHLY)
//!         }),
//!         // Nothing is stored for this subscription yet.
//!         paid_time: Some(PaidTime::new(7.into(), 9.into())),
//!         subscription: Some(subscription),
//!         deposit: None,
//!         claim: Some(claim.into_row()),
//!         prior: Vec::new(),
//!     };
//!     let confirmed = policy.confirm_bank_transfer(&operator, &transfer, facts, now)?;
//!     let Answer::Fresh(paid) = confirmed else {
//!         return Ok(()); // the same transfer was confirmed before
//!     };
//!     assert_eq!(paid.account().row().status, AccountStatus::Active);
//!     assert_eq!(paid.record().periods, 1);
//!
//!     // The wallet follows what was paid, in the same transaction.
//!     let paid_time = paid.paid_time().ok_or("a period was opened")?.row();
//!     let wallet = Wallet::open(7.into(), now);
//!     let aligned = wallet.align(&paid_time.schedule(), policy.align_terms(), now)?;
//!     let wallet = aligned.ok_or("it brings credits")?.wallet().clone();
//!     assert_eq!(wallet.balance().free, Credits::whole(500));
//!
//!     // Refund: the money went back to the payer, and the service that it had paid for ends.
//!     let facts = RefundFacts {
//!         record: paid.record().clone(),
//!         subscription: paid.subscription().map(|change| change.row().clone()),
//!         deposit: None,
//!         paid_time: Some(paid_time.clone()),
//!     };
//!     let refund = TransferRefund { total: price, then: AfterRefund::EndService };
//!     let Answer::Fresh(ended) = ConfirmedTransfer::refund(&operator, refund, facts, now)? else {
//!         return Ok(()); // the same refund was recorded before
//!     };
//!     assert_eq!(ended.record().row().taken_back, price);
//!
//!     // It went back at once, so nothing was paid, and the credits go too.
//!     let paid_time = ended.paid_time().ok_or("time was given back")?.row();
//!     let aligned = wallet.align(&paid_time.schedule(), policy.align_terms(), now)?;
//!     let wallet = aligned.ok_or("it takes credits back")?.wallet().clone();
//!     assert_eq!(wallet.balance().free, Credits::ZERO);
//!     Ok(())
//! }
//! ```
//!
//! # Types, in the order in which one meets them
//!
//! | step | command | request and facts | stored row | change to write | error |
//! |---|---|---|---|---|---|
//! | claim | [`Policy::submit_claim`], [`Policy::record_claim`], [`Claim::reject`] | [`ClaimRequest`] | [`Claim`] with its [`ClaimState`] | the claim itself | [`ClaimError`] |
//! | confirm | [`Policy::confirm_bank_transfer`] | [`BankTransfer`], [`TransferFacts`] | [`ConfirmedTransfer`] | [`TransferChange`] | [`ConfirmError`] |
//! | refund | [`ConfirmedTransfer::refund`] | [`TransferRefund`] with [`AfterRefund`], [`RefundFacts`] | the same | [`TransferRefundChange`] | [`TransferRefundError`] |
//! | retract | [`ConfirmedTransfer::retract`] | [`RetractionFacts`] | the same, with its [`TransferUndo`] | [`RetractionChange`] | [`RetractionError`] |
//! | deposit | [`Policy::apply_deposit`] | [`DepositFacts`] | [`Deposit`] | [`DepositChange`] | [`ConfirmError`] |
//!
//! [`BankReference`] is the one form of every identifier that comes from a bank, and
//! [`TransferError`] says which fact of a claim or transfer is malformed.
//!
//! # The order in which a host loads and writes
//!
//! 1. Begin a transaction, and load every row that the command's facts name. Look the claim up by
//!    (account, reference), the charge that the transfer names or whose reference it carries, all
//!    confirmed transfers of a (receiving account, transaction) over all
//!    tenants, the deposit by account, and paid time by (account, subscription).
//! 2. Call the command. [`Answer::Replayed`](crate::change::Answer::Replayed) means that it was
//!    carried out before: write nothing.
//! 3. In the same transaction, write every row of the change over its
//!    [`expected_version`](crate::change::RowChange::expected_version), where 0 means to insert it,
//!    and set the account's plan to the one that the change names. Insert the record of a confirmed
//!    transfer. If the change names paid time, write it, and set the wallet to it with
//!    [`Wallet::align`]. Grant what a top-up or a pack brings with [`Wallet::grant_due`], and take it back with
//!    [`Wallet::revoke_due`]. Commit.
//! 4. If a version has moved or a unique key is taken, roll back and begin again at 1.
//! 5. After the commit, end the subscription that [`ConfirmedTransfer::ends_at_provider`] names, or
//!    the provider goes on charging for it.
//!
//! The store holds these keys unique: (account, reference) of claims; (receiving account,
//! transaction, booking date, retractions) of confirmed transfers, over all tenants, where a record
//! of before there were booking dates has an empty one; (account) of deposits; and (account,
//! subscription) of paid time.
//!
//! That key does not see two confirmations of one transfer under two dates, for two accounts, at
//! the same instant. So let confirmations of one identifier wait for each other: by serializable
//! transactions, or by a lock such as PostgreSQL's `pg_advisory_xact_lock` on a hash of (receiving
//! account, transaction), taken before step 1.
//!
//! # One transfer, or two
//!
//! Banks use an identifier again, and operators mistype dates. So of an identifier at one receiving
//! account, a transfer with the booking date of a confirmed one is the same, and one of a day at most
//! ten days away is [refused](ConfirmError::Similar) until the operator says that it is
//! [another](BankTransfer::different_from). One of any other day is another: an execution of a
//! standing order. A record of before there were booking dates may be of any day.
//!
//! # A transfer that names a charge
//!
//! It pays that [charge](crate::charge), with the deposit before it, and never the plan's period: see
//! [`TransferFacts::charge`]. The charge counts as reached within the policy's tolerance. Money for a
//! charge that is void, paid, no longer valid on the day on which the transfer was booked, not
//! reached, or no longer what was quoted is kept as the deposit: nothing else changes, and
//! [`TransferChange::not_payable`] says why.
//!
//! # Money that never came
//!
//! A transfer that bounced, or was confirmed for the wrong account, is
//! [retracted](ConfirmedTransfer::retract), not refunded: its time is void, and the account's other
//! rows are as they were before, unless somebody has changed them since. Credits that were spent
//! become a debt. The record stays; the next confirmation of the same transfer counts one
//! [retraction](ConfirmedTransfer::retractions) more, and its periods and credits have keys of their
//! own. A charge that it had paid is open again.
//!
//! # Accounting
//!
//! Everything that arrives is accounted for to the cent. Over all confirmed transfers of an
//! account that were not retracted, and its deposit, these two sums are equal after every command:
//!
//! - received: [`BankTransfer::amount`] less [`ConfirmedTransfer::refunded`], plus
//!   [`ConfirmedTransfer::written_off`], plus [`Deposit::credited`], which is what changes to a
//!   smaller plan left over: see [`Deposit::with_credited`];
//! - used: [`ConfirmedTransfer::applied`] less [`ConfirmedTransfer::taken_back`], plus
//!   [`ConfirmedTransfer::noted`], plus [`Deposit::applied`] and [`Deposit::amount`].
//!
//! [`Policy::submit_claim`]: crate::Policy::submit_claim
//! [`Policy::record_claim`]: crate::Policy::record_claim
//! [`Policy::confirm_bank_transfer`]: crate::Policy::confirm_bank_transfer
//! [`Policy::apply_deposit`]: crate::Policy::apply_deposit
//! [`Wallet::align`]: crate::Wallet::align
//! [`Wallet::grant_due`]: crate::Wallet::grant_due
//! [`Wallet::revoke_due`]: crate::Wallet::revoke_due

mod allotment;
mod charge_payment;
mod claim;
mod claim_request;
mod confirmation;
mod deposit;
mod deposit_payment;
mod ending;
mod error;
mod look_up;
mod opening;
mod record;
mod refund;
mod refund_error;
mod retraction;
mod retraction_error;
mod rows;
mod transfer;
mod transfer_change;
mod undo;

pub use claim::{Claim, ClaimError, ClaimState};
pub use claim_request::ClaimRequest;
pub use deposit::Deposit;
pub use deposit_payment::{DepositChange, DepositFacts};
pub use error::ConfirmError;
pub use record::ConfirmedTransfer;
pub use refund::{AfterRefund, RefundFacts, TransferRefund, TransferRefundChange};
pub use refund_error::TransferRefundError;
pub use retraction::{RetractionChange, RetractionFacts};
pub use retraction_error::RetractionError;
pub use transfer::{BankReference, BankTransfer, TransferError};
pub use transfer_change::{TransferChange, TransferFacts};
pub use undo::TransferUndo;
