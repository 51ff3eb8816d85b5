//! The way over from a schema that knew Stripe only, for a host whose `subscriptions` have a
//! `stripe_subscription_id` that is `NOT NULL UNIQUE`, and whose rows have no `payment_method`:
//! expand, backfill, contract, and the way back.
//!
//! Each step is a list of statements: facts in, texts out, run by the host on one connection. Run
//! again, a step changes nothing. What to do between the steps, and what each allows, is in
//! [`manual::rollout`](crate::manual::rollout).
//!
//! | after | rows of old writers | rows of new writers | old readers | new readers |
//! |---|---|---|---|---|
//! | expanding | yes | with a Stripe identifier | yes | yes, by [`PaymentMethod::of_row`] |
//! | backfilling | yes | with a Stripe identifier | yes | yes |
//! | old code is gone | – | of any method | – | yes |
//! | contracting | refused | of any method | – | yes |
//!
//! ```
//! use bailiwick::migration::{Catalog, LegacySchema, Step};
//! use bailiwick::payment_method::PaymentMethod;
//! let schema = LegacySchema::default();
//! let statements = schema.statements(Step::Expand, &Catalog::Postgres)?;
//! assert!(statements.iter().any(|statement| statement.contains(r#""stripe_subscription_id" DROP NOT NULL"#)));
//!
//! // On SQLite a constraint is dropped by rebuilding its table, from its own text.
//! let catalog = Catalog::Sqlite(vec![
//!     ("accounts".into(), "CREATE TABLE accounts (id INTEGER PRIMARY KEY)".into()),
//!     ("subscriptions".into(), "CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, \
//!         stripe_subscription_id TEXT NOT NULL UNIQUE)".into()),
//! ]);
//! let statements = schema.statements(Step::Expand, &catalog)?;
//! assert!(statements.iter().any(|statement| statement.contains("stripe_subscription_id TEXT UNIQUE")));
//! # Ok::<(), bailiwick::migration::MigrationError>(())
//! ```

mod sqlite;

use std::num::NonZeroU32;

use thiserror::Error;

use crate::payment_method::PaymentMethod;
use crate::problem::{Code, Explained};
use crate::subscription::Subscription;

/// What stands for a Stripe identifier where old code demands one: [`Subscription::PLACEHOLDER`].
const PLACEHOLDER: &str = Subscription::PLACEHOLDER;

/// The names in the host's old schema. They are quoted as they are, so case counts, and none can
/// have a schema in it: on PostgreSQL, set the `search_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A step of the way, or of the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Adds the new columns, empty, and lets a subscription have no Stripe identifier. Old code
    /// goes on, if it names the columns that it reads and writes.
    Expand,
    /// Writes what an old row means, a batch of rows at a time: run it until
    /// [`LegacySchema::unfinished`] falls no more.
    Backfill {
        /// The most rows that one run touches in each table, so that no lock is held for long.
        batch: NonZeroU32,
        /// How accounts pay that have no Stripe subscription, such as free ones. Somebody chooses
        /// it, and only once no old code is left to sell them one; until then, `None` leaves them
        /// as they are.
        others: Option<PaymentMethod>,
    },
    /// Demands a payment method of every row, and takes away what stood for a Stripe identifier. It
    /// fails, and changes nothing, while a row says nothing.
    Contract,
    /// Takes the demand back, so that old code can write again.
    UndoContract,
    /// Demands a Stripe identifier again, as old code expects. Rows without one get a
    /// [placeholder](Subscription::PLACEHOLDER) and their key; the new columns stay, so that
    /// nothing is lost. The column must have room for that, and its checks allow it.
    UndoExpand,
}

/// What is there now, in the host's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// PostgreSQL: its statements look for themselves.
    Postgres,
    /// SQLite: the name of the table and the text of each table, index and trigger that
    /// [`SQLITE_CATALOG`] finds.
    Sqlite(Vec<(String, String)>),
}

