//! The DDL of a table, from its declaration.

use std::fmt::Write;

use super::dialect::Dialect;
use super::render::postgres_type;
use super::table::{IdColumn, KeyColumn, Reference, Schema, Table, schema_of};
use super::value::ValueKind;

/// The DDL that creates a table as it is declared: `CREATE TABLE`, and an index for each reference.
/// Run it once, after the tables that it refers to are there.
///
/// Its primary key is the tenant columns and the key; on SQLite, whose rowid is the generated key,
/// that key alone. Every unique key begins with the tenant columns, so that nobody learns from a
/// clash what others have, and a sharded PostgreSQL can keep it. Every foreign key is composite: it
/// has the tenant columns that both tables share, so that the database itself refuses a row that
/// refers to another tenant's. On SQLite foreign keys hold where `PRAGMA foreign_keys` is on. Text
/// compares byte by byte.
///
/// What it does not write: defaults, checks, and what becomes of rows whose reference goes (`ON
/// DELETE`). Where tables refer to each other in a ring, PostgreSQL takes one of the foreign keys
/// only later, by `ALTER TABLE`. It is a text to begin with; what is added to it changes nothing
/// for the crate.
///
/// ```
/// use bailiwick::scope::{Dialect, create_table};
/// bailiwick::table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
/// bailiwick::table! {
///     /// The articles of a site.
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column TITLE = "title" String;
///         unique BY_TITLE = ("title" String);
///     }
/// }
/// assert_eq!(create_table::<Article>(Dialect::Sqlite), r#"CREATE TABLE "articles" (
///     "account_id" INTEGER NOT NULL,
///     "site_id" INTEGER NOT NULL,
///     "id" INTEGER PRIMARY KEY AUTOINCREMENT,
///     "title" TEXT NOT NULL,
///     UNIQUE ("account_id", "site_id", "id"),
///     UNIQUE ("account_id", "site_id", "title"),
///     FOREIGN KEY ("account_id", "site_id") REFERENCES "sites" ("account_id", "id")
/// );
/// "#);
/// ```
pub fn create_table<T: Table>(dialect: Dialect) -> String {
    let schema = schema_of::<T>();
    let tenant: Vec<&str> = schema.tenant.iter().map(|column| column.name).collect();
    let mut lines = Vec::new();
    for IdColumn { name, kind } in schema.tenant {
        lines.push(format!(
            "\"{name}\" {} NOT NULL",
            type_name(ValueKind::of_id(*kind), dialect)
        ));
    }
    let mut unique: Vec<Vec<&str>> = Vec::new();
    match &schema.key {
        KeyColumn::Own {
            column: IdColumn { name, kind },
            generated: true,
        } => {
            lines.push(format!(
                "\"{name}\" {}",
                generated_key(ValueKind::of_id(*kind), dialect)
            ));
            // What refers to the row does so by these.
            if dialect == Dialect::Sqlite && !tenant.is_empty() {
                unique.push([tenant.as_slice(), &[*name]].concat());
            }
        }
        KeyColumn::Own {
            column: IdColumn { name, kind },
            generated: false,
        } => {
            lines.push(format!(
                "\"{name}\" {} NOT NULL",
                type_name(ValueKind::of_id(*kind), dialect)
            ));
        }
        KeyColumn::Tenant => {}
    }
    for column in schema.columns {
        let null = if column.nullable { "" } else { " NOT NULL" };
        lines.push(format!(
            "\"{}\" {}{null}",
            column.name,
            type_name(column.kind, dialect)
        ));
    }
    match &schema.key {
        KeyColumn::Own {
            generated: true, ..
        } if dialect == Dialect::Sqlite => {}
        KeyColumn::Own { column, .. } => {
            lines.push(format!(
                "PRIMARY KEY ({})",
                list(&[tenant.as_slice(), &[column.name]].concat())
            ));
        }
        KeyColumn::Tenant => lines.push(format!("PRIMARY KEY ({})", list(&tenant))),
    }
    unique.extend(
        schema
            .uniques
            .iter()
            .map(|columns| [tenant.as_slice(), columns].concat()),
    );
    lines.extend(
        unique
            .iter()
            .map(|columns| format!("UNIQUE ({})", list(columns))),
    );
    if let (Some(parent), [.., last]) = (schema.parent, schema.tenant) {
        lines.extend(foreign_key(schema, parent, last.name));
    }
    for Reference { column, target } in schema.references {
        lines.extend(foreign_key(schema, target(), column));
    }
    let mut ddl = format!(
        "CREATE TABLE \"{}\" (\n    {}\n);\n",
        schema.name,
        lines.join(",\n    ")
    );
    for Reference { column, .. } in schema.references {
        let columns = list(&[tenant.as_slice(), &[*column]].concat());
        let name = match dialect {
            // A declared name has no dot, so no two of them are the same.
            Dialect::Sqlite => format!("\"{}.{column}\" ", schema.name),
            // PostgreSQL cuts long names, and makes one itself.
            Dialect::Postgres => String::new(),
        };
        // Writing into a text cannot fail.
        let _ = writeln!(
            ddl,
            "CREATE INDEX {name}ON \"{}\" ({columns});",
            schema.name
        );
    }
    ddl
}

