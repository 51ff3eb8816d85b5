//! The query that reads the catalog.

use super::facts::LegacySchema;
use super::quoting::{literal, quoted};
use super::rows::{PLACEHOLDER, known};
use crate::scope::Dialect;

/// The objects of SQLite: tables first, since indexes and triggers are made again in this order.
const SQLITE_OBJECTS: &str = "SELECT type AS kind, tbl_name AS owner, name, sql AS body, \
     CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END AS place \
     FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'index', 'trigger')";

/// The objects of PostgreSQL that stand on the tables `tree`, which are the two tables with their
/// partitions and heirs. `known` are the columns of the migration, `types` the types of each column
/// of the two tables: the domains, and at last the type below them.
const POSTGRES_OBJECTS: &str = "\
SELECT 'table' AS kind, root AS owner, relname::text AS name, relkind::text AS body \
    FROM tree JOIN pg_class USING (oid) \
UNION ALL SELECT 'column', root, column_name, format_type(type, modifier) \
    FROM types JOIN pg_type t ON t.oid = type WHERE is_root AND t.typtype <> 'd' \
UNION ALL SELECT 'domain', root, format_type(type, NULL), concat_ws(' ', \
        CASE WHEN t.typnotnull THEN 'NOT NULL' END, (SELECT string_agg(pg_get_constraintdef(c.oid), ' ') \
        FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c')) \
    FROM types JOIN pg_type t ON t.oid = type WHERE is_known AND t.typtype = 'd' \
UNION ALL SELECT 'not null', root, attname::text, '' FROM columns WHERE is_root AND is_known AND attnotnull \
UNION ALL SELECT CASE WHEN attgenerated = '' THEN 'default' ELSE 'generated' END, root, attname::text, \
        pg_get_expr(d.adbin, d.adrelid) \
    FROM columns k JOIN pg_attrdef d ON d.adrelid = k.oid AND d.adnum = k.attnum \
UNION ALL SELECT CASE c.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' ELSE 'primary key' END, \
        root, c.conname::text, pg_get_constraintdef(c.oid) \
    FROM tree JOIN pg_constraint c ON c.conrelid = tree.oid \
    WHERE c.contype IN ('c', 'f', 'p') AND (0 = ANY (c.conkey) OR EXISTS (SELECT FROM columns k \
        WHERE k.oid = c.conrelid AND k.is_known AND k.attnum = ANY (c.conkey))) \
UNION ALL SELECT 'unique index', root, indexrelid::regclass::text, pg_get_indexdef(indexrelid) \
    FROM tree JOIN pg_index ON indrelid = tree.oid \
    WHERE (indisunique OR indisexclusion) AND NOT indisprimary \
UNION ALL SELECT CASE l.lanname WHEN 'c' THEN 'compiled trigger' ELSE 'trigger' END, \
        coalesce(root, c.relname::text), g.tgname::text, pg_get_triggerdef(g.oid) || E'\\n' || p.prosrc \
    FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_language l ON l.oid = p.prolang \
    JOIN pg_class c ON c.oid = g.tgrelid LEFT JOIN tree ON tree.oid = g.tgrelid \
    WHERE NOT g.tgisinternal AND (tree.oid IS NOT NULL OR ( \
        position(lower(__SUBSCRIPTIONS__) IN lower(p.prosrc)) > 0 \
        AND position(lower(__STRIPE_ID__) IN lower(p.prosrc)) > 0)) \
UNION ALL SELECT 'replica identity', root, indexrelid::regclass::text, pg_get_indexdef(indexrelid) \
    FROM tree JOIN pg_index ON indrelid = tree.oid WHERE indisreplident AND EXISTS (SELECT FROM columns k \
        WHERE k.oid = indrelid AND k.is_known AND k.attnum = ANY (indkey)) \
UNION ALL SELECT 'partition', root, oid::regclass::text, pg_get_partition_constraintdef(oid) \
    FROM tree WHERE pg_get_partition_constraintdef(oid) IS NOT NULL \
UNION ALL SELECT 'rule', root, rulename::text, pg_get_ruledef(r.oid) \
    FROM tree JOIN pg_rewrite r ON r.ev_class = tree.oid WHERE rulename <> '_RETURN' \
UNION ALL SELECT 'policy', root, polname::text, concat_ws(' ', \
        'USING (' || pg_get_expr(polqual, polrelid) || ')', \
        'WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')') \
    FROM tree JOIN pg_class c USING (oid) JOIN pg_policy ON polrelid = c.oid WHERE c.relrowsecurity \
UNION ALL SELECT 'row security', root, current_user::text, '' FROM tree WHERE is_root AND row_security_active(oid) \
UNION ALL SELECT 'check option', root, v.relname::text, pg_get_viewdef(v.oid) \
    FROM tree JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = tree.oid \
    AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite r ON r.oid = d.objid \
    JOIN pg_class v ON v.oid = r.ev_class \
    WHERE v.relkind = 'v' AND array_to_string(v.reloptions, ',') LIKE '%check_option%'";

