//! The table of codes: everything that a client can be told.

use std::fmt;

macro_rules! codes {
    ($($name:ident $text:literal $status:literal $title:literal, $remedy:literal;)*) => {
        /// The stable code of a refusal, with its HTTP status, its title and the next step.
        ///
        /// A code, once released, keeps its text and its status. Titles and remedies may be
        /// reworded, so a client must not parse them.
        ///
        /// | code | status | title | remedy |
        /// |---|---|---|---|
        $(#[doc = concat!("| `", $text, "` | ", $status, " | ", $title, " | ", $remedy, " |")])*
        ///
        /// ```
        /// use bailiwick::Code;
        ///
        /// let code = Code::QuotaExceeded;
        /// assert_eq!((code.as_str(), code.status()), ("quota_exceeded", 429));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!($title, " (", $status, ").")] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the code's text, which never changes.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Returns the HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// Returns a short summary of this kind of problem, the same at every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// Returns the next step for this kind of problem. A [`Problem`](super::Problem) may
            /// have a more specific one.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),* }
            }

            /// Returns the problem type of RFC 9457 section 3.1.1. An exhausted quota has the type
            /// that IANA registers for it (draft-ietf-httpapi-ratelimit-headers-10); every other
            /// code has a URN of this crate's.
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
    // Input, before any decision.
    InputInvalid "input_invalid" 400 "The request could not be understood", "Correct the request as the detail says, then send it again.";
    IdInvalid "id_invalid" 400 "An identifier is malformed", "Send an integer, a lower-case UUID, or 1 to 64 printable ASCII characters without spaces and braces.";
    CursorInvalid "cursor_invalid" 400 "The cursor does not belong to this list", "Ask for the first page, without a cursor.";
    IdKindMismatch "id_kind_mismatch" 400 "An identifier is of the wrong kind", "Send the identifier in the form in which this service gave it out.";
    AmountInvalid "amount_invalid" 400 "An amount is malformed or out of range", "Send a decimal as text, from 0 to 10^12, with no more decimal places than allowed.";
    KeyInvalid "idempotency_key_invalid" 400 "The idempotency key is malformed or missing", "Send a key of 1 to 255 printable ASCII characters that is unique to the request.";
    NothingToSet "nothing_to_set" 400 "The update changes nothing", "Name at least one column to change.";
    NotFound "not_found" 404 "Nothing was found here", "Check the address and the identifier.";
    MethodNotAllowed "method_not_allowed" 405 "This address does not accept the method", "Use one of the methods that the Allow header names.";
    PayloadTooLarge "payload_too_large" 413 "The request body is too large", "Send a smaller body.";
    MediaTypeUnsupported "media_type_unsupported" 415 "The request body is of the wrong media type", "Send JSON with the header Content-Type: application/json.";
    // Gate.
    CredentialMissing "credential_missing" 401 "No credential was presented", "Log in, or send an API key in the Authorization header.";
    CredentialRejected "credential_rejected" 401 "The credential is not valid", "Log in again, or replace the API key.";
    PrivilegeMissing "privilege_missing" 403 "A privilege is missing for this operation", "Ask an administrator of the service to grant the privilege.";
    AccountMissing "account_missing" 403 "The credential belongs to no account", "Register an account, or ask to be invited to one.";
    AccountMismatch "account_mismatch" 403 "The credential does not belong to this account", "Use a credential that belongs to this account.";
    AccountSuspended "account_suspended" 403 "The account is suspended", "Contact support.";
    AccountClosed "account_closed" 403 "The account is closed", "Register a new account.";
    AccountStatusUnknown "account_status_unknown" 403 "The account's status is unknown", "Contact support: the stored status must be corrected.";
    PaymentPending "payment_pending" 402 "The account awaits its first payment", "Complete the payment on the billing page.";
    PlanMissing "plan_missing" 402 "The account has no plan", "Choose a plan on the billing page.";
    PlanInactive "plan_inactive" 402 "The account's plan is no longer offered", "Choose another plan on the billing page.";
    SubscriptionMissing "subscription_missing" 402 "The plan needs a subscription, and the account has none", "Subscribe on the billing page.";
    PlanMismatch "plan_mismatch" 402 "The subscription is not for the account's plan", "Subscribe to the account's plan on the billing page.";
    SubscriptionIncomplete "subscription_incomplete" 402 "The subscription's first payment is not complete", "Complete the first payment on the billing page.";
    SubscriptionIncompleteExpired "subscription_incomplete_expired" 402 "The subscription's first payment was not made in time", "Start a new subscription on the billing page.";
    SubscriptionUnpaid "subscription_unpaid" 402 "The subscription is unpaid", "Pay the open invoice on the billing page.";
    SubscriptionPaused "subscription_paused" 402 "The subscription is paused", "Resume it on the billing page.";
    SubscriptionCanceled "subscription_canceled" 402 "The subscription is canceled", "Start a new subscription on the billing page.";
    SubscriptionStatusUnknown "subscription_status_unknown" 402 "The subscription's status is unknown", "Contact support: the stored status must be corrected.";
    TrialEnded "trial_ended" 402 "The trial has ended", "Choose a payment method on the billing page.";
    PeriodEnded "period_ended" 402 "The paid period has ended", "Pay for the next period on the billing page.";
    PaymentPastDue "payment_past_due" 402 "A payment is past due", "Pay the open invoice on the billing page.";
    SiteNotInAccount "site_not_in_account" 403 "The credential does not reach this site", "Name a site that this credential reaches.";
    AccessExpired "access_expired" 403 "The access that was granted has run out", "Send the request again.";
    RouteMismatch "route_mismatch" 403 "This address cannot be used in this way", "Contact support.";
    // Scope.
    AccountWideForbidden "account_wide_forbidden" 403 "A credential that is bound to sites cannot reach the whole account", "Name a site, or use a credential that is not bound to sites.";
    // Throttle.
    QuotaExceeded "quota_exceeded" 429 "The quota is used up for now", "Wait for as long as Retry-After says, then send the request again.";
    TooManyAtOnce "too_many_at_once" 429 "Too many requests are running at once", "Wait until one of them has ended, then send the request again.";
    CostExceedsBurst "cost_exceeds_burst" 422 "The request costs more than the quota ever allows at once", "Split the request into smaller ones.";
    QuotaMissing "quota_missing" 403 "The plan does not include this operation", "Choose a plan that includes it.";
    ThrottleFull "throttle_full" 503 "The service is tracking too many callers", "Wait a moment, then send the request again.";
    // Credit.
    CreditsInsufficient "credits_insufficient" 402 "There are not enough credits", "Buy credits, or wait until the next are granted.";
    CostExceedsHold "cost_exceeds_hold" 402 "The cost is more than was held for it", "Send a smaller request.";
    KeyReused "idempotency_key_reused" 422 "The idempotency key was used for another request", "Send the new request with a new key.";
    RequestInProgress "request_in_progress" 409 "The same request is still running", "Wait a moment, then send the same request again.";
    HoldExpired "hold_expired" 409 "The hold expired before it was settled", "Send the request again with a new key.";
    LessThanDrawn "less_than_drawn" 409 "The total is less than was already drawn", "Settle with at least what was drawn.";
    RefundInvalid "refund_invalid" 422 "A refund cannot exceed the charge", "Correct the total of the refunds.";
    HoldReleased "hold_released" 409 "The hold was released", "Send the request again with a new key.";
    HoldSettled "hold_settled" 409 "The hold is already settled", "Read the receipt of the first request.";
    HoldTimeInvalid "hold_time_invalid" 422 "A hold's time to live must be positive and at most 366 days", "Choose a duration within that range.";
    TooManyHolds "too_many_holds" 409 "Too many holds are open at once", "Wait until some of them have ended.";
    GrantInvalid "grant_invalid" 422 "A grant must be positive, and take effect before it expires", "Correct the grant's amount and times.";
    TooManyGrants "too_many_grants" 409 "The wallet cannot hold another grant", "Wait until some grants are spent or have expired.";
    AmountOverflow "amount_overflow" 422 "A sum of amounts is too large to be held exactly", "Use smaller amounts.";
    OperationUnknown "operation_unknown" 400 "The operation is not in the price list", "Name an operation from the price list.";
    HoldSuperseded "hold_superseded" 409 "The request was sent again, and is carried out anew", "Send the same request again to learn what became of it.";
    // Subscription, payment, registration.
    TransitionRefused "transition_refused" 409 "The subscription's status does not allow this", "Look up the subscription's status, then choose a command that it allows.";
    PaymentMethodComingSoon "payment_method_coming_soon" 422 "This payment method is coming soon", "Choose one of the payment methods that are enabled.";
    OwnAccount "own_account" 403 "An operator cannot do this for their own account", "Let an operator of another account do it.";
    TransferConflict "transfer_conflict" 409 "This transfer was confirmed before with other facts", "Compare the bank statement with the confirmed transfer.";
    TransferInvalid "transfer_invalid" 422 "The transfer's facts are invalid", "Correct the transfer's identifier, payer or amount.";
    ClaimConflict "claim_conflict" 409 "The claim was made or decided before with other facts", "Look up the claim, then send a new one under a new reference.";
    SignatureInvalid "signature_invalid" 401 "The provider's signature is missing or invalid", "Check the webhook's signing secret or certificate, and the clocks on both sides.";
    ProviderEventInvalid "provider_event_invalid" 422 "The provider's event has an unknown shape", "Compare the event's API version with the one that this service knows.";
    ProviderMismatch "provider_mismatch" 409 "The provider reports on a subscription that it does not run here", "End the subscription at the provider, or correct its identifier here.";
    PaymentUnplaced "payment_unplaced" 409 "The payment may be for a plan that is not known yet", "Fetch the subscription from the provider, then send the payment again.";
    PaymentConflict "payment_conflict" 409 "This invoice was recorded before with other facts", "Compare the provider's invoice with the recorded payment.";
    CurrencyMismatch "currency_mismatch" 422 "The transfer is not in the plan's currency", "Ask the payer to transfer in the plan's currency.";
    AlreadyRegistered "already_registered" 409 "This identity already has an account", "Log in instead.";
    PaidTimeInvalid "paid_time_invalid" 422 "A fact of paid time is invalid, or one too many", "Compare the payment's period with the invoice.";
    InvitationInvalid "invitation_invalid" 403 "The invitation is not valid", "Ask for a new invitation to the address that you have verified.";
    RegistrationInvalid "registration_invalid" 422 "The registration is incomplete or invalid", "Correct the registration as the detail says.";
    TrialUsed "trial_used" 409 "There is one trial for a person and for an account", "Subscribe without a trial.";
    ChargeRefused "charge_refused" 409 "There is nothing to charge for this", "Look up the subscription and its plan, then choose as the detail says.";
    ChargeConflict "charge_conflict" 409 "The charge was opened or decided before with other facts", "Look up the charge, then open a new one if it is still needed.";
    TransferSimilar "transfer_similar" 409 "A transfer like this one was confirmed before", "Compare the booking dates with the bank statement. If these are two transfers, name the other one's date as different.";
    RetractionRefused "retraction_refused" 409 "The transfer cannot be retracted now", "Retract or refund later payments first, as the detail says.";
    // All that a client learns of a fault on the host's side.
    WalletMismatch "wallet_mismatch" 500 "The service made a mistake", "Try again later. If the problem persists, contact support.";
    UpstreamUnavailable "upstream_unavailable" 503 "A service that this one depends on is unavailable", "Try again later.";
    Internal "internal" 500 "The service made a mistake", "Try again later. If the problem persists, contact support.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
