//! The DDL of a table, from its declaration.

use super::dialect::Dialect;
use super::render::postgres_type;
use super::table::{DataColumn, IdColumn, KeyColumn, Schema, Table, schema_of};
use super::value::ValueKind;

/// Writes the DDL that creates a table as it is declared: `CREATE TABLE`, and an index for each
/// reference. Run it once, after the tables that it refers to exist.
///
/// - The primary key is the tenant columns and the key. On SQLite, whose rowid is the generated
///   key, it is that key alone.
/// - Every unique key begins with the tenant columns, so that nobody learns from a conflict what
///   others have, and so that a sharded PostgreSQL can enforce it.
/// - Every foreign key has the tenant columns that both tables share, so that the database itself
///   refuses a row that refers to another tenant's. SQLite enforces foreign keys only where `PRAGMA
///   foreign_keys` is on.
/// - Text compares byte by byte.
///
/// It does not write defaults, checks, and what becomes of rows whose reference is deleted (`ON
/// DELETE`). If tables refer to each other in a ring, PostgreSQL takes one of the foreign keys only
/// later, by `ALTER TABLE`. The text is a beginning: whatever a host adds to it changes nothing for
/// this crate.
///
/// ```
/// use bailiwick::scope::{Dialect, create_table};
/// use bailiwick::table;
///
/// table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
/// table! {
///     /// The articles of a site.
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column TITLE = "title" String;
///         unique BY_TITLE = ("title" String);
///     }
/// }
///
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
#[doc(alias = "schema")]
#[doc(alias = "migration")]
pub fn create_table<T: Table>(dialect: Dialect) -> String {
    let schema = schema_of::<T>();

    let mut lines = columns(schema, dialect);
    lines.extend(primary_key(schema, dialect));
    lines.extend(unique_keys(schema, dialect));
    lines.extend(foreign_keys(schema));

    let mut ddl = format!(
        "CREATE TABLE \"{}\" (\n    {}\n);\n",
        schema.name,
        lines.join(",\n    ")
    );
    ddl.extend(indexes(schema, dialect));
    ddl
}

/// The names of the tenant columns, and then those of others.
fn with_tenant(schema: &Schema, others: &[&'static str]) -> Vec<&'static str> {
    let tenant = schema.tenant.iter().map(|column| column.name);
    tenant.chain(others.iter().copied()).collect()
}

/// Names of columns as SQL lists them.
fn list(columns: &[&str]) -> String {
    let quoted: Vec<_> = columns
        .iter()
        .map(|column| format!("\"{column}\""))
        .collect();
    quoted.join(", ")
}

fn columns(schema: &Schema, dialect: Dialect) -> Vec<String> {
    let id_column = |IdColumn { name, kind }: &IdColumn| {
        let kind = type_name(ValueKind::of_id(*kind), dialect);
        format!("\"{name}\" {kind} NOT NULL")
    };
    let key = match &schema.key {
        KeyColumn::Own {
            column,
            generated: true,
        } => {
            let kind = generated_key(ValueKind::of_id(column.kind), dialect);
            Some(format!("\"{}\" {kind}", column.name))
        }
        KeyColumn::Own {
            column,
            generated: false,
        } => Some(id_column(column)),
        KeyColumn::Tenant => None,
    };
    let data_column = |column: &DataColumn| {
        let kind = type_name(column.kind, dialect);
        let null = if column.nullable { "" } else { " NOT NULL" };
        format!("\"{}\" {kind}{null}", column.name)
    };

    let tenant = schema.tenant.iter().map(id_column);
    let others = schema.columns.iter().map(data_column);
    tenant.chain(key).chain(others).collect()
}

/// The primary key, unless the column of the key says so itself.
fn primary_key(schema: &Schema, dialect: Dialect) -> Option<String> {
    let columns = match &schema.key {
        KeyColumn::Own {
            generated: true, ..
        } if dialect == Dialect::Sqlite => return None,
        KeyColumn::Own { column, .. } => with_tenant(schema, &[column.name]),
        KeyColumn::Tenant => with_tenant(schema, &[]),
    };
    Some(format!("PRIMARY KEY ({})", list(&columns)))
}

fn unique_keys(schema: &Schema, dialect: Dialect) -> Vec<String> {
    let mut keys = Vec::new();

    // A foreign key refers to these columns together, and so they must be unique together. On
    // PostgreSQL they are the primary key.
    if let KeyColumn::Own {
        column,
        generated: true,
    } = &schema.key
        && dialect == Dialect::Sqlite
        && !schema.tenant.is_empty()
    {
        keys.push(with_tenant(schema, &[column.name]));
    }

    let declared = schema.uniques.iter();
    keys.extend(declared.map(|columns| with_tenant(schema, columns)));

    keys.iter()
        .map(|columns| format!("UNIQUE ({})", list(columns)))
        .collect()
}

fn foreign_keys(schema: &Schema) -> Vec<String> {
    let parent = match (schema.parent, schema.tenant) {
        (Some(parent), [.., last]) => foreign_key(schema, parent, last.name),
        _ => None,
    };
    let references = schema
        .references
        .iter()
        .filter_map(|reference| foreign_key(schema, (reference.target)(), reference.column));
    parent.into_iter().chain(references).collect()
}

/// The foreign key of a column: the tenant columns that both tables share, and the column that
/// holds the other's key. `None` if they are of different kinds, which no database compares.
fn foreign_key(schema: &Schema, target: &Schema, column: &str) -> Option<String> {
    let key = target.key.own()?;
    let of_tenant = schema.tenant.iter().find(|own| own.name == column);
    if !schema.can_refer_to(target) || of_tenant.is_some_and(|own| own.kind != key.kind) {
        return None;
    }

    let shared = schema.tenant.iter().zip(target.tenant);
    let own: Vec<_> = shared.map(|(own, _)| own.name).chain([column]).collect();
    let theirs = with_tenant(target, &[key.name]);

    Some(format!(
        "FOREIGN KEY ({}) REFERENCES \"{}\" ({})",
        list(&own),
        target.name,
        list(&theirs)
    ))
}

/// The index of each reference. Without one, deleting a row would read the whole table that refers
/// to it.
fn indexes(schema: &Schema, dialect: Dialect) -> impl Iterator<Item = String> {
    schema.references.iter().map(move |reference| {
        let column = reference.column;
        let name = match dialect {
            // A declared name has no dot, so no two of these are the same.
            Dialect::Sqlite => format!("\"{}.{column}\" ", schema.name),
            // PostgreSQL cuts long names, and makes one itself.
            Dialect::Postgres => String::new(),
        };

        let columns = list(&with_tenant(schema, &[column]));
        format!("CREATE INDEX {name}ON \"{}\" ({columns});\n", schema.name)
    })
}

/// The type and the default of a key that the database generates.
fn generated_key(kind: ValueKind, dialect: Dialect) -> &'static str {
    match (dialect, kind) {
        // Without AUTOINCREMENT a new row could get the key of a deleted one.
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

/// The type of a column.
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
