//! The way over from a schema that knew Stripe only, for a host whose `subscriptions` have a `stripe_subscription_id` that
//! is `NOT NULL UNIQUE`, and whose rows have no `payment_method`: expand, backfill, contract, and the way back.
//!
//! Each step is a script: facts in, text out, run by the host on one connection. Run again, a step changes nothing. What
//! to do between the steps, and what each allows, is in [`manual::rollout`](crate::manual::rollout).
//!
//! | step | rows of old writers | rows of new writers | old readers | new readers |
//! |---|---|---|---|---|
//! | expanded | yes | with a Stripe identifier | yes | yes, by [`PaymentMethod::of_row`] |
//! | backfilled | yes | with a Stripe identifier | yes | yes |
//! | old code gone | – | of any method | – | yes |
//! | contracted | refused | of any method | – | yes |
//!
//! ```
//! use bailiwick::{PaymentMethod, migration::{Catalog, LegacySchema, Step}};
//! let schema = LegacySchema::default();
//! let script = schema.script(Step::Expand, &Catalog::Postgres)?;
//! assert!(script.contains(r#"ALTER COLUMN "stripe_subscription_id" DROP NOT NULL"#));
//!
//! // On SQLite a constraint is dropped by rebuilding its table, from its own text.
//! let catalog = Catalog::Sqlite(vec![
//!     ("accounts".into(), "CREATE TABLE accounts (id INTEGER PRIMARY KEY)".into()),
//!     ("subscriptions".into(), "CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, \
//!         stripe_subscription_id TEXT NOT NULL UNIQUE)".into()),
//! ]);
//! let script = schema.script(Step::Expand, &catalog)?;
//! assert!(script.contains("stripe_subscription_id TEXT UNIQUE"));
//! # Ok::<(), bailiwick::migration::MigrationError>(())
//! ```

mod sqlite;

use thiserror::Error;

use crate::problem::{Code, Explained};
use crate::subscription::PaymentMethod;

/// What a subscription without a Stripe identifier gets in its place on the way back, where the column allows no null. The
/// way out takes it away again. It is no identifier of Stripe's, so asking Stripe for it finds nothing.
pub const PLACEHOLDER: &str = "no-stripe-subscription:";

/// The names in the host's old schema.
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
    /// Adds the new columns, empty, and lets a subscription have no Stripe identifier. Old code does not notice.
    Expand,
    /// Writes what an old row means, a batch of rows at a time: run it until [`LegacySchema::unfinished`] counts nothing.
    Backfill {
        /// The most rows that one run touches in each table, so that no lock is held for long.
        batch: u32,
        /// How accounts pay that never had a Stripe subscription, such as free ones. Somebody chooses it; `None` leaves
        /// them as they are.
        others: Option<PaymentMethod>,
    },
    /// Demands a payment method of every row. It fails, and changes nothing, while a row has none.
    Contract,
    /// Takes the demand back, so that old code can write again.
    UndoContract,
    /// Demands a Stripe identifier again, as old code expects. Rows without one get a [`PLACEHOLDER`]; the new columns
    /// stay, so that nothing is lost.
    UndoExpand,
}

/// What is there now, in the host's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// PostgreSQL: its statements look for themselves.
    Postgres,
    /// SQLite: the name of the table and the text of each table, index and trigger that [`SQLITE_CATALOG`] finds.
    Sqlite(Vec<(String, String)>),
}

