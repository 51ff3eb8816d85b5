//! Every refusal as a response body: a stable [`Code`] and a [`Problem`] in the form of RFC 9457.
//!
//! The table below is the whole of what a client can be told. A code, once released, keeps its text
//! and its status.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($name:ident $text:literal $status:literal $title:literal, $remedy:literal;)*) => {
        /// A stable code of a refusal, with its HTTP status, its title and what to do next.
        ///
        /// | code | status | title | remedy |
        /// |---|---|---|---|
        $(#[doc = concat!("| `", $text, "` | ", $status, " | ", $title, " | ", $remedy, " |")])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!($title, " (", $status, ").")] $name,)*
        }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code's text, which never changes.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// A short summary of this kind of problem, the same at every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What to do next.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),* }
            }

            /// The problem type of RFC 9457 section 3.1.1. A spent quota has the type that the IANA
            /// registers for it (draft-ietf-httpapi-ratelimit-headers-10); every other code has a
            /// URN of ours.
            pub const fn problem_type(self) -> &'static str {
                if matches!(self, Self::QuotaExceeded) {
                    return "https://iana.org/assignments/http-problem-types#quota-exceeded";
                }
                match self { $(Self::$name => concat!("urn:problem-type:bailiwick:", $text)),* }
            }
        }
    };
}

