//! Real databases: an embedded SQLite, and a private PostgreSQL.

use bailiwick::scope::{Dialect, Statement};
use rust_decimal::Decimal;
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row as _};
use tokio::runtime::Runtime;

use crate::model::{Cell, Row, World};
use crate::servers::Postgres;
use crate::tables::{Facts, Kind, TABLES, ddl};

enum Connected {
    Sqlite(SqliteConnection),
    Postgres(
        PgConnection,
        #[allow(dead_code, reason = "it runs until it is dropped")] Postgres,
    ),
}

pub struct Database {
    runtime: Runtime,
    connected: Connected,
    loads: usize,
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

impl Database {
    /// Foreign keys are off, so that what the statements do on their own is seen.
    pub fn sqlite() -> Self {
        let runtime = runtime();
        let connected = runtime.block_on(async {
            let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
            let setup = format!("PRAGMA foreign_keys = OFF; {}", ddl(Dialect::Sqlite));
            sqlx::raw_sql(AssertSqlSafe(setup))
                .execute(&mut connection)
                .await
                .unwrap();
            Connected::Sqlite(connection)
        });
        Self {
            runtime,
            connected,
            loads: 0,
        }
    }

    pub fn postgres() -> Option<Self> {
        let server = Postgres::start()?;
        let runtime = runtime();
        let connection = runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url()).await.unwrap();
            let setup = format!(
                "SET session_replication_role = replica; {}",
                ddl(Dialect::Postgres)
            );
            sqlx::raw_sql(AssertSqlSafe(setup))
                .execute(&mut connection)
                .await
                .unwrap();
            connection
        });
        Some(Self {
            runtime,
            connected: Connected::Postgres(connection, server),
            loads: 0,
        })
    }

    pub fn dialect(&self) -> Dialect {
        match self.connected {
            Connected::Sqlite(_) => Dialect::Sqlite,
            Connected::Postgres(..) => Dialect::Postgres,
        }
    }

    fn raw(&mut self, sql: String) {
        let sql = AssertSqlSafe(sql);
        match &mut self.connected {
            Connected::Sqlite(connection) => self
                .runtime
                .block_on(sqlx::raw_sql(sql).execute(connection))
                .map(drop),
            Connected::Postgres(connection, _) => self
                .runtime
                .block_on(sqlx::raw_sql(sql).execute(connection))
                .map(drop),
        }
        .unwrap();
    }

    /// Empties all tables and fills them, around the crate.
    pub fn load(&mut self, world: &World) {
        self.raw(
            TABLES
                .iter()
                .map(|facts| format!("DELETE FROM {};", facts.name))
                .collect(),
        );
        for facts in &TABLES {
            let rows = world.rows(facts.name);
            let values: Vec<_> = rows.iter().map(|row| self.literals(facts, row)).collect();
            if !values.is_empty() {
                self.raw(format!(
                    "INSERT INTO {} ({}) VALUES {}",
                    facts.name,
                    facts.names,
                    values.join(",")
                ));
            }
        }
        if let Connected::Postgres(..) = self.connected {
            // What is generated next is beyond what was loaded.
            let generated = TABLES
                .iter()
                .filter(|facts| matches!(facts.key, Some(Kind::Int)));
            self.loads += 1;
            let first = self.loads * 1_000;
            let next = |facts: &Facts| {
                format!(
                    "SELECT setval(pg_get_serial_sequence('{}', 'id'), {first});",
                    facts.name
                )
            };
            self.raw(generated.map(next).collect());
        }
    }

    fn literals(&self, facts: &Facts, row: &Row) -> String {
        let cells: Vec<_> = row.tenant.iter().copied().map(Cell::Int).collect();
        let key = facts.key.map(|_| row.key.clone());
        let all = cells
            .into_iter()
            .chain(key)
            .chain(row.cells.iter().cloned());
        let literals: Vec<_> = all.map(|cell| self.literal(&cell)).collect();
        format!("({})", literals.join(","))
    }

    fn literal(&self, cell: &Cell) -> String {
        let postgres = self.dialect() == Dialect::Postgres;
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        match cell {
            Cell::Null => "NULL".into(),
            Cell::Int(value) => value.to_string(),
            Cell::Real(value) => value.to_string(),
            Cell::Text(value) if postgres => {
                format!("convert_from('\\x{}', 'UTF8')", hex(value.as_bytes()))
            }
            Cell::Text(value) => format!("CAST(x'{}' AS TEXT)", hex(value.as_bytes())),
            Cell::Bool(value) => value.to_string().to_uppercase(),
            Cell::Time(value) if postgres => format!("'{}'", value.to_rfc3339()),
            // As sqlx writes them.
            Cell::Time(value) => format!(
                "'{}'",
                value.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
            ),
            Cell::Bytes(value) if postgres => format!("'\\x{}'", hex(value)),
            Cell::Bytes(value) => format!("x'{}'", hex(value)),
            Cell::Uuid(value) if postgres => format!("'{}'", uuid::Uuid::from_u128(*value)),
            Cell::Uuid(value) => format!("x'{value:032x}'"),
            Cell::Cents(value) if postgres => Decimal::try_new(*value, 2).unwrap().to_string(),
            Cell::Cents(value) => value.to_string(),
            Cell::Json(value) => format!("'{}'", value.to_string().replace('\'', "''")),
        }
    }

    pub fn fetch(&mut self, statement: Statement, kinds: &[Kind]) -> Vec<Vec<Cell>> {
        let (sql, values) = statement.into_parts();
        let query = AssertSqlSafe(sql.clone());
        match &mut self.connected {
            Connected::Sqlite(connection) => {
                let rows = self
                    .runtime
                    .block_on(sqlx::query_with(query, SqlxValues(values)).fetch_all(connection));
                let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
                rows.iter().map(|row| sqlite_row(row, kinds)).collect()
            }
            Connected::Postgres(connection, _) => {
                let rows = self
                    .runtime
                    .block_on(sqlx::query_with(query, SqlxValues(values)).fetch_all(connection));
                let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
                rows.iter().map(|row| postgres_row(row, kinds)).collect()
            }
        }
    }

    pub fn execute(&mut self, statement: Statement) -> usize {
        let (sql, values) = statement.into_parts();
        let query = AssertSqlSafe(sql.clone());
        let done = match &mut self.connected {
            Connected::Sqlite(connection) => {
                let done = self
                    .runtime
                    .block_on(sqlx::query_with(query, SqlxValues(values)).execute(connection));
                done.map(|done| done.rows_affected())
            }
            Connected::Postgres(connection, _) => {
                let done = self
                    .runtime
                    .block_on(sqlx::query_with(query, SqlxValues(values)).execute(connection));
                done.map(|done| done.rows_affected())
            }
        };
        done.unwrap_or_else(|error| panic!("{error}: {sql}"))
            .try_into()
            .unwrap()
    }

    /// Every row of every tenant, around the crate.
    pub fn everything(&mut self) -> std::collections::BTreeMap<&'static str, Vec<Row>> {
        let mut tables = std::collections::BTreeMap::new();
        for facts in &TABLES {
            let kinds = all_kinds(facts);
            let sql = AssertSqlSafe(format!(
                "SELECT {} FROM {} ORDER BY 1, 2, 3, 4",
                facts.names, facts.name
            ));
            let sql = if kinds.len() < 4 {
                AssertSqlSafe(sql.0.replace(", 4", ""))
            } else {
                sql
            };
            let rows: Vec<Vec<Cell>> = match &mut self.connected {
                Connected::Sqlite(connection) => {
                    let rows = self
                        .runtime
                        .block_on(sqlx::query(sql).fetch_all(connection))
                        .unwrap();
                    rows.iter().map(|row| sqlite_row(row, &kinds)).collect()
                }
                Connected::Postgres(connection, _) => {
                    let rows = self
                        .runtime
                        .block_on(sqlx::query(sql).fetch_all(connection))
                        .unwrap();
                    rows.iter().map(|row| postgres_row(row, &kinds)).collect()
                }
            };
            tables.insert(
                facts.name,
                rows.into_iter().map(|row| into_row(facts, row)).collect(),
            );
        }
        tables
    }
}