/// Reads the [`Catalog`] of SQLite, afresh before each step: rows of (table, text). Views name no
/// table, and need not be found.
pub const SQLITE_CATALOG: &str = "SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL \
     AND type IN ('table', 'index', 'trigger') ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END";

/// Why there is no script.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The catalog has no such table.
    #[error("there is no table {0}")]
    TableMissing(String),
    /// The table has no such column.
    #[error("the table {table} has no column {column}")]
    ColumnMissing {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The table's text is not one that can be rebuilt safely.
    #[error(
        "the table {0} must be rebuilt by hand: it has generated columns, a check that names the table or demands the \
         identifier, or its text is not understood"
    )]
    TableUnreadable(String),
    /// The column was there before, with a definition of its own.
    #[error(
        "the column {column} of the table {table} was not made by this migration: rename it, or alter it by hand"
    )]
    ColumnForeign {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table of the name that a rebuild needs is there already.
    #[error("there is a table {0} already: look at what it holds, then drop it")]
    NameTaken(String),
}

impl Explained for MigrationError {
    fn code(&self) -> Code {
        Code::Internal
    }
}

impl LegacySchema {
    /// The statements of a step, to run one by one on a connection of their own; none where nothing
    /// is to do. They begin and end their own transaction. **Stop at the first that fails**, roll
    /// back, and close the connection: then nothing has changed. A shell that goes on after an
    /// error would drop a table that it has not copied; `sqlite3` needs `-bail`, and `psql` `-v
    /// ON_ERROR_STOP=1`.
    ///
    /// # Errors
    /// On SQLite, where a table or a column is missing, was not made by this migration, or cannot
    /// be rebuilt safely; on PostgreSQL none.
    pub fn statements(&self, step: Step, catalog: &Catalog) -> Result<Vec<String>, MigrationError> {
        let (body, rebuilds) = match catalog {
            Catalog::Postgres => (self.postgres(step), false),
            Catalog::Sqlite(objects) => {
                let body = self.sqlite(step, &sqlite::Tables::new(objects))?;
                let rebuilds = body
                    .iter()
                    .any(|statement| statement.starts_with("DROP TABLE"));
                (body, rebuilds)
            }
        };
        if body.is_empty() {
            return Ok(body);
        }
        let (before, after): (&[&str], &[&str]) = match catalog {
            // Rather fail, and be run again, than wait for a lock while everyone waits behind. And
            // rather fail than not see rows that a policy hides.
            Catalog::Postgres => (
                &[
                    "BEGIN",
                    "SET LOCAL lock_timeout = '5s'",
                    "SET LOCAL row_security = off",
                ],
                &["COMMIT"],
            ),
            // While a table is rebuilt, what refers to it by its name is left alone.
            Catalog::Sqlite(_) if rebuilds => (
                &[
                    "PRAGMA foreign_keys = OFF",
                    "PRAGMA legacy_alter_table = ON",
                    "BEGIN IMMEDIATE",
                ],
                &[
                    "COMMIT",
                    "PRAGMA legacy_alter_table = OFF",
                    "PRAGMA foreign_keys = ON",
                ],
            ),
            Catalog::Sqlite(_) => (&["BEGIN IMMEDIATE"], &["COMMIT"]),
        };
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        Ok([owned(before), body, owned(after)].concat())
    }

    /// Counts the rows that are not backfilled yet: accounts, then subscriptions. Only when both
    /// are zero can the schema be contracted.
    pub fn unfinished(&self) -> String {
        let (accounts, subscriptions) = (quoted(&self.accounts), quoted(&self.subscriptions));
        format!(
            "SELECT (SELECT count(*) FROM {accounts} WHERE payment_method IS NULL), \
             (SELECT count(*) FROM {subscriptions} WHERE payment_method IS NULL)"
        )
    }