codes! {
    // Input, before anyone decides anything.
    InputInvalid "input_invalid" 400 "The request could not be understood", "Correct the request as the detail says, then send it again.";
    IdInvalid "id_invalid" 400 "An identifier is malformed", "Send an integer, a lower-case UUID, or 1 to 64 printable ASCII characters without spaces and braces.";
    CursorInvalid "cursor_invalid" 400 "The cursor does not belong to this list", "Ask for the first page, without a cursor.";
    IdKindMismatch "id_kind_mismatch" 400 "An identifier is of another kind than the column that holds it", "Send the identifier in the form in which this service gave it out.";
    AmountInvalid "amount_invalid" 400 "An amount is malformed or out of range", "Send a decimal as text, from 0 to 10^12, with no more places than allowed.";
    KeyInvalid "idempotency_key_invalid" 400 "An idempotency key is malformed or missing", "Send 1 to 255 printable ASCII characters, unique for each request.";
    NothingToSet "nothing_to_set" 400 "An update sets nothing", "Name at least one column to change.";
    NotFound "not_found" 404 "There is no such thing here", "Check the address and the identifier.";
    MethodNotAllowed "method_not_allowed" 405 "This address does not take that method", "Use one of the methods that the Allow header names.";
    PayloadTooLarge "payload_too_large" 413 "The request body is too large", "Send a smaller body.";
    MediaTypeUnsupported "media_type_unsupported" 415 "The request body is of the wrong media type", "Send JSON with the header Content-Type: application/json.";
    // Gate.
    CredentialMissing "credential_missing" 401 "No credential was presented", "Log in, or send an API key, in the Authorization header.";
    CredentialRejected "credential_rejected" 401 "The credential that was presented is not valid", "Log in again, or replace the API key.";
    PrivilegeMissing "privilege_missing" 403 "The principal lacks the privilege for this operation", "Ask an administrator of the service to grant the privilege.";
    AccountMissing "account_missing" 403 "The principal belongs to no account", "Register an account, or ask to be invited to one.";
    AccountMismatch "account_mismatch" 403 "The account is another than the principal's", "Use a credential that belongs to this account.";
    AccountSuspended "account_suspended" 403 "The account is suspended", "Settle the overdue payment if that is the cause; otherwise contact support.";
    AccountClosed "account_closed" 403 "The account is closed", "Contact support to open it again, or register a new account.";
    AccountStatusUnknown "account_status_unknown" 403 "The account's status is not one that this service knows", "Contact support: the stored status must be corrected.";
    PaymentPending "payment_pending" 402 "The account awaits its first payment", "Complete the payment on the billing page.";
    PlanMissing "plan_missing" 402 "The account has no plan", "Choose a plan on the billing page.";
    PlanInactive "plan_inactive" 402 "The account's plan is no longer offered", "Choose another plan on the billing page.";
    SubscriptionMissing "subscription_missing" 402 "The plan needs a subscription and the account has none", "Subscribe on the billing page.";
    PlanMismatch "plan_mismatch" 402 "The subscription is for another plan than the account's", "Subscribe to the plan on the billing page.";
    SubscriptionIncomplete "subscription_incomplete" 402 "The first payment of the subscription is not complete", "Complete the first payment on the billing page.";
    SubscriptionIncompleteExpired "subscription_incomplete_expired" 402 "The first payment was not made in time", "Start a new subscription on the billing page.";
    SubscriptionUnpaid "subscription_unpaid" 402 "The subscription is unpaid", "Pay the open invoice on the billing page.";
    SubscriptionPaused "subscription_paused" 402 "The subscription is paused", "Resume it on the billing page.";
    SubscriptionCanceled "subscription_canceled" 402 "The subscription is canceled", "Start a new subscription on the billing page.";
    SubscriptionStatusUnknown "subscription_status_unknown" 402 "The subscription's status is not one that this service knows", "Contact support: the stored status must be corrected.";
    TrialEnded "trial_ended" 402 "The trial has ended", "Choose a payment method on the billing page.";
    PeriodEnded "period_ended" 402 "The paid period has ended", "Pay for the next period on the billing page.";
    PaymentPastDue "payment_past_due" 402 "A payment is past due", "Pay the open invoice on the billing page.";
    SiteNotInAccount "site_not_in_account" 403 "The site is not among those that this credential may reach", "Use one of the account's own sites, and a credential that covers it.";
    AccessExpired "access_expired" 403 "The access that was granted has run out", "Send the request again.";
    RouteMismatch "route_mismatch" 403 "This address cannot be used in this way", "Contact support.";
    // Scope.
    AccountWideForbidden "account_wide_forbidden" 403 "A credential bound to sites cannot reach the whole account", "Name a site, or use a credential that is not bound to sites.";
    // Throttle.
    QuotaExceeded "quota_exceeded" 429 "The quota is spent for now", "Wait as long as Retry-After says, then send the request again.";
    TooManyAtOnce "too_many_at_once" 429 "As many requests as the plan allows are at work already", "Wait until one of them has ended, then send the request again.";
    CostExceedsBurst "cost_exceeds_burst" 422 "The request costs more than the quota can ever allow at once", "Split the request into smaller ones, or choose a larger plan.";
    QuotaMissing "quota_missing" 403 "The plan does not include this operation", "Choose a plan that includes it.";
    ThrottleFull "throttle_full" 503 "Too many callers are being tracked at once", "Wait a moment, then send the request again.";
    // Credit.
    CreditsInsufficient "credits_insufficient" 402 "There are not enough credits", "Buy credits, or wait until the next are granted.";
    CostExceedsHold "cost_exceeds_hold" 402 "The cost is more than was held for it", "Send a smaller request, or contact support.";
    KeyReused "idempotency_key_reused" 422 "The idempotency key was used before with another request", "Send a new key with a new request.";
    RequestInProgress "request_in_progress" 409 "The same request is still being worked on", "Wait a moment, then send the same request again.";
    HoldExpired "hold_expired" 409 "The hold expired before it was settled", "Send the request again with a new key.";
    LessThanDrawn "less_than_drawn" 409 "The total is less than what was drawn already", "Settle with at least what was drawn.";
    RefundInvalid "refund_invalid" 422 "No more can be given back than was charged", "Correct the total of the refunds.";
    HoldReleased "hold_released" 409 "The hold was released", "Send the request again with a new key.";
    HoldSettled "hold_settled" 409 "The hold is already settled", "Read the receipt that the first request was given.";
    HoldTimeInvalid "hold_time_invalid" 422 "A hold lasts more than no time and at most 366 days", "Choose a duration within that range.";
    TooManyHolds "too_many_holds" 409 "Too many holds are open at once", "Wait until some of them end.";
    GrantInvalid "grant_invalid" 422 "A grant must take effect before it expires, and be greater than zero", "Correct the grant's amount and times.";
    TooManyGrants "too_many_grants" 409 "The wallet has as many grants as it can hold", "Wait until some of them are spent or have expired.";
    AmountOverflow "amount_overflow" 422 "A sum of amounts leaves the range that can be held exactly", "Use smaller amounts.";
    OperationUnknown "operation_unknown" 400 "The operation is not in the price list", "Name an operation of the price list.";
    // Subscription, payment, registration.
    TransitionRefused "transition_refused" 409 "The subscription's status does not allow this", "Look at the subscription's status, then choose what it allows.";
    PaymentMethodComingSoon "payment_method_coming_soon" 422 "This payment method is coming soon", "Choose one of the payment methods that are enabled.";
    OwnAccount "own_account" 403 "An operator cannot do this for an account of their own", "Let an operator of another account do it.";
    TransferConflict "transfer_conflict" 409 "This transfer was confirmed before with other facts", "Compare the bank statement with the confirmed transfer.";
    TransferInvalid "transfer_invalid" 422 "The transfer's facts are not sound", "Correct the transfer's identifier, payer or amount.";
    ClaimConflict "claim_conflict" 409 "The claim was made or decided before with other facts", "Look at the claim, then send a new one with a reference of its own.";
    SignatureInvalid "signature_invalid" 401 "The event is not signed by the provider", "Check the webhook's signing secret or certificate, and the clocks of both sides.";
    ProviderEventInvalid "provider_event_invalid" 422 "The provider's event is not of a known shape", "Compare the event's API version with the one that this service knows.";
    ProviderMismatch "provider_mismatch" 409 "The provider reports on a subscription that it does not run here", "End the subscription at the provider, or correct its identifier here.";
    PaymentUnplaced "payment_unplaced" 409 "The payment may be for a plan that is not known yet", "Fetch the subscription from the provider, then send the payment again.";
    PaymentConflict "payment_conflict" 409 "This invoice was recorded before with other facts", "Compare the provider's invoice with the recorded payment.";
    CurrencyMismatch "currency_mismatch" 422 "The transfer is in another currency than the plan", "Ask the payer to transfer in the plan's currency.";
    AlreadyRegistered "already_registered" 409 "This identity has an account already", "Log in instead.";
    InvitationInvalid "invitation_invalid" 403 "The invitation does not hold", "Ask to be invited again, at the address that you have verified.";
    RegistrationInvalid "registration_invalid" 422 "The registration is not complete or not sound", "Correct the registration as the detail says.";
    // What a client learns of a fault of the host's own.
    WalletMismatch "wallet_mismatch" 500 "The service made a mistake", "Try again later; if it stays, contact support.";
    UpstreamUnavailable "upstream_unavailable" 503 "A service that this needs is not available", "Try again later.";
    Internal "internal" 500 "The service made a mistake", "Try again later; if it stays, contact support.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How loud a refusal should be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Expected in daily business: no credential, a spent quota.
    Info,
    /// Worth a look when it repeats: a rejected credential, a missing privilege.
    Warning,
    /// The service's own data or code is at fault.
    Error,
}

