//! Row-level security: PostgreSQL itself keeps a table's rows to their tenant, behind statements
//! that the crate did not make.

use std::fmt::Write;

use sea_query::Value;

use super::bounds::{Bounds, ScopeId};
use super::entry::Scope;
use super::level::{ScopeLevel, TenantLevel};
use super::marker::Mode;
use super::render::postgres_type;
use super::statement::Statement;
use super::table::{IdColumn, KeyColumn, Schema, Table, schema_of};
use super::value::ValueKind;

/// The settings that the policies read, and the prelude writes, outermost first. A setting of the
/// site is a list of them, with a space between; an identifier has none.
const SETTINGS: [&str; 3] = ["bailiwick.account", SITE, "bailiwick.sector"];
const SITE: &str = "bailiwick.site";

/// The statement that opens a transaction of a scope, for PostgreSQL.
const PRELUDE: &str = "SELECT set_config('bailiwick.account', $1, true), set_config('bailiwick.site', $2, true), \
    set_config('bailiwick.sector', $3, true)";

/// The DDL that makes PostgreSQL keep a table's rows to their tenant, whatever statement asks for
/// them: several statements, to be run once and as often as one likes, after the tables of all
/// levels are there.
///
/// A row is seen, changed and written only in a transaction that [`Scope::prelude`] opened, by the
/// account of that scope and, if it is that of sites or a sector, by these. In any other
/// transaction there are no rows; so a connection that goes back to its pool leaves nothing behind.
/// A site's scope sees no account-wide table, but its own row of the table of sites, nor a sector's
/// a site-level one; so where a row refers to one of a level above, that table needs a policy of
/// the host's own. Policies of the host's may widen what a site sees of its account, never of
/// another's.
///
/// It is a second line: [`Scope`] keeps to the tenant without it. It holds back a statement that
/// forgets the tenant, not one that an attacker wrote: SQL that is injected can set the settings as
/// well. Nor does it hold back superusers and roles with `BYPASSRLS`, views that such a role owns,
/// and `TRUNCATE`. Connect as a role that is none of these; the table's owner is held to the
/// policies too (`FORCE`).
///
/// ```
/// use bailiwick::scope::row_level_security;
/// bailiwick::table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///     }
/// }
/// let ddl = row_level_security::<Sites>();
/// assert!(ddl.contains(r#"ALTER TABLE "sites" FORCE ROW LEVEL SECURITY;"#));
/// assert!(ddl.contains(r#""account_id" = (SELECT nullif(current_setting('bailiwick.account', true), '')::bigint)"#));
/// ```
pub fn row_level_security<T: Table>() -> String
where
    T::Level: TenantLevel,
{
    let schema = schema_of::<T>();
    let (name, mut ddl) = (schema.name, String::new());
    // Writing into a text cannot fail.
    let _ = write!(
        ddl,
        "ALTER TABLE \"{name}\" ENABLE ROW LEVEL SECURITY;\nALTER TABLE \"{name}\" FORCE ROW LEVEL SECURITY;\n"
    );
    let depth = schema.tenant.len();
    // A table is out of reach of the scopes below its level.
    let below = SETTINGS.iter().skip(depth).map(|name| is_unset(name));
    let policy = tenant(schema)
        .into_iter()
        .chain(below)
        .collect::<Vec<_>>()
        .join(" AND ");
    push_policy(
        &mut ddl,
        name,
        "bailiwick_tenant",
        &format!("USING ({policy}) WITH CHECK ({policy})"),
    );
    // Policies are alternatives, but for a restrictive one: whatever others the host adds, the
    // account holds.
    let account = schema
        .tenant
        .iter()
        .zip(SETTINGS)
        .take(1)
        .map(|(column, name)| is(column, name))
        .collect::<String>();
    let rule = format!("AS RESTRICTIVE USING ({account}) WITH CHECK ({account})");
    push_policy(&mut ddl, name, "bailiwick_account", &rule);
    // The scope's own site, and its own sector, are looked up by what is inserted below them.
    let mut child = schema;
    while let Some(parent) = child.parent {
        let KeyColumn::Own { column: key, .. } = &parent.key else {
            break;
        };
        let (level, names) = (
            parent.tenant.len(),
            ["bailiwick_own_site", "bailiwick_own_sector"],
        );
        if let (Some(setting), Some(policy)) =
            (SETTINGS.get(level), names.get(level.saturating_sub(1)))
        {
            let own = tenant(parent)
                .into_iter()
                .chain([is(key, setting)])
                .collect::<Vec<_>>()
                .join(" AND ");
            push_policy(
                &mut ddl,
                parent.name,
                policy,
                &format!("FOR SELECT USING ({own})"),
            );
        }
        child = parent;
    }
    ddl
}

fn push_policy(ddl: &mut String, table: &str, policy: &str, rule: &str) {
    let _ = write!(
        ddl,
        "DROP POLICY IF EXISTS {policy} ON \"{table}\";\nCREATE POLICY {policy} ON \"{table}\" {rule};\n"
    );
}

/// The tenant columns, each as its setting has it. Where no site is set, an account's scope covers
/// all of them.
fn tenant(schema: &Schema) -> Vec<String> {
    let columns = schema.tenant.iter().zip(SETTINGS).enumerate();
    let conditions = columns.map(|(level, (column, name))| match level {
        0 => is(column, name),
        _ => format!("({} OR {})", is_unset(name), is(column, name)),
    });
    conditions.collect()
}

/// What a setting says; NULL, which equals nothing, where it says nothing. After the transaction
/// that set it a setting is an empty text, not NULL.
fn setting(name: &str) -> String {
    format!("nullif(current_setting('{name}', true), '')")
}

/// That a column is what a setting says. The setting is read in a sub-select, once for a statement
/// and not for each row.
fn is(column: &IdColumn, name: &str) -> String {
    let kind = postgres_type(ValueKind::of_id(column.kind));
    if name == SITE {
        let sites = format!("(SELECT string_to_array({}, ' ')::{kind}[])", setting(name));
        return format!("\"{}\" = ANY ({sites}::{kind}[])", column.name);
    }
    format!("\"{}\" = (SELECT {}::{kind})", column.name, setting(name))
}

fn is_unset(name: &str) -> String {
    format!("(SELECT {} IS NULL)", setting(name))
}

impl<L: ScopeLevel, M: Mode> Scope<L, M> {
    /// What a transaction on PostgreSQL begins with, so that [`row_level_security`] lets it see the
    /// scope's rows: it lasts as long as the transaction. Run it first, and run the transaction of
    /// one scope only.
    pub fn prelude(&self) -> Statement {
        let id = |level: usize| {
            self.bounds
                .id(level)
                .map(|id| id.text().to_owned())
                .unwrap_or_default()
        };
        let settings = match &self.bounds {
            // No site at all is no row at all, and so no account: without a site its rows were the
            // account's.
            Bounds::Sites(ids) if ids.len() < 2 => [String::new(), String::new(), String::new()],
            Bounds::Sites(_) => {
                let sites: Vec<_> = self.bounds.several().iter().map(ScopeId::text).collect();
                [id(0), sites.join(" "), String::new()]
            }
            _ => [id(0), id(1), id(2)],
        };
        Statement::new(
            PRELUDE.into(),
            settings.into_iter().map(Value::from).collect(),
        )
    }
}
