//! The policy holds the choices of a host, under which the other modules of this crate decide.
//!
//! The choices are checked once, when they are loaded. The default is the strictest, and a host
//! loosens it in the open.
//!
//! # First program
//! ```
//! use bailiwick::policy::PolicySettings;
//! use bailiwick::{Evidence, Policy, Route};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Written in a file of the host's. A field that is left out has the strictest value.
//!     let settings: PolicySettings = serde_json::from_str(
//!         r#"{
//!             "renewal_slack_seconds": 3600,
//!             "past_due_grace": { "seconds": 604800, "mode": "read_only" },
//!             "payment_methods": ["stripe", "bank_transfer"]
//!         }"#,
//!     )?;
//!     let policy = Policy::load(settings)?;
//!
//!     // From then on, the host asks the policy.
//!     let now = "2026-01-01T00:00:00Z".parse()?;
//!     let decision = policy.admit(Route::Public, &Evidence::Nothing, None, now);
//!     assert_eq!(decision.label(), "admitted");
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//! | type | role |
//! |---|---|
//! | [`PolicySettings`] | the policy as it is written down, in JSON, TOML or code |
//! | [`Policy`] | the settings, checked: the root of most decisions |
//! | [`PolicyError`] | everything that is wrong with the settings, by field |
//! | [`GraceSettings`], [`GraceMode`] | the grace period while a payment is past due |
//! | [`CreditPolicy`], [`Overage`], [`LateSettle`] | the rules for wallets |
//! | [`Overpayment`] | the use of what a bank transfer brings above the price |
//! | [`Upgrades`] | the instant at which an upgrade takes effect |
//! | [`AfterTrial`], [`AfterRetries`] | the end of a trial, and of a subscription, without a payment |
//! | [`FailureMode`] | a throttle scope whose rate state cannot be known |
//! | [`ThrottleBypass`] | the one way past the throttle, in development only |
//!
//! # The methods of `Policy`, by module
//! Most of the crate's decisions are methods of [`Policy`]. Each is defined in the module that it
//! belongs to.
//!
//! | module | method | purpose |
//! |---|---|---|
//! | policy | [`load`](Policy::load) | Checks settings, and makes the policy. |
//! | | [`renewal_slack`](Policy::renewal_slack) | Returns the time for which a tenant is still admitted after a paid period. |
//! | | [`longest_admission`](Policy::longest_admission) | Returns the slack, or the grace period if that is longer. |
//! | | [`is_enabled`](Policy::is_enabled) | Returns true if a payment method is enabled. |
//! | | [`takes_claims`](Policy::takes_claims) | Returns true if tenants may claim bank transfers themselves. |
//! | | [`first_payment`](Policy::first_payment) | Returns the time that a subscription waits for its first payment. |
//! | | [`dispute_time`](Policy::dispute_time) | Returns the time for which a payment may still be disputed. |
//! | | [`charge_validity`](Policy::charge_validity) | Returns the time for which a charge can be paid. |
//! | | [`upgrades`](Policy::upgrades) | Returns the instant at which an upgrade takes effect. |
//! | | [`after_trial`](Policy::after_trial) | Returns the end of a trial without a payment. |
//! | | [`after_grace`](Policy::after_grace) | Returns the end of a subscription after the grace period. |
//! | | [`failure_mode`](Policy::failure_mode) | Returns the behaviour of a throttle scope whose rate state cannot be known. |
//! | | [`bypass_throttle`](Policy::bypass_throttle) | Makes the permission to pass the throttle, in development only. |
//! | [gate](crate::gate) | [`validate_account_and_plan`](Policy::validate_account_and_plan) | Decides whether a principal may act for a tenant. |
//! | | [`admit`](Policy::admit) | Decides about a whole request: its route, its credential and its tenant. |
//! | [throttle](crate::throttle) | [`pass_uncounted`](Policy::pass_uncounted) | Decides about a request while the shared rate state cannot be read. |
//! | [credit](crate::credit) | [`align_terms`](Policy::align_terms) | Returns the terms on which a wallet takes credits from paid time. |
//! | | [`free_credits_due`](Policy::free_credits_due) | Returns the credits that a free plan gives in the window that runs. |
//! | | [`convert_subscription`](Policy::convert_subscription) | Converts a subscription whose credits were granted month by month. |
//! | [subscription](crate::subscription) | [`command_due`](Policy::command_due) | Returns the command that time has made due for a subscription. |
//! | | [`advance_subscription`](Policy::advance_subscription) | Carries out all commands that time has made due. |
//! | | [`resubscribe`](Policy::resubscribe) | Subscribes an account again after its subscription has ended. |
//! | [charge](crate::charge) | [`open_upgrade`](Policy::open_upgrade) | Opens the charge for a change to a plan that costs more. |
//! | | [`downgrade_now`](Policy::downgrade_now) | Changes to a plan that costs no more, at once. |
//! | | [`open_period`](Policy::open_period) | Opens the charge for a subscription's next period. |
//! | | [`open_credit_pack`](Policy::open_credit_pack) | Opens the charge for a pack of credits. |
//! | | [`open_auto_top_up`](Policy::open_auto_top_up) | Opens the charge for a pack of credits when the balance is low. |
//! | [bank_transfer](crate::bank_transfer) | [`submit_claim`](Policy::submit_claim) | Takes a tenant's claim to have sent a bank transfer. |
//! | | [`record_claim`](Policy::record_claim) | Records, by an operator, a claim that a tenant made in another way. |
//! | | [`confirm_bank_transfer`](Policy::confirm_bank_transfer) | Confirms, by an operator, that a bank transfer arrived. |
//! | | [`apply_deposit`](Policy::apply_deposit) | Pays for the next period from the account's deposit. |
//! | [provider](crate::provider) | [`adopt_snapshot`](Policy::adopt_snapshot) | Adopts the state of a subscription that a provider reports. |
//! | | [`record_provider_payment`](Policy::record_provider_payment) | Records a payment that a provider received. |
//! | | [`record_provider_undone`](Policy::record_provider_undone) | Records that such a payment was refunded or reversed. |
//! | [registration](crate::registration) | [`register`](Policy::register) | Registers a newcomer in one change set. |
//! | | [`start_trial`](Policy::start_trial) | Starts the one trial of an identity. |
//!
//! Two methods of other types take a policy: [`Wallet::refund`](crate::Wallet::refund) and
//! [`JobTenant::revalidate`](crate::gate::JobTenant::revalidate).
//! [`Throttle::with_failure_modes`](crate::throttle::Throttle::with_failure_modes) copies a part of
//! it, so call that again when the policy was loaded anew.

mod bypass;
mod checked;
mod choice;
mod credit;
mod error;
mod reading;
mod settings;

pub use bypass::ThrottleBypass;
pub use checked::Policy;
pub use choice::{
    AfterRetries, AfterTrial, FailureMode, GraceMode, LateSettle, Overage, Overpayment, Upgrades,
};
pub use credit::CreditPolicy;
pub use error::PolicyError;
pub use settings::{GraceSettings, PolicySettings};