/// An error of this crate: it has a stable [`Code`], and so becomes a [`Problem`].
pub trait Explained: std::error::Error {
    /// The stable code of this error.
    fn code(&self) -> Code;

    /// Adds what only this error knows, such as the time to wait.
    fn decorate(&self, problem: Problem) -> Problem {
        problem
    }
}

/// A refusal as a response body in the form of RFC 9457, to be sent as `application/problem+json`.
///
/// ```
/// use bailiwick::{Code, Problem};
/// let problem = Problem::new(Code::NotFound, "There is no article 7.");
/// assert_eq!(problem.status(), 404);
/// assert_eq!(problem.code(), Code::NotFound);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    violated_policies: Vec<String>,
    headers: Vec<(&'static str, String)>,
}

/// The members of the body, in their order.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    remedy: &'static str,
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    violated_policies: &'a [String],
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            code,
            detail,
            violated_policies,
            ..
        } = self;
        let (kind, title, status, remedy) = (
            code.problem_type(),
            code.title(),
            code.status(),
            code.remedy(),
        );
        Body {
            kind,
            title,
            status,
            detail,
            code: code.as_str(),
            remedy,
            violated_policies,
        }
        .serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// The media type of the body (RFC 9457 section 3).
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// A problem of this code; `detail` is for a person and tells what happened this time.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            violated_policies: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// What a client is told of a fault of the host's own (a lost database, a bug): nothing but
    /// that it happened. The cause belongs in the log.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "Something went wrong on our side. The cause was logged.",
        )
    }

    /// Adds a response header, such as `Retry-After`.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names a quota policy that was violated (draft-ietf-httpapi-ratelimit-headers-10,
    /// `violated-policies`).
    pub fn with_violated_policy(mut self, name: impl Into<String>) -> Self {
        self.violated_policies.push(name.into());
        self
    }

    /// The HTTP status; the same as in the body.
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened this time, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Headers that go with the response, beside its content type.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }
}

