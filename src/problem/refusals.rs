//! The bridge from every refusal of this crate to the host's own error type.

/// Implements `From` for every refusal of this crate, so that `?` turns it into the host's own error
/// type, through a function or a closure that takes a [`Problem`](crate::Problem).
///
/// A macro is needed because the orphan rule forbids the host to write one blanket `From` for the
/// error types of another crate.
///
/// ```
/// use bailiwick::Problem;
/// use bailiwick::gate::Denial;
///
/// enum AppError {
///     Refused(Problem),
///     Database,
/// }
/// bailiwick::from_refusals!(AppError => AppError::Refused);
///
/// fn handler() -> Result<(), AppError> {
///     Err(Denial::PlanMissing)?
/// }
/// assert!(matches!(handler(), Err(AppError::Refused(problem)) if problem.status() == 402));
/// ```
#[macro_export]
macro_rules! from_refusals {
    ($error:ty => $from_problem:expr) => {
        $crate::__from_refusals! { $error => $from_problem;
            bank_transfer::ClaimError, bank_transfer::ConfirmError,
            bank_transfer::RetractionError, bank_transfer::TransferError,
            bank_transfer::TransferRefundError, change::RowError, charge::ChargeError,
            charge::DowngradeError, charge::VoidError, credit::AlignError, credit::AllowanceError,
            credit::CauseError, credit::ConversionError, credit::GrantError, credit::HoldError, credit::IdempotencyKeyError,
            credit::LedgerError, credit::PriceError, credit::RefundError, credit::ReleaseError,
            credit::ReplayError, credit::RevokeError, credit::SettleError, credit::WalletError,
            gate::Denial, id::IdError, money::AmountError, paid_time::RecordError, policy::PolicyError,
            provider::AdoptError, provider::PaymentError, provider::UndoneError, provider::WebhookError, quota::QuotaError,
            registration::JoinError, registration::RegistrationError, registration::SubjectError,
            registration::TrialError,
            subscription::ProrationError, subscription::Refusal, subscription::SuccessionError,
            throttle::ForwardedError, throttle::SharedError, throttle::ThrottleKeyError,
            throttle::Throttled,
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
        $crate::__from_refusals! { $error => $from_problem;
            danger::CrossTenantError, migration::MigrationError, scope::BuildError,
            scope::CursorError, scope::NotFound,
        }
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
