//! The migration from a schema that knew Stripe only, in three steps that can be undone: expand,
//! backfill, contract.
//!
//! It is for a host whose `subscriptions` have a `stripe_subscription_id` that is `NOT NULL
//! UNIQUE`, and whose rows have no `payment_method`. Each step is a list of statements, which the
//! host runs on one connection. A step that is run again changes nothing.
//!
//! | after | rows of old writers | rows of new writers | old readers | new readers |
//! |---|---|---|---|---|
//! | expanding | yes | with a Stripe identifier | yes | yes, by [`PaymentMethod::of_row`] |
//! | backfilling | yes | with a Stripe identifier | yes | yes |
//! | old code is gone | – | of any method | – | yes |
//! | contracting | refused | of any method | – | yes |
//!
//! # First program
//! ```
//! use bailiwick::migration::{Catalog, LegacySchema, MigrationError, Step};
//!
//! fn main() -> Result<(), MigrationError> {
//!     let schema = LegacySchema::default();
//!     let statements = schema.statements(Step::Expand, &Catalog::Postgres)?;
//!     assert_eq!((statements[0].as_str(), statements[5].as_str()), ("BEGIN", "COMMIT"));
//!
//!     // SQLite drops a constraint by rebuilding the table from its own text.
//!     let subscriptions = "CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, \
//!         account_id INTEGER NOT NULL, stripe_subscription_id TEXT NOT NULL UNIQUE)";
//!     let accounts = "CREATE TABLE accounts (id INTEGER PRIMARY KEY)";
//!     let catalog = Catalog::Sqlite(vec![
//!         ("accounts".into(), accounts.into()),
//!         ("subscriptions".into(), subscriptions.into()),
//!     ]);
//!     let statements = schema.statements(Step::Expand, &catalog)?;
//!     assert!(statements[3].contains("stripe_subscription_id TEXT UNIQUE"));
//!     Ok(())
//! }
//! ```
//!
//! # The types, in the order in which one meets them
//! | item | role |
//! |---|---|
//! | [`LegacySchema`] | the names in the host's old schema; makes the statements |
//! | [`Step`] | a step of the migration, or of the way back |
//! | [`Catalog`], [`SQLITE_CATALOG`] | the present state of the database, and the query that reads it on SQLite |
//! | [`MigrationError`] | the reason why there is no script for a step |
//!
//! # Rules for a host
//! - Follow the order of [`manual::rollout`](crate::manual::rollout): it says what to do between
//!   the steps, and what each of them allows.
//! - Run the statements of a step one by one on one connection, and stop at the first that fails.
//! - On SQLite, read the catalog again before each step.
//! - Contract only when both counts of [`LegacySchema::unfinished`] are zero.
//!
//! [`PaymentMethod::of_row`]: crate::payment_method::PaymentMethod::of_row

mod definition;
mod error;
mod facts;
mod postgres;
mod quoting;
mod rows;
mod script;
mod sqlite;
mod tables;
mod token;

pub use error::MigrationError;
pub use facts::{Catalog, LegacySchema, SQLITE_CATALOG, Step};