/// Every error of this crate becomes a problem: its message is the detail. Of a fault of the host's
/// own (500), a client is told what the code says, and nothing else.
impl<E: Explained> From<E> for Problem {
    fn from(error: E) -> Self {
        let code = error.code();
        let detail = if code.status() == 500 {
            code.title().to_owned()
        } else {
            error.to_string()
        };
        error.decorate(Self::new(code, sentence(&detail)))
    }
}

/// Errors speak as Rust's errors do, without a capital and a full stop; a person is told a
/// sentence.
fn sentence(message: &str) -> String {
    let mut rest = message.chars();
    let first = rest
        .next()
        .map(|first| first.to_uppercase())
        .into_iter()
        .flatten();
    let stop = if message.ends_with('.') { "" } else { "." };
    first.chain(rest).chain(stop.chars()).collect()
}

/// Lets `?` turn every refusal of this crate into an error of the host's: a `From` for each of
/// them, through a function or a closure from [`Problem`]. A blanket `From` is not the host's to
/// write, since the refusals are foreign to it.
///
/// ```
/// use bailiwick::Problem;
/// use bailiwick::gate::Denial;
/// use bailiwick::scope::NotFound;
///
/// enum AppError {
///     Refused(Problem),
///     Database,
/// }
/// bailiwick::from_refusals!(AppError => AppError::Refused);
///
/// fn handler(found: bool) -> Result<(), AppError> {
///     if found { Err(Denial::PlanMissing)? } else { Err(NotFound)? }
/// }
/// assert!(matches!(handler(false), Err(AppError::Refused(problem)) if problem.status() == 404));
/// ```
#[macro_export]
macro_rules! from_refusals {
    ($error:ty => $from_problem:expr) => {
        $crate::__from_refusals! { $error => $from_problem;
            change::RowError, provider::AdoptError, credit::AllowanceError, money::AmountError, credit::CauseError, bank_transfer::ClaimError, bank_transfer::ConfirmError, gate::Denial, throttle::ForwardedError, credit::GrantError, credit::HoldError, id::IdError, registration::JoinError, credit::IdempotencyKeyError, credit::LedgerError, provider::PaymentError,
            policy::PolicyError, credit::PriceError, subscription::ProrationError, quota::QuotaError, credit::RefundError, subscription::Refusal, registration::RegistrationError, credit::ReleaseError, credit::ReplayError,
            credit::RevokeError, credit::SettleError, throttle::SharedError, registration::SubjectError, subscription::SuccessionError,
            throttle::ThrottleKeyError, throttle::Throttled, bank_transfer::TransferError, bank_transfer::TransferRefundError, credit::WalletError, provider::WebhookError,
        }
        $crate::__from_sql_refusals! { $error => $from_problem }
        $crate::__from_paypal_refusals! { $error => $from_problem }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __from_refusals {
    ($error:ty => $from_problem:expr; $($($refusal:ident)::+,)*) => {$(
        impl From<$crate::$($refusal)::+> for $error {
            fn from(refusal: $crate::$($refusal)::+) -> Self {
                ($from_problem)($crate::problem::Problem::from(refusal))
            }
        }
    )*};
}

#[cfg(feature = "sql")]
#[doc(hidden)]
#[macro_export]
macro_rules! __from_sql_refusals {
    ($error:ty => $from_problem:expr) => {
        $crate::__from_refusals! { $error => $from_problem; scope::BuildError, scope::CursorError, scope::NotFound, danger::CrossTenantError, migration::MigrationError, }
        $crate::__from_decimal_refusals! { $error => $from_problem }
    };
}

#[cfg(not(feature = "sql"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __from_sql_refusals {
    ($error:ty => $from_problem:expr) => {};
}

#[cfg(all(feature = "sql", feature = "decimal"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __from_decimal_refusals {
    ($error:ty => $from_problem:expr) => {
        $crate::__from_refusals! { $error => $from_problem; scope::FixedError, }
    };
}

#[cfg(not(all(feature = "sql", feature = "decimal")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __from_decimal_refusals {
    ($error:ty => $from_problem:expr) => {};
}

#[cfg(feature = "paypal")]
#[doc(hidden)]
#[macro_export]
macro_rules! __from_paypal_refusals {
    ($error:ty => $from_problem:expr) => {
        $crate::__from_refusals! { $error => $from_problem; provider::paypal::EndpointError, }
    };
}

#[cfg(not(feature = "paypal"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __from_paypal_refusals {
    ($error:ty => $from_problem:expr) => {};
}