impl LegacySchema {
    /// Returns the query that reads the [`Catalog`](super::Catalog): rows of four texts, a
    /// [`CatalogRow`](super::CatalogRow) each. It changes nothing. It looks at every row of both
    /// tables once, for values that are not understood, and fails if one of the tables is missing.
    pub fn catalog(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => format!(
                "SELECT kind, owner, name, body FROM ({SQLITE_OBJECTS} \
                 UNION ALL SELECT kind, owner, name, body, 3 FROM ({})) ORDER BY place",
                self.values("group_concat"),
            ),
            Dialect::Postgres => format!(
                "{} SELECT DISTINCT kind, owner, name, body FROM ({} UNION ALL {}) AS found",
                self.trees(),
                POSTGRES_OBJECTS
                    .replace("__SUBSCRIPTIONS__", &literal(&self.subscriptions))
                    .replace("__STRIPE_ID__", &literal(&self.stripe_id)),
                self.values("string_agg"),
            ),
        }
    }

    /// Returns the tables `tree`, `columns` and `types` that the query on PostgreSQL reads.
    fn trees(&self) -> String {
        let root = |table: &str| {
            format!(
                "SELECT {}::text AS root, to_regclass({})::oid AS oid",
                literal(table),
                literal(&quoted(table))
            )
        };
        let known: Vec<String> = [self.accounts.as_str(), &self.subscriptions]
            .into_iter()
            .map(|table| {
                let columns: Vec<String> =
                    self.columns_of(table).into_iter().map(literal).collect();
                format!(
                    "(root = {} AND attname IN ({}))",
                    literal(table),
                    columns.join(", ")
                )
            })
            .collect();

        format!(
            "WITH RECURSIVE tree AS (SELECT root, oid, true AS is_root FROM ({} UNION ALL {}) AS roots \
             JOIN pg_class USING (oid) WHERE relkind IN ('r', 'p') \
             UNION SELECT root, inhrelid, false FROM tree JOIN pg_inherits ON inhparent = oid), \
             columns AS (SELECT root, oid, is_root, {} AS is_known, attnum, attname, \
             attnotnull, attgenerated, atttypid, atttypmod FROM tree JOIN pg_attribute ON attrelid = oid \
             WHERE attnum > 0 AND NOT attisdropped), \
             types AS (SELECT root, is_root, is_known, attname::text AS column_name, atttypid AS type, \
             atttypmod AS modifier FROM columns \
             UNION SELECT root, is_root, is_known, column_name, typbasetype, typtypmod \
             FROM types JOIN pg_type t ON t.oid = type WHERE typtype = 'd')",
            root(&self.accounts),
            root(&self.subscriptions),
            known.join(" OR "),
        )
    }

    /// Returns the query of the values that are not understood, as one text for each column.
    fn values(&self, aggregate: &str) -> String {
        let is_foreign = format!("NOT ({})", known("value"));
        // A legacy identifier of Stripe's, an empty text, and a placeholder are all expected.
        let is_no_stripe_id = format!(
            "value <> '' AND substr(value, 1, 4) <> 'sub_' AND substr(value, 1, {}) <> '{PLACEHOLDER}'",
            PLACEHOLDER.chars().count(),
        );

        let of = |kind: &str, table: &str, column: &str, condition: &str| {
            let name = quoted(column);
            // A column that is not there yet is found as that of the one row around, which is null.
            format!(
                "SELECT '{kind}' AS kind, {} AS owner, {} AS name, (SELECT {aggregate}(value, ', ') \
                 FROM (SELECT DISTINCT value FROM (SELECT CAST({name} AS text) AS value FROM {}) AS texts \
                 WHERE {condition} LIMIT 10) AS samples) AS body FROM (SELECT NULL AS {name}) AS absent",
                literal(table),
                literal(column),
                quoted(table),
            )
        };

        format!(
            "SELECT kind, owner, name, body FROM ({} UNION ALL {} UNION ALL {}) AS found_values \
             WHERE body IS NOT NULL",
            of("methods", &self.accounts, &self.payment_method, &is_foreign),
            of(
                "methods",
                &self.subscriptions,
                &self.payment_method,
                &is_foreign
            ),
            of(
                "identifiers",
                &self.subscriptions,
                &self.stripe_id,
                &is_no_stripe_id
            ),
        )
    }
}
