//! The facts that a migration starts from.

use std::num::NonZeroU32;

use crate::payment_method::PaymentMethod;

/// The names in the host's old schema. They are quoted as they are, so upper and lower case differ,
/// and a name cannot hold a schema: on PostgreSQL, set the `search_path`.
///
/// ```
/// use bailiwick::migration::LegacySchema;
///
/// let schema = LegacySchema { accounts: "customers".into(), ..LegacySchema::default() };
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
}

impl Default for LegacySchema {
    fn default() -> Self {
        Self {
            accounts: "accounts".into(),
            account_key: "id".into(),
            subscriptions: "subscriptions".into(),
            subscription_key: "id".into(),
            subscription_account: "account_id".into(),
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

/// The present state of the host's database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Catalog {
    /// PostgreSQL, whose statements look at its catalog themselves.
    Postgres,
    /// SQLite: the table's name and the text of each table, index and trigger, as
    /// [`SQLITE_CATALOG`] reads them.
    Sqlite(Vec<(String, String)>),
}

/// The query that reads the [`Catalog`] of SQLite as rows of (table, text). Run it again before
/// each step. Views belong to no table, and need not be found.
pub const SQLITE_CATALOG: &str = "SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL \
     AND type IN ('table', 'index', 'trigger') \
     ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END";
