//! Credit: who pays for an expensive call, decided before the call is made.
//!
//! An account has one [`Wallet`], which is plain data. [Paid time](Wallet::align) and
//! [grants](Wallet::grant) fill it. A
//! [hold](Wallet::hold) sets credits aside for one call, and only a fresh [`Hold`] may run that
//! call; [settling](Wallet::settle) the hold charges the real cost and gives the rest back. Every
//! command takes the wallet by value, advances it to `now`, and returns either the [`Change`] that
//! the host writes, or the answer that the same command gave before.
//!
//! # The order of reading and writing
//!
//! The host must do every command in this order:
//!
//! 1. Begin a transaction. Read the wallet ([`Wallet::open`] if there is no row), and after it the
//!    outcome under the command's key. In the other order, another request could write both in
//!    between, and the command would see the new wallet without its outcome.
//! 2. Call the command.
//! 3. If the answer is [`Replayed`](crate::change::Answer::Replayed), there is nothing to write. If
//!    it is [`Fresh`](crate::change::Answer::Fresh), write all of the change:
//!    - the [wallet](Change::wallet), only if the stored row still has
//!      [`expected_version`](Change::expected_version) (0: insert it);
//!    - the [entries](Change::entries), appended under UNIQUE (account, sequence);
//!    - the [outcome](Change::outcome), if there is one, under UNIQUE (account, key).
//! 4. Commit. If the version has moved on or a unique key is taken, roll back and begin again at 1:
//!    another request was first, and the command must see what it wrote.
//!
//! Take the [result](Change::into_result), such as the hold, only after the commit.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use bailiwick::account::AccountStatus;
//! use bailiwick::change::Answer;
//! use bailiwick::chrono::{DateTime, TimeDelta};
//! use bailiwick::credit::{Change, HoldRequest, LedgerEntry, Outcome, PriceList, Replayed};
//! use bailiwick::money::Currency;
//! use bailiwick::paid_time::{BilledPeriod, Fact, Grid, PaidTime, Span};
//! use bailiwick::payment_method::PaymentMethod;
//! use bailiwick::period::Interval;
//! use bailiwick::subscription::{Effect, RecordedPayment};
//! use bailiwick::{Account, Credits, Money, Plan, Policy, Principal, Subscription, Tenant, Wallet};
//! use bailiwick::validate_account_and_plan;
//!
//! /// The three tables of a host, in memory.
//! struct Store {
//!     wallet: Wallet,
//!     ledger: Vec<LedgerEntry>,
//!     outcomes: BTreeMap<String, Outcome>,
//! }
//!
//! impl Store {
//!     /// Step 1: the wallet, then the outcome of the key.
//!     fn read(&self, key: &str) -> (Wallet, Option<Outcome>) {
//!         (self.wallet.clone(), self.outcomes.get(key).cloned())
//!     }
//!
//!     /// Steps 3 and 4: all of the change, or nothing of it if another request was first.
//!     fn write<T>(&mut self, change: &Change<T>) -> Result<(), &'static str> {
//!         if self.wallet.version() != change.expected_version() {
//!             return Err("begin again");
//!         }
//!
//!         self.wallet = change.wallet().clone();
//!         self.ledger.extend_from_slice(change.entries());
//!         if let Some(write) = change.outcome() {
//!             let outcome = write.outcome().clone();
//!             self.outcomes.insert(outcome.key().to_owned(), outcome);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let now = DateTime::UNIX_EPOCH;
//!     let method = PaymentMethod::BankTransfer;
//!     let plan = Plan {
//!         credits: Credits::whole(500),
//!         ..Plan::new(3.into(), Money::new("49".parse()?, Currency::EUR)?, Interval::MONTHLY)
//!     };
//!
//!     // A month is paid for by a payment of the host's own.
//!     let (interval, slack) = (plan.interval, TimeDelta::zero());
//!     let payment = RecordedPayment { interval, slack, method, external_id: None };
//!     let paid = Subscription::new(1.into(), 7.into(), 3.into(), method, now)
//!         .record_payment(payment, now)?;
//!
//!     // Its time is recorded, and the wallet takes its credits from that.
//!     let mut paid_time = PaidTime::new(7.into(), 1.into());
//!     for effect in paid.effects() {
//!         let Effect::PeriodPaid { period } = effect else { continue };
//!         let span = Span {
//!             key: "payment-1".into(),
//!             payment: "payment-1".into(),
//!             period: BilledPeriod::Whole(*period),
//!             from: period.start,
//!             grid: Grid::of_plan(&plan),
//!             amount: plan.credits,
//!             made: now,
//!             received: now,
//!         };
//!         if let Some(change) = paid_time.clone().record([Fact::Span(span)])? {
//!             paid_time = change.into_row();
//!         }
//!     }
//!     let paid = paid.with_paid_until(paid_time.paid_until());
//!
//!     let wallet = Wallet::open(7.into(), now);
//!     let mut store = Store { wallet, ledger: Vec::new(), outcomes: BTreeMap::new() };
//!     let terms = Policy::default().align_terms();
//!     if let Some(change) = store.wallet.clone().align(&paid_time.schedule(), terms, now)? {
//!         store.write(&change)?;
//!     }
//!     assert_eq!(store.wallet.balance().available(), Credits::whole(500));
//!
//!     // A request comes, and the gate admits it.
//!     let tenant = Tenant {
//!         plan: Some(plan.into()),
//!         subscription: Some(paid.subscription().clone()),
//!         ..Tenant::new(Account::new(7.into(), AccountStatus::Active, method))
//!     };
//!     let principal = Principal::session(2.into()).of_account(7.into());
//!     let access = validate_account_and_plan(&principal, Some(&tenant), now)?;
//!
//!     // It may write 100 words, so the price of these is held for two minutes.
//!     let prices: PriceList =
//!         serde_json::from_str(r#"{ "article": { "base": "1", "per_unit": "0.02" } }"#)?;
//!     let quote = prices.quote("article", 100)?;
//!     let request = HoldRequest::new("request-1".parse()?, quote, TimeDelta::minutes(2));
//!     let key = Outcome::spend_key(&request.key);
//!
//!     let (wallet, prior) = store.read(&key);
//!     let Answer::Fresh(change) = wallet.hold(&access, &request, prior.as_ref(), now)? else {
//!         return Ok(()); // the request was sent before
//!     };
//!     store.write(&change)?;
//!     let hold = change.into_result(); // committed: now the call may be made
//!     assert_eq!(hold.amount(), Credits::whole(3));
//!
//!     // The call wrote 75 words; the rest of the hold goes back.
//!     let cost = prices.quote("article", 75)?.price();
//!     let (wallet, prior) = store.read(&key);
//!     if let Answer::Fresh(change) = wallet.settle(&hold, cost, prior.as_ref(), now)? {
//!         store.write(&change)?;
//!     }
//!     assert_eq!(store.wallet.balance().spent, "2.5".parse()?);
//!
//!     // The same request again finds what became of the first, and cannot make the call.
//!     let (wallet, prior) = store.read(&key);
//!     let again = wallet.hold(&access, &request, prior.as_ref(), now)?;
//!     assert!(matches!(again, Answer::Replayed(Replayed::Settled(_))));
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//!
//! | | |
//! |---|---|
//! | [`Wallet`], [`Balance`] | an account's credits, and where they are |
//! | [`Change`], [`LedgerEntry`], [`Event`], [`OutcomeWrite`], [`Outcome`] | what a command writes |
//! | [`DueGrant`], [`DueRevocation`] | credits that a trial, a top-up or a refund elsewhere makes due or takes back |
//! | [`ConversionFacts`], [`Conversion`], [`ConversionError`] | the way over from credits that were granted month by month |
//! | [`Cause`], [`CauseKind`], [`GrantTerms`], [`Rollover`], [`Grant`] | a grant: why, on which terms, as recorded |
//! | [`AlignTerms`], [`Alignment`], [`BeforeMemory`], [`WindowKey`] | credits that paid time brings: [`Wallet::align`] |
//! | [`PriceList`], [`Price`], [`Tier`], [`Rounding`], [`Quote`] | the cost of an operation |
//! | [`IdempotencyKey`], [`HoldRequest`], [`DeductRequest`] | a request to spend |
//! | [`Hold`], [`HoldRecord`], [`Slice`] | the proof that credits are set aside, and the stored record of it |
//! | [`Allowance`] | a hold that one node draws down in memory |
//! | [`Receipt`], [`Ended`], [`Replayed`], [`Revocation`] | the answers of settling, releasing, repeating and taking back |
//! | [`LedgerStatement`] | where the credits went in a period |
//! | [`WalletError`] | a fault of the wallet or of what was loaded beside it, within every command's own error: [`GrantError`], [`HoldError`], [`SettleError`], [`ReleaseError`], [`RefundError`], [`RevokeError`], [`AlignError`] |
//! | [`CauseError`], [`PriceError`], [`IdempotencyKeyError`], [`AllowanceError`], [`ReplayError`], [`LedgerError`], [`LedgerFault`] | the errors of the other types |

