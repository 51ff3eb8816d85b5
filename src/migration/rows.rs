//! The statements about rows, which both databases share.

use std::num::NonZeroU32;

use super::facts::LegacySchema;
use super::quoting::quoted;
use crate::payment_method::PaymentMethod;
use crate::subscription::Subscription;

/// The text that fills the column of the Stripe identifier where there is none.
pub(super) const PLACEHOLDER: &str = Subscription::PLACEHOLDER;

/// Returns the condition that a column holds a payment method.
pub(super) fn known(column: &str) -> String {
    let methods: Vec<String> = PaymentMethod::ALL
        .iter()
        .map(|method| format!("'{method}'"))
        .collect();

    format!("{column} IN ({})", methods.join(", "))
}

/// Returns the condition that a column holds a payment method, and is not null.
pub(super) fn demanded(column: &str) -> String {
    format!("{column} IS NOT NULL AND {}", known(column))
}

impl LegacySchema {
    /// Returns the statements that write the payment method of old rows.
    pub(super) fn backfill(
        &self,
        batch: NonZeroU32,
        others: Option<PaymentMethod>,
        lock: &str,
    ) -> Vec<String> {
        let accounts = quoted(&self.accounts);
        let account_key = quoted(&self.account_key);
        let subscriptions = quoted(&self.subscriptions);
        let key = quoted(&self.subscription_key);
        let owner = quoted(&self.subscription_account);
        let stripe_id = quoted(&self.stripe_id);
        let payment_method = quoted(&self.payment_method);

        // A row that Stripe runs: it has an identifier, and not a placeholder.
        let real = format!(
            "{stripe_id} IS NOT NULL AND {stripe_id} <> '' \
             AND {stripe_id} <> '{PLACEHOLDER}' || {key}"
        );
        // The accounts that Stripe bills, as a list, since there may be no index by account.
        let billed = format!(
            "SELECT {owner} FROM {subscriptions} WHERE {owner} IS NOT NULL AND {real} \
             AND coalesce({payment_method}, 'stripe') = 'stripe'"
        );

        // Both conditions look for rows without a method: the inner one chooses the batch, and the
        // outer one leaves alone the rows that were written since.
        let fill = |table: &str, key: &str, method: PaymentMethod, which: &str| {
            format!(
                "UPDATE {table} SET {payment_method} = '{method}' \
                 WHERE {payment_method} IS NULL AND {key} IN \
                 (SELECT {key} FROM {table} WHERE {payment_method} IS NULL AND {which} \
                 ORDER BY {key} LIMIT {batch}{lock})"
            )
        };

        let stripe = PaymentMethod::Stripe;
        let mut statements = vec![
            fill(&subscriptions, &key, stripe, &real),
            fill(
                &accounts,
                &account_key,
                stripe,
                &format!("{account_key} IN ({billed})"),
            ),
        ];

        let unbilled = format!("{account_key} NOT IN ({billed})");
        statements.extend(others.map(|others| fill(&accounts, &account_key, others, &unbilled)));

        statements
    }

    pub(super) fn write_placeholders(&self) -> String {
        let subscriptions = quoted(&self.subscriptions);
        let key = quoted(&self.subscription_key);
        let stripe_id = quoted(&self.stripe_id);

        format!(
            "UPDATE {subscriptions} SET {stripe_id} = '{PLACEHOLDER}' || {key} \
             WHERE {stripe_id} IS NULL"
        )
    }

    pub(super) fn remove_placeholders(&self) -> String {
        let subscriptions = quoted(&self.subscriptions);
        let key = quoted(&self.subscription_key);
        let stripe_id = quoted(&self.stripe_id);

        format!(
            "UPDATE {subscriptions} SET {stripe_id} = NULL \
             WHERE {stripe_id} = '{PLACEHOLDER}' || {key}"
        )
    }
}
