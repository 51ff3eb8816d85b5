//! The steps on PostgreSQL.

use super::facts::{EXTERNAL_ID, LegacySchema, Step};
use super::quoting::{literal, quoted};
use super::rows::demanded;

/// The name of the check that demands a payment method.
pub(super) const OWN_CHECK: &str = "payment_method_known";

impl LegacySchema {
    pub(super) fn postgres(&self, step: Step) -> Vec<String> {
        let accounts = quoted(&self.accounts);
        let subscriptions = quoted(&self.subscriptions);
        let stripe_id = quoted(&self.stripe_id);
        let payment_method = quoted(&self.payment_method);

        match step {
            Step::Expand => vec![
                format!("ALTER TABLE {accounts} ADD COLUMN IF NOT EXISTS {payment_method} text"),
                format!(
                    "ALTER TABLE {subscriptions} ADD COLUMN IF NOT EXISTS {payment_method} text, \
                     ADD COLUMN IF NOT EXISTS {EXTERNAL_ID} text, \
                     ALTER COLUMN {stripe_id} DROP NOT NULL"
                ),
            ],
            // Rows that are being written are skipped: the next run finds them, written or not.
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
                    // A check that was made and validated beforehand is found, and then no row has
                    // to be read here.
                    statements.push(format!(
                        "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_constraint \
                         WHERE conname = '{OWN_CHECK}' \
                         AND conrelid = {}::regclass) THEN ALTER TABLE {table} \
                         ADD CONSTRAINT {OWN_CHECK} \
                         CHECK ({}) NOT VALID; END IF; END $do$",
                        literal(&quoted(name)),
                        demanded(&payment_method),
                    ));

                    statements.push(format!(
                        "ALTER TABLE {table} VALIDATE CONSTRAINT {OWN_CHECK}"
                    ));
                    statements.push(format!(
                        "ALTER TABLE {table} ALTER COLUMN {payment_method} SET NOT NULL"
                    ));
                }

                statements
            }
            Step::UndoContract => [&accounts, &subscriptions]
                .into_iter()
                .map(|table| {
                    format!(
                        "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {OWN_CHECK}, \
                         ALTER COLUMN {payment_method} DROP NOT NULL"
                    )
                })
                .collect(),
            Step::UndoExpand => vec![
                // The strongest lock comes first: taken later, it could deadlock with a writer.
                format!("LOCK TABLE {subscriptions} IN ACCESS EXCLUSIVE MODE"),
                self.write_placeholders(),
                "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
                format!(
                    "ALTER TABLE {subscriptions} \
                     ALTER COLUMN {stripe_id} SET NOT NULL"
                ),
            ],
        }
    }
}
