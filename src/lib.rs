//! crate docs follow
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod change;
mod credit;
mod gate;
mod id;
mod money;
mod payment;
mod period;
mod policy;
mod problem;
mod quota;
mod registration;
#[cfg(feature = "sql")]
mod scope;
mod subscription;
mod tenant;
mod throttle;

pub use change::RowChange;
pub use credit::{
    Answer, Balance, Cause, CauseKind, Change, DeductError, Ended, Event, Grant, GrantError, GrantTerms, Held, Hold,
    HoldError, HoldRecord, HoldRequest, IdempotencyKey, KeyError, LedgerEntry, Outcome, OutcomeWrite, Price,
    PriceError, PriceList, Quote, Receipt, ReleaseError, ReplayError, Replayed, Rounding, SettleError, Slice, Wallet,
    WalletError,
};
pub use gate::{
    Access, Admission, BillingAccess, Credential, CredentialFailure, Denial, Evidence, GateDecision, Operator,
    Principal, Privilege, Privileges, Route, WriteAccess, admit, validate_account_and_plan,
};
pub use id::{AccountId, ApiKeyId, IdError, IdKind, PlanId, SiteId, SubscriptionId, UserId};
pub use money::{AmountError, Credits, Currency, Money};
pub use payment::{
    BankReference, BankTransfer, ConfirmError, ConfirmedTransfer, TransferChange, TransferError, TransferFacts,
};
pub use period::{Interval, IntervalUnit, Period};
pub use policy::{
    CreditPolicy, GraceMode, GraceSettings, Overage, Policy, PolicyError, PolicySettings, ThrottleBypass,
};
pub use problem::{Code, Explained, Problem, Severity};
pub use quota::{Quota, QuotaError, QuotaSet, ThrottleScope};
pub use registration::{
    Registered, Registration, RegistrationChange, RegistrationError, RegistrationFacts, Subject, SubjectError,
    SubjectRecord,
};
#[cfg(feature = "sql")]
pub use scope::{
    BuildError, Column, ColumnValue, Count, Covers, Data, Delete, Dialect, Entry, Filter, Global, Insert, Key,
    KeyValue, Level, Mode, NoFilter, NoKey, NotFound, OrderBy, Read, Ready, Scope, Select, Stamps, Statement, Table,
    TenantLevel, Update, Write,
};
pub use subscription::{
    AfterRetries, AfterTrial, Command, CommandKind, Effect, PaymentMethod, RecordedPayment, Refusal, RefusalReason,
    Subscription, SubscriptionStatus, Transition, transition,
};
pub use tenant::{Account, AccountStatus, Plan, Site, SuspensionCause, Tenant};
pub use throttle::{
    Exceeded, HeaderDialect, Passage, Throttle, ThrottleCapacity, ThrottleKey, ThrottleKeyError, ThrottleSubject,
    Throttled,
};

/// The throttle's pure decision, for hosts that keep rate state in a store of their own: read the state, decide, write it
/// back under the store's guard.
pub mod gcra {
    pub use crate::throttle::gcra::{Decision, GcraState, Limits, Verdict, decide, decide_within, reprice};
    pub use crate::throttle::states::{Decisions, GcraStates, decide_all};
}

/// What `table!` expands to needs these; they grant nothing, and no one else should name them.
#[cfg(feature = "sql")]
#[doc(hidden)]
pub mod __private {
    pub use crate::scope::{IdColumn, Schema};
}