/// All columns of a table, in the order of their declaration.
pub fn all_kinds(facts: &Facts) -> Vec<Kind> {
    let tenant = std::iter::repeat_n(Kind::Int, facts.tenant);
    tenant
        .chain(facts.key)
        .chain(facts.cells.iter().copied())
        .collect()
}

pub fn into_row(facts: &Facts, cells: Vec<Cell>) -> Row {
    let mut cells = cells.into_iter();
    let tenant = cells.by_ref().take(facts.tenant);
    let tenant = tenant
        .map(|cell| {
            if let Cell::Int(id) = cell {
                id
            } else {
                panic!("no tenant: {cell:?}")
            }
        })
        .collect();
    let key = facts.key.map_or(Cell::Null, |_| cells.next().unwrap());
    Row {
        tenant,
        key,
        cells: cells.collect(),
    }
}

fn sqlite_row(row: &SqliteRow, kinds: &[Kind]) -> Vec<Cell> {
    assert_eq!(row.len(), kinds.len());
    let cell = |(index, kind): (usize, &Kind)| match kind {
        Kind::Int => row.get::<Option<i64>, _>(index).map(Cell::Int),
        Kind::Text => row.get::<Option<String>, _>(index).map(Cell::Text),
        Kind::Bool => row.get::<Option<bool>, _>(index).map(Cell::Bool),
        Kind::Time => row.get::<Option<_>, _>(index).map(Cell::Time),
        Kind::Bytes => row.get::<Option<Vec<u8>>, _>(index).map(Cell::Bytes),
        Kind::Uuid => row
            .get::<Option<uuid::Uuid>, _>(index)
            .map(|uuid| Cell::Uuid(uuid.as_u128())),
        Kind::Cents => row.get::<Option<i64>, _>(index).map(Cell::Cents),
        Kind::Json => row
            .get::<Option<serde_json::Value>, _>(index)
            .map(Cell::Json),
        Kind::Real => row.get::<Option<f64>, _>(index).map(Cell::Real),
    };
    kinds
        .iter()
        .enumerate()
        .map(|pair| cell(pair).unwrap_or(Cell::Null))
        .collect()
}