mod align;
mod allotment;
mod allowance;
mod apply;
mod balance;
mod boundary;
mod change;
mod conversion;
mod draft;
mod due;
mod ending;
mod error;
mod event;
mod funds;
mod gift;
mod grant;
mod granting;
mod hold;
mod key;
mod ledger;
mod life;
mod outcome;
mod price;
mod recurring;
mod refund;
mod request;
mod revocation;
mod settlement;
mod spending;
mod statement;
mod stored;
mod sums;
mod wallet;

pub use align::{AlignError, Alignment, BeforeMemory};
pub use allowance::{Allowance, AllowanceError};
pub use balance::Balance;
pub use change::Change;
pub use conversion::{Conversion, ConversionError, ConversionFacts};
pub use due::{DueGrant, DueRevocation};
pub use ending::ReleaseError;
pub use error::WalletError;
pub use event::Event;
pub use grant::{Cause, CauseError, CauseKind, Grant, GrantTerms, Rollover};
pub use granting::GrantError;
pub use hold::{Hold, HoldRecord, Slice};
pub use key::{IdempotencyKey, IdempotencyKeyError};
pub use ledger::{LedgerEntry, LedgerError, LedgerFault};
pub use outcome::{Ended, Outcome, OutcomeWrite, Receipt, ReplayError, Replayed, Revocation};
pub use price::{Price, PriceError, PriceList, Quote, Rounding, Tier};
pub use recurring::{AlignTerms, WindowKey};
pub use refund::RefundError;
pub use request::{DeductRequest, HoldRequest};
pub use revocation::RevokeError;
pub use settlement::SettleError;
pub use spending::HoldError;
pub use statement::LedgerStatement;
pub use wallet::Wallet;