fn list(columns: &[&str]) -> String {
    columns
        .iter()
        .map(|column| format!("\"{column}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The tenant columns that both tables share, and the column that holds the other's key. None where
/// they are of different kinds, which no database compares.
fn foreign_key(schema: &Schema, target: &Schema, column: &str) -> Option<String> {
    let KeyColumn::Own { column: key, .. } = &target.key else {
        return None;
    };
    let of_site = schema.tenant.iter().find(|own| own.name == column);
    if !schema.can_refer_to(target) || of_site.is_some_and(|own| own.kind != key.kind) {
        return None;
    }
    let own: Vec<_> = schema
        .tenant
        .iter()
        .zip(target.tenant)
        .map(|(own, _)| own.name)
        .chain([column])
        .collect();
    let theirs: Vec<_> = target
        .tenant
        .iter()
        .map(|column| column.name)
        .chain([key.name])
        .collect();
    Some(format!(
        "FOREIGN KEY ({}) REFERENCES \"{}\" ({})",
        list(&own),
        target.name,
        list(&theirs)
    ))
}

fn generated_key(kind: ValueKind, dialect: Dialect) -> &'static str {
    match (dialect, kind) {
        // Without AUTOINCREMENT the key of a row that is gone is given again.
        (Dialect::Sqlite, ValueKind::Integer) => "INTEGER PRIMARY KEY AUTOINCREMENT",
        (Dialect::Sqlite, ValueKind::Text) => {
            "TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(16))))"
        }
        (Dialect::Sqlite, _) => "BLOB NOT NULL PRIMARY KEY DEFAULT (randomblob(16))",
        (Dialect::Postgres, ValueKind::Integer) => "bigint GENERATED BY DEFAULT AS IDENTITY",
        (Dialect::Postgres, ValueKind::Text) => {
            "text COLLATE \"C\" NOT NULL DEFAULT gen_random_uuid()::text"
        }
        (Dialect::Postgres, _) => "uuid NOT NULL DEFAULT gen_random_uuid()",
    }
}

fn type_name(kind: ValueKind, dialect: Dialect) -> String {
    match (dialect, kind) {
        (Dialect::Postgres, ValueKind::Text) => "text COLLATE \"C\"".to_owned(),
        #[cfg(feature = "decimal")]
        (Dialect::Postgres, ValueKind::Decimal(places)) => format!("numeric(18, {places})"),
        (Dialect::Postgres, kind) => postgres_type(kind).to_owned(),
        (Dialect::Sqlite, ValueKind::Integer) => "INTEGER".to_owned(),
        (Dialect::Sqlite, ValueKind::Boolean) => "BOOLEAN".to_owned(),
        (Dialect::Sqlite, ValueKind::Text | ValueKind::Timestamp) => "TEXT".to_owned(),
        (Dialect::Sqlite, ValueKind::Bytes) => "BLOB".to_owned(),
        #[cfg(feature = "uuid")]
        (Dialect::Sqlite, ValueKind::Uuid) => "BLOB".to_owned(),
        #[cfg(feature = "decimal")]
        (Dialect::Sqlite, ValueKind::Decimal(_)) => "INTEGER".to_owned(),
        #[cfg(feature = "json")]
        (Dialect::Sqlite, ValueKind::Json) => "TEXT".to_owned(),
    }
}