    fn postgres(&self, step: Step) -> Vec<String> {
        let (accounts, subscriptions) = (quoted(&self.accounts), quoted(&self.subscriptions));
        match step {
            Step::Expand => vec![
                format!("ALTER TABLE {accounts} ADD COLUMN IF NOT EXISTS payment_method text"),
                format!(
                    "ALTER TABLE {subscriptions} ADD COLUMN IF NOT EXISTS payment_method text, \
                     ADD COLUMN IF NOT EXISTS external_payment_id text, \
                     ALTER COLUMN \"stripe_subscription_id\" DROP NOT NULL"
                ),
            ],
            // Rows that somebody is writing are passed over: the next run finds them, written or
            // not.
            Step::Backfill { batch, others } => {
                self.backfill(batch, others, " FOR UPDATE SKIP LOCKED")
            }
            Step::Contract => {
                let mut statements = vec![
                    self.remove_placeholders(),
                    "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
                ];
                for (table, name) in [
                    (&accounts, &self.accounts),
                    (&subscriptions, &self.subscriptions),
                ] {
                    // A check that was made and validated beforehand is found, and spares the look
                    // at every row here.
                    statements.push(format!(
                        "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'payment_method_known' \
                         AND conrelid = {}::regclass) THEN ALTER TABLE {table} ADD CONSTRAINT payment_method_known \
                         CHECK ({}) NOT VALID; END IF; END $do$",
                        literal(&quoted(name)),
                        demanded("payment_method"),
                    ));
                    statements.push(format!(
                        "ALTER TABLE {table} VALIDATE CONSTRAINT payment_method_known"
                    ));
                    statements.push(format!(
                        "ALTER TABLE {table} ALTER COLUMN payment_method SET NOT NULL"
                    ));
                }
                statements
            }
            Step::UndoContract => [&accounts, &subscriptions]
                .into_iter()
                .map(|table| {
                    format!(
                        "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS payment_method_known, \
                         ALTER COLUMN payment_method DROP NOT NULL"
                    )
                })
                .collect(),
            Step::UndoExpand => vec![
                // The strongest lock first: taken later, it could wait for somebody who waits for
                // us.
                format!("LOCK TABLE {subscriptions} IN ACCESS EXCLUSIVE MODE"),
                self.write_placeholders(),
                "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
                format!(
                    "ALTER TABLE {subscriptions} ALTER COLUMN \"stripe_subscription_id\" SET NOT NULL"
                ),
            ],
        }
    }

    fn sqlite(
        &self,
        step: Step,
        tables: &sqlite::Tables<'_>,
    ) -> Result<Vec<String>, MigrationError> {
        let (accounts, subscriptions) = (&self.accounts, &self.subscriptions);
        // SQLite reads the quoted name of a column that is not there as a text, which is true of
        // every row.
        for (table, column) in [
            (accounts, self.account_key.as_str()),
            (subscriptions, &self.subscription_key),
            (subscriptions, &self.subscription_account),
            (subscriptions, STRIPE_ID),
        ] {
            tables.demand(table, column)?;
        }
        let mut statements = Vec::new();
        match step {
            Step::Expand => {
                statements
                    .extend(tables.rebuild(subscriptions, STRIPE_ID, |column| column.nullable())?);
                tables.check_nullable(subscriptions, STRIPE_ID)?;
                for (table, column) in [
                    (accounts, "payment_method"),
                    (subscriptions, "payment_method"),
                    (subscriptions, "external_payment_id"),
                ] {
                    if !tables.has(table, column)? {
                        statements.push(format!(
                            "ALTER TABLE {} ADD COLUMN {column} TEXT",
                            quoted(table)
                        ));
                    }
                }
            }
            Step::Backfill { batch, others } => {
                for table in [accounts, subscriptions] {
                    tables.demand(table, "payment_method")?;
                }
                statements = self.backfill(batch, others, "");
            }
            Step::Contract => {
                let contracted = contracted();
                for table in [accounts, subscriptions] {
                    tables.demand_one_of(table, "payment_method", &[EXPANDED, &contracted])?;
                    statements
                        .extend(tables.rebuild(table, "payment_method", |_| contracted.clone())?);
                }
                // In the old table: what is copied has none.
                if !statements.is_empty() {
                    statements.insert(0, self.remove_placeholders());
                }
            }
            Step::UndoContract => {
                for table in [accounts, subscriptions] {
                    tables.demand_one_of(table, "payment_method", &[EXPANDED, &contracted()])?;
                    statements
                        .extend(tables.rebuild(table, "payment_method", |_| EXPANDED.to_owned())?);
                }
            }
            Step::UndoExpand => {
                let rebuilt =
                    tables.rebuild(subscriptions, STRIPE_ID, |column| column.not_nullable())?;
                if !rebuilt.is_empty() {
                    statements.push(self.write_placeholders());
                }
                statements.extend(rebuilt);
            }
        }
        Ok(statements)
    }