/// Reads the [`Catalog`] of SQLite: rows of (table, text). Views name no table, and need not be found.
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
    /// The table's text is not one that can be rebuilt safely: it has generated columns, or is not read.
    #[error("the table {0} must be rebuilt by hand: it has generated columns, or its text is not understood")]
    TableUnreadable(String),
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
    /// The script of a step: statements to run on one connection, in one go, with nothing else on it. Empty where nothing
    /// is to do. It begins and ends its own transaction; if a statement fails, roll back, and nothing has changed.
    pub fn script(&self, step: Step, catalog: &Catalog) -> Result<String, MigrationError> {
        let body = match catalog {
            Catalog::Postgres => self.postgres(step),
            Catalog::Sqlite(objects) => self.sqlite(step, &sqlite::Tables::new(objects))?,
        };
        if body.is_empty() {
            return Ok(String::new());
        }
        let (before, after) = match catalog {
            // A table that is waited for makes everyone else wait: rather fail, and try again.
            Catalog::Postgres => ("BEGIN;\nSET LOCAL lock_timeout = '5s';\n", "COMMIT;\n"),
            // While a table is rebuilt, what refers to it by its name is left alone.
            Catalog::Sqlite(_) => (
                "PRAGMA foreign_keys = OFF;\nPRAGMA legacy_alter_table = ON;\nBEGIN IMMEDIATE;\n",
                "COMMIT;\nPRAGMA legacy_alter_table = OFF;\nPRAGMA foreign_keys = ON;\n",
            ),
        };
        let statements: String = body.iter().map(|statement| format!("{statement};\n")).collect();
        Ok(format!("{before}{statements}{after}"))
    }

    /// Counts the rows that are not backfilled yet: accounts, then subscriptions. Only when both are zero can the schema
    /// be contracted.
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
                self.remove_placeholders(),
            ],
            Step::Backfill { batch, others } => self.backfill(batch, others),
            Step::Contract => [&accounts, &subscriptions]
                .into_iter()
                .flat_map(|table| {
                    [
                        format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS payment_method_known"),
                        format!(
                            "ALTER TABLE {table} ADD CONSTRAINT payment_method_known CHECK ({})",
                            known("payment_method")
                        ),
                        format!("ALTER TABLE {table} ALTER COLUMN payment_method SET NOT NULL"),
                    ]
                })
                .collect(),
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
                self.write_placeholders(),
                format!("ALTER TABLE {subscriptions} ALTER COLUMN \"stripe_subscription_id\" SET NOT NULL"),
            ],
        }
    }

    fn sqlite(&self, step: Step, tables: &sqlite::Tables<'_>) -> Result<Vec<String>, MigrationError> {
        let (accounts, subscriptions) = (&self.accounts, &self.subscriptions);
        let mut script = Vec::new();
        match step {
            Step::Expand => {
                script.extend(tables.rebuild(subscriptions, "stripe_subscription_id", |column| column.nullable())?);
                for (table, column) in [
                    (accounts, "payment_method"),
                    (subscriptions, "payment_method"),
                    (subscriptions, "external_payment_id"),
                ] {
                    if !tables.has(table, column)? {
                        script.push(format!("ALTER TABLE {} ADD COLUMN {column} TEXT", quoted(table)));
                    }
                }
                script.push(self.remove_placeholders());
            }
            Step::Backfill { batch, others } => {
                for table in [accounts, subscriptions] {
                    tables.demand(table, "payment_method")?;
                }
                script = self.backfill(batch, others);
            }
            Step::Contract => {
                let demanded = format!("payment_method TEXT NOT NULL CHECK ({})", known("payment_method"));
                for table in [accounts, subscriptions] {
                    script.extend(tables.rebuild(table, "payment_method", |_| demanded.clone())?);
                }
            }
            Step::UndoContract => {
                for table in [accounts, subscriptions] {
                    script.extend(tables.rebuild(table, "payment_method", |_| "payment_method TEXT".to_owned())?);
                }
            }
            Step::UndoExpand => {
                let rebuilt =
                    tables.rebuild(subscriptions, "stripe_subscription_id", |column| column.not_nullable())?;
                if !rebuilt.is_empty() {
                    script.push(self.write_placeholders());
                }
                script.extend(rebuilt);
            }
        }
        Ok(script)
    }

    fn backfill(&self, batch: u32, others: Option<PaymentMethod>) -> Vec<String> {
        let (accounts, account_key) = (quoted(&self.accounts), quoted(&self.account_key));
        let (subscriptions, key) = (quoted(&self.subscriptions), quoted(&self.subscription_key));
        let owner = quoted(&self.subscription_account);
        let paid = format!(
            "EXISTS (SELECT 1 FROM {subscriptions} AS paid WHERE paid.{owner} = {accounts}.{account_key} \
             AND paid.\"stripe_subscription_id\" IS NOT NULL)"
        );
        let fill = |table: &str, key: &str, method: PaymentMethod, which: &str| {
            format!(
                "UPDATE {table} SET payment_method = '{method}' WHERE {key} IN \
                 (SELECT {key} FROM {table} WHERE payment_method IS NULL AND {which} ORDER BY {key} LIMIT {batch})"
            )
        };
        let stripe = PaymentMethod::Stripe;
        let mut script = vec![
            fill(&subscriptions, &key, stripe, "\"stripe_subscription_id\" IS NOT NULL"),
            fill(&accounts, &account_key, stripe, &paid),
        ];
        script.extend(others.map(|others| fill(&accounts, &account_key, others, &format!("NOT {paid}"))));
        script
    }

    fn write_placeholders(&self) -> String {
        let (subscriptions, key) = (quoted(&self.subscriptions), quoted(&self.subscription_key));
        format!(
            "UPDATE {subscriptions} SET \"stripe_subscription_id\" = '{PLACEHOLDER}' || {key} \
             WHERE \"stripe_subscription_id\" IS NULL"
        )
    }

    fn remove_placeholders(&self) -> String {
        let (subscriptions, key) = (quoted(&self.subscriptions), quoted(&self.subscription_key));
        format!(
            "UPDATE {subscriptions} SET \"stripe_subscription_id\" = NULL \
             WHERE \"stripe_subscription_id\" = '{PLACEHOLDER}' || {key}"
        )
    }
}

/// The condition that a column holds a payment method.
fn known(column: &str) -> String {
    let methods: Vec<String> = PaymentMethod::ALL.iter().map(|method| format!("'{method}'")).collect();
    format!("{column} IN ({})", methods.join(", "))
}

/// A name as both databases quote it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
