//! The migration from a schema that knew Stripe only, in three steps that can be undone: expand,
//! backfill, contract.
//!
//! It is for a host whose `subscriptions` have a column with Stripe's identifier that is `NOT NULL
//! UNIQUE`, under whatever name, and whose rows do not say how they are paid. Each step is a list of
//! statements, which the host runs on one connection. A step that is run again changes nothing.
//!
//! The host runs a query of its catalog first. Whatever could refuse a row of a later step is named
//! before the first one, with its text and a remedy. An expression is not guessed at: what names one
//! of the columns and is not understood is an obstacle, until a person has read it and says that it
//! is harmless.
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
//! use bailiwick::migration::{Catalog, LegacySchema, MigrationError, ObstacleKind, Step};
//! use bailiwick::scope::Dialect;
//!
//! let schema = LegacySchema::default();
//!
//! // The host runs this query, and passes its rows on as they are: kind, table, name, text.
//! assert!(schema.catalog(Dialect::Sqlite).contains("sqlite_schema"));
//! let row = |kind: &str, table: &str, name: &str, text: &str| {
//!     (kind.to_owned(), table.to_owned(), name.to_owned(), text.to_owned())
//! };
//! let accounts = "CREATE TABLE accounts (id INTEGER PRIMARY KEY)";
//! let subscriptions = "CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, \
//!     account_id INTEGER NOT NULL, stripe_subscription_id TEXT NOT NULL UNIQUE)";
//! let mut rows = vec![
//!     row("table", "accounts", "accounts", accounts),
//!     row("table", "subscriptions", "subscriptions", subscriptions),
//! ];
//!
//! // SQLite drops a constraint by rebuilding the table from its own text.
//! let statements = schema.statements(Step::Expand, &Catalog::Sqlite(rows.clone()))?;
//! assert!(statements[3].contains("stripe_subscription_id TEXT UNIQUE"));
//!
//! // What could refuse a row of a later step is named before the first one.
//! let trigger = "CREATE TRIGGER has_one BEFORE INSERT ON subscriptions \
//!     WHEN new.stripe_subscription_id IS NULL BEGIN SELECT raise(ABORT, 'none'); END";
//! rows.push(row("trigger", "subscriptions", "has_one", trigger));
//! let refused = schema.statements(Step::Expand, &Catalog::Sqlite(rows));
//! let Err(MigrationError::Obstacles(obstacles)) = refused else {
//!     panic!("the trigger is an obstacle");
//! };
//! assert_eq!(obstacles[0].kind, ObstacleKind::Trigger);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The types, in the order in which one meets them
//! | item | role |
//! |---|---|
//! | [`LegacySchema`] | the names in the host's old schema, and what a person found harmless; makes the query of the catalog and the statements |
//! | [`Catalog`], [`CatalogRow`] | the present state of the database, as the query reads it |
//! | [`Step`] | a step of the migration, or of the way back |
//! | [`MigrationError`] | the reason why there is no script for a step |
//! | [`Obstacle`], [`ObstacleKind`] | what could refuse a row of a later step, and its remedy |
//!
//! # Rules for a host
//! - Follow the order of [`manual::rollout`](crate::manual::rollout): it says what to do between
//!   the steps, and what each of them allows.
//! - Run the statements of a step one by one on one connection, and stop at the first that fails.
//! - Read the catalog again before each step. The batches of a backfill may share their statements.
//! - Read an obstacle's text before you name it as harmless.
//! - Contract only when both counts of [`LegacySchema::unfinished`] are zero.
//!
//! [`PaymentMethod::of_row`]: crate::payment_method::PaymentMethod::of_row

mod catalog;
mod definition;
mod error;
mod expression;
mod facts;
mod judge;
mod obstacle;
mod postgres;
mod postgres_obstacles;
mod quoting;
mod rows;
mod script;
mod sqlite;
mod sqlite_obstacles;
mod tables;
mod token;

pub use error::MigrationError;
pub use facts::{Catalog, CatalogRow, LegacySchema, Step};
pub use obstacle::{Obstacle, ObstacleKind};