fn postgres_row(row: &PgRow, kinds: &[Kind]) -> Vec<Cell> {
    assert_eq!(row.len(), kinds.len());
    let cell = |(index, kind): (usize, &Kind)| match kind {
        Kind::Int => row.get::<Option<i64>, _>(index).map(Cell::Int),
        Kind::Text => row.get::<Option<String>, _>(index).map(Cell::Text),
        Kind::Bool => row.get::<Option<bool>, _>(index).map(Cell::Bool),
        Kind::Time => row.get::<Option<_>, _>(index).map(Cell::Time),
        Kind::Bytes => row.get::<Option<Vec<u8>>, _>(index).map(Cell::Bytes),
        Kind::Uuid => row
            .get::<Option<uuid::Uuid>, _>(index)
            .map(|uuid| Cell::Uuid(uuid.as_u128())),
        Kind::Cents => row.get::<Option<Decimal>, _>(index).map(|mut decimal| {
            decimal.rescale(2);
            Cell::Cents(decimal.mantissa().try_into().unwrap())
        }),
        Kind::Json => row
            .get::<Option<serde_json::Value>, _>(index)
            .map(Cell::Json),
        Kind::Real => row.get::<Option<f64>, _>(index).map(Cell::Real),
    };
    kinds
        .iter()
        .enumerate()
        .map(|pair| cell(pair).unwrap_or(Cell::Null))
        .collect()
}
