//! The identity of a report's subscription with a row of the host's.

use super::error::AdoptError;
use crate::account::Account;
use crate::change::RowError;
use crate::paid_time::PaidTime;
use crate::payment_method::{Provider, is_stripe_id};
use crate::subscription::Subscription;

/// Checks that the rows belong together, and to the provider's subscription `id`.
///
/// A row without an identifier of Stripe's takes the one that carries the row's own identifier as
/// its reference, which the host's server wrote there: a report of a former subscription of the
/// same account does not bind the new one. A row without one of PayPal's takes none, since anyone
/// can make a subscription there and write any reference into it.
pub(super) fn check_identity(
    provider: Provider,
    id: &str,
    reference: Option<&str>,
    account: &Account,
    subscription: &Subscription,
) -> Result<(), AdoptError> {
    let is_own = match provider {
        Provider::Stripe => is_own_at_stripe(id, reference, subscription),
        Provider::Paypal => subscription.paypal_subscription_id.as_deref() == Some(id),
    };

    if is_own && subscription.account == account.id {
        Ok(())
    } else {
        Err(AdoptError::Mismatch)
    }
}

fn is_own_at_stripe(id: &str, reference: Option<&str>, subscription: &Subscription) -> bool {
    let stored = subscription
        .stripe_subscription_id
        .as_deref()
        .filter(|stored| is_stripe_id(stored));

    // A stored identifier binds for good: no reference moves a row to another subscription.
    match stored {
        Some(stored) => stored == id,
        None => is_stripe_id(id) && reference == Some(subscription.id.to_string().as_str()),
    }
}

/// Checks that the paid time is the subscription's own.
pub(super) fn check_paid_time(
    paid_time: &PaidTime,
    subscription: &Subscription,
) -> Result<(), RowError> {
    let is_own = *paid_time.subscription() == subscription.id
        && *paid_time.account() == subscription.account;
    if is_own {
        return Ok(());
    }

    Err(RowError::Mismatch {
        left: "paid time",
        right: "subscription",
    })
}
