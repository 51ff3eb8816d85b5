//! Row-level security: PostgreSQL itself keeps a table's rows to their tenant, behind statements that the crate did not
//! make.

use std::fmt::Write;

use sea_query::{Value, Values};

use super::level::TenantLevel;
use super::render::Statement;
use super::table::{IdColumn, Schema, Table};
use super::{Level, Mode, Scope};
use crate::id::{IdKind, Identifier};

/// The settings that the policies read, and the prelude writes.
const ACCOUNT: &str = "bailiwick.account";
const SITE: &str = "bailiwick.site";

/// The statement that opens a transaction of a scope, for PostgreSQL.
const PRELUDE: &str = "SELECT set_config('bailiwick.account', $1, true), set_config('bailiwick.site', $2, true)";

/// The DDL that makes PostgreSQL keep a table's rows to their tenant, whatever statement asks for them: several
/// statements, to be run once and as often as one likes, after the tables of both levels are there.
///
/// A row is seen, changed and written only in a transaction that [`Scope::prelude`] opened, by the account of that scope
/// and, if it is a site's, by that site. In any other transaction there are no rows; so a connection that goes back to
/// its pool leaves nothing behind. A site's scope sees no account-wide table, but its own row of the table of sites.
///
/// It is a second line: [`Scope`] keeps to the tenant without it. What it cannot hold back: superusers and roles with
/// `BYPASSRLS`, views that such a role owns, and `TRUNCATE`. Connect as a role that is none of these; the table's owner is
/// held to the policies too (`FORCE`).
///
/// ```
/// use bailiwick::row_level_security;
/// bailiwick::table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///     }
/// }
/// let ddl = row_level_security::<Sites>();
/// assert!(ddl.contains(r#"ALTER TABLE "sites" FORCE ROW LEVEL SECURITY;"#));
/// assert!(ddl.contains(r#""account_id" = nullif(current_setting('bailiwick.account', true), '')::bigint"#));
/// ```
pub fn row_level_security<T: Table>() -> String
where
    T::Level: TenantLevel,
{
    // A table that was not declared soundly does not compile.
    const { assert!(T::SCHEMA.fault::<T::Level>().is_none()) };
    let schema = T::SCHEMA;
    let (name, mut ddl) = (schema.name, String::new());
    // Writing into a text cannot fail.
    let _ = write!(
        ddl,
        "ALTER TABLE \"{name}\" ENABLE ROW LEVEL SECURITY;\nALTER TABLE \"{name}\" FORCE ROW LEVEL SECURITY;\n"
    );
    let own = tenant(schema);
    let policy = match schema.tenant {
        [_] => format!("{own} AND {} IS NULL", setting(SITE)),
        _ => own,
    };
    push_policy(&mut ddl, name, "bailiwick_tenant", &format!("USING ({policy}) WITH CHECK ({policy})"));
    if let Some(parent) = schema.parent {
        let own = format!("{} AND {}", tenant(parent), is(&parent.key, SITE));
        push_policy(&mut ddl, parent.name, "bailiwick_own_site", &format!("FOR SELECT USING ({own})"));
    }
    ddl
}

fn push_policy(ddl: &mut String, table: &str, policy: &str, rule: &str) {
    let _ =
        write!(ddl, "DROP POLICY IF EXISTS {policy} ON \"{table}\";\nCREATE POLICY {policy} ON \"{table}\" {rule};\n");
}

/// The tenant columns, each as its setting has it. Where no site is set, an account's scope covers all of them.
fn tenant(schema: &Schema) -> String {
    match schema.tenant {
        [account, site] => {
            format!("{} AND ({} IS NULL OR {})", is(account, ACCOUNT), setting(SITE), is(site, SITE))
        }
        columns => columns.iter().map(|account| is(account, ACCOUNT)).collect::<Vec<String>>().join(" AND "),
    }
}

/// What a setting says; NULL, which equals nothing, where it says nothing. After the transaction that set it a setting is
/// an empty text, not NULL.
fn setting(name: &str) -> String {
    format!("nullif(current_setting('{name}', true), '')")
}

fn is(column: &IdColumn, name: &str) -> String {
    let cast = match column.kind {
        IdKind::Int => "::bigint",
        #[cfg(feature = "uuid")]
        IdKind::Uuid => "::uuid",
        IdKind::Text => "",
    };
    format!("\"{}\" = {}{cast}", column.name, setting(name))
}

impl<L: Level, M: Mode> Scope<L, M> {
    /// What a transaction on PostgreSQL begins with, so that [`row_level_security`] lets it see the scope's rows: it lasts
    /// as long as the transaction. Run it first, and run the transaction of one scope only.
    pub fn prelude(&self) -> Statement {
        let mut ids = self.ids.0.iter().map(Identifier::to_string);
        let (account, site) = (ids.next().unwrap_or_default(), ids.next().unwrap_or_default());
        Statement::fixed(PRELUDE, Values(vec![Value::from(account), Value::from(site)]))
    }
}
