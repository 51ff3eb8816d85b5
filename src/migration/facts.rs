//! The facts that a migration starts from.

use std::num::NonZeroU32;

use super::obstacle::ObstacleKind;
use crate::payment_method::PaymentMethod;

/// The names in the host's old schema. They are quoted as they are, so upper and lower case differ,
/// and a name cannot hold a schema: on PostgreSQL, set the `search_path`.
///
/// ```
/// use bailiwick::migration::LegacySchema;
///
/// // The tables of Laravel Cashier.
/// let schema = LegacySchema {
///     accounts: "users".into(),
///     subscription_account: "user_id".into(),
///     stripe_id: "stripe_id".into(),
///     ..LegacySchema::default()
/// };
/// assert_eq!(schema.account_key, "id");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a fact: a host writes it, by struct update"
)]
pub struct LegacySchema {
    /// The table of accounts.
    pub accounts: String,
    /// Its key column.
    pub account_key: String,
    /// The table of subscriptions.
    pub subscriptions: String,
    /// Its key column.
    pub subscription_key: String,
    /// Its column that names the account.
    pub subscription_account: String,
    /// Its column with Stripe's identifier of the subscription (`sub_…`), such as `stripe_id`. It
    /// must hold no customers, and no other processor's identifiers.
    pub stripe_id: String,
    /// The column of both tables that holds the payment method. It is added where it is missing. A
    /// column that is there is read, and never overwritten: only rows without a value are filled.
    /// If the host's own `payment_method` means something else, name another column.
    pub payment_method: String,
    /// The [obstacles](super::Obstacle) that a person has read and found harmless: the table, the
    /// kind and the name of each. They must allow a row without a Stripe identifier, a row with a
    /// placeholder for one, and every payment method.
    pub harmless: Vec<(String, ObstacleKind, String)>,
}

impl Default for LegacySchema {
    fn default() -> Self {
        Self {
            accounts: "accounts".into(),
            account_key: "id".into(),
            subscriptions: "subscriptions".into(),
            subscription_key: "id".into(),
            subscription_account: "account_id".into(),
            stripe_id: "stripe_subscription_id".into(),
            payment_method: "payment_method".into(),
            harmless: Vec::new(),
        }
    }
}

/// A step of the migration, or of the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Step {
    /// Adds the new columns, empty, and lets a subscription have no Stripe identifier. Old code
    /// keeps working if it names the columns that it reads and writes.
    Expand,
    /// Writes the payment method that an old row implies, a batch of rows at a time. Run it until
    /// the counts of [`LegacySchema::unfinished`] fall no more.
    Backfill {
        /// The most rows that one run changes in each table, so that no lock is held for long.
        batch: NonZeroU32,
        /// The payment method of accounts without a Stripe subscription, such as free ones. A
        /// person chooses it, and only once no old code is left to sell them one. Until then,
        /// `None` leaves them as they are.
        others: Option<PaymentMethod>,
    },
    /// Demands a payment method of every row, and removes the placeholders for a Stripe identifier.
    /// It fails, and changes nothing, while a row has no payment method.
    Contract,
    /// Removes that demand, so that old code can write again.
    UndoContract,
    /// Demands a Stripe identifier again, as old code expects. A row without one gets the
    /// [placeholder](crate::Subscription::PLACEHOLDER) followed by its key. The new columns stay,
    /// so that nothing is lost. The column must be long enough for the placeholder, and its checks
    /// must allow it.
    UndoExpand,
}

/// The present state of the host's database, as the query of [`LegacySchema::catalog`] reads it. Read
/// it again before each step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Catalog {
    /// PostgreSQL.
    Postgres(Vec<CatalogRow>),
    /// SQLite.
    Sqlite(Vec<CatalogRow>),
}

/// A row of the catalog's query: the kind of an object, its table, its name and its text.
pub type CatalogRow = (String, String, String, String);

/// The name of the column for payments outside Stripe.
pub(super) const EXTERNAL_ID: &str = "external_payment_id";

impl LegacySchema {
    /// Returns the columns of a table that the migration writes or lets be null. An account may have
    /// a column of the same name as the one of Stripe's identifier, for the customer.
    pub(super) fn columns_of(&self, table: &str) -> Vec<&str> {
        if table == self.accounts {
            vec![&self.payment_method]
        } else {
            vec![&self.stripe_id, &self.payment_method, EXTERNAL_ID]
        }
    }
}