    fn backfill(
        &self,
        batch: NonZeroU32,
        others: Option<PaymentMethod>,
        lock: &str,
    ) -> Vec<String> {
        let (accounts, account_key) = (quoted(&self.accounts), quoted(&self.account_key));
        let (subscriptions, key) = (quoted(&self.subscriptions), quoted(&self.subscription_key));
        let owner = quoted(&self.subscription_account);
        let real = format!(
            "\"{STRIPE_ID}\" IS NOT NULL AND \"{STRIPE_ID}\" <> '' AND \"{STRIPE_ID}\" <> '{PLACEHOLDER}' || {key}"
        );
        // Accounts that Stripe bills: by a list, since there may be no index by account.
        let billed = format!(
            "SELECT {owner} FROM {subscriptions} WHERE {owner} IS NOT NULL AND {real} \
             AND coalesce(payment_method, 'stripe') = 'stripe'"
        );
        // Both look for rows without a method: the inner one chooses, and the outer one sees what
        // was written since.
        let fill = |table: &str, key: &str, method: PaymentMethod, which: &str| {
            format!(
                "UPDATE {table} SET payment_method = '{method}' WHERE payment_method IS NULL AND {key} IN \
                 (SELECT {key} FROM {table} WHERE payment_method IS NULL AND {which} ORDER BY {key} LIMIT {batch}{lock})"
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

    fn write_placeholders(&self) -> String {
        let (subscriptions, key) = (quoted(&self.subscriptions), quoted(&self.subscription_key));
        format!(
            "UPDATE {subscriptions} SET \"{STRIPE_ID}\" = '{PLACEHOLDER}' || {key} WHERE \"{STRIPE_ID}\" IS NULL"
        )
    }

    fn remove_placeholders(&self) -> String {
        let (subscriptions, key) = (quoted(&self.subscriptions), quoted(&self.subscription_key));
        format!(
            "UPDATE {subscriptions} SET \"{STRIPE_ID}\" = NULL WHERE \"{STRIPE_ID}\" = '{PLACEHOLDER}' || {key}"
        )
    }
}

/// The column that old code demands.
const STRIPE_ID: &str = "stripe_subscription_id";

/// How SQLite's new column is defined, before it is demanded of every row.
const EXPANDED: &str = "payment_method TEXT";

/// And after.
fn contracted() -> String {
    format!(
        "payment_method TEXT NOT NULL CHECK ({})",
        known("payment_method")
    )
}

/// The condition that a column holds a payment method, and not nothing.
fn demanded(column: &str) -> String {
    format!("{column} IS NOT NULL AND {}", known(column))
}

/// A text as both databases quote it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The condition that a column holds a payment method.
fn known(column: &str) -> String {
    let methods: Vec<String> = PaymentMethod::ALL
        .iter()
        .map(|method| format!("'{method}'"))
        .collect();
    format!("{column} IN ({})", methods.join(", "))
}

/// A name as both databases quote it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
