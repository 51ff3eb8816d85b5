//! Row-level security: PostgreSQL itself keeps a table's rows to their tenant, even from statements
//! that this crate did not make.

use sea_query::Value;

use super::bounds::{Bounds, ScopeId};
use super::entry::Scope;
use super::level::{ScopeLevel, TenantLevel};
use super::marker::Mode;
use super::render::postgres_type;
use super::statement::Statement;
use super::table::{IdColumn, Schema, Table, schema_of};
use super::value::ValueKind;

/// The settings that the policies read, and the prelude writes, outermost first. The setting of the
/// site is a list of sites with a space between them; no identifier has a space.
const SETTINGS: [&str; 3] = [ACCOUNT, SITE, "bailiwick.sector"];
const ACCOUNT: &str = "bailiwick.account";
const SITE: &str = "bailiwick.site";

/// The policies by which a scope sees its own row in the table of sites, and in that of sectors.
const OWN_POLICIES: [&str; 2] = ["bailiwick_own_site", "bailiwick_own_sector"];

/// The statement that opens a transaction of a scope, for PostgreSQL. A setting that it makes lasts
/// as long as the transaction.
const PRELUDE: &str = "SELECT set_config('bailiwick.account', $1, true), set_config('bailiwick.site', $2, true), \
    set_config('bailiwick.sector', $3, true)";

/// Writes the DDL that makes PostgreSQL keep a table's rows to their tenant, whatever statement
/// asks for them. It is several statements; run them after the tables of all levels exist. They may
/// be run again.
///
/// A row is seen, changed and written only in a transaction that [`Scope::prelude`] opened, by the
/// account of that scope and, if the scope is that of sites or of a sector, by these. In any other
/// transaction there are no rows; so a connection that goes back to its pool leaves nothing behind.
///
/// A site's scope sees no account-wide table, except its own row of the table of sites; a sector's
/// scope sees no site-level table, except its own row of the table of sectors. So where a row
/// refers to one of a level above, that table needs a policy of the host's own. Policies of the
/// host's may widen what a site sees of its account, but never of another account.
///
/// # What it holds back
/// It is a second line of defence: a [`Scope`] keeps to the tenant without it. It holds back a
/// statement that forgets the tenant, but not one that an attacker wrote, since SQL that is
/// injected can set the settings as well. Nor does it hold back superusers and roles with
/// `BYPASSRLS`, views that such a role owns, and `TRUNCATE`. Connect as a role that is none of
/// these. The policies hold for the table's owner too (`FORCE`).
///
/// ```
/// use bailiwick::scope::row_level_security;
/// use bailiwick::table;
///
/// table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///     }
/// }
///
/// let ddl = row_level_security::<Sites>();
/// assert!(ddl.contains(r#"ALTER TABLE "sites" FORCE ROW LEVEL SECURITY;"#));
/// assert!(ddl.contains(
///     r#""account_id" = (SELECT nullif(current_setting('bailiwick.account', true), '')::bigint)"#
/// ));
/// ```
#[doc(alias = "rls")]
pub fn row_level_security<T: Table>() -> String
where
    T::Level: TenantLevel,
{
    let schema = schema_of::<T>();
    let name = schema.name;
    let mut ddl = format!(
        "ALTER TABLE \"{name}\" ENABLE ROW LEVEL SECURITY;\nALTER TABLE \"{name}\" FORCE ROW LEVEL SECURITY;\n"
    );

    // A table is out of reach of the scopes below its level.
    let below = SETTINGS.iter().skip(schema.tenant.len());
    let below = below.map(|name| is_unset(name));
    let tenant = all(tenant(schema).into_iter().chain(below));
    let rule = format!("USING ({tenant}) WITH CHECK ({tenant})");
    ddl.push_str(&policy(name, "bailiwick_tenant", &rule));

    // Policies are alternatives, except a restrictive one: whatever others the host adds, the
    // account must be right.
    let account = schema.tenant.first().map(|column| is(column, ACCOUNT));
    debug_assert!(
        account.is_some(),
        "a table of a tenant level has an account"
    );
    let account = account.unwrap_or_default();
    let rule = format!("AS RESTRICTIVE USING ({account}) WITH CHECK ({account})");
    ddl.push_str(&policy(name, "bailiwick_account", &rule));

    // An insert looks up the scope's own site, and its own sector.
    let mut child = schema;
    while let Some(parent) = child.parent {
        ddl.extend(own_row(parent));
        child = parent;
    }
    ddl
}

/// The policy by which scopes one level below a table see the row that is themselves.
fn own_row(schema: &Schema) -> Option<String> {
    let key = schema.key.own()?;
    let depth = schema.tenant.len();
    let setting = SETTINGS.get(depth)?;
    let name = OWN_POLICIES.get(depth.checked_sub(1)?)?;

    let own = all(tenant(schema).into_iter().chain([is(key, setting)]));
    Some(policy(
        schema.name,
        name,
        &format!("FOR SELECT USING ({own})"),
    ))
}

/// The statements that replace a policy.
fn policy(table: &str, policy: &str, rule: &str) -> String {
    format!(
        "DROP POLICY IF EXISTS {policy} ON \"{table}\";\nCREATE POLICY {policy} ON \"{table}\" {rule};\n"
    )
}

fn all(conditions: impl Iterator<Item = String>) -> String {
    conditions.collect::<Vec<_>>().join(" AND ")
}

/// The conditions that each tenant column holds what its setting says. If no site is set, the scope
/// is an account's, and reaches all of them.
fn tenant(schema: &Schema) -> Vec<String> {
    let columns = schema.tenant.iter().zip(SETTINGS).enumerate();
    let conditions = columns.map(|(level, (column, name))| match level {
        0 => is(column, name),
        _ => format!("({} OR {})", is_unset(name), is(column, name)),
    });
    conditions.collect()
}

/// The value of a setting; NULL, which equals nothing, if it has none. After the transaction that
/// set it a setting is an empty text, not NULL.
fn setting(name: &str) -> String {
    format!("nullif(current_setting('{name}', true), '')")
}

/// The condition that a column holds what a setting says. The setting is read in a sub-select, once
/// for a statement and not once for each row.
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
    /// Opens a transaction on PostgreSQL, so that [`row_level_security`] lets it see the scope's
    /// rows.
    ///
    /// Run it as the first statement of the transaction, and run statements of this one scope in
    /// it. What it sets lasts as long as the transaction.
    #[doc(alias = "rls")]
    pub fn prelude(&self) -> Statement {
        let id = |level: usize| {
            let id = self.bounds.id(level);
            id.map(|id| id.text().to_owned()).unwrap_or_default()
        };

        let settings = match &self.bounds {
            // Without a site the settings would be those of the whole account. So a scope over an
            // empty list of sites, which has no rows, sets no account either.
            Bounds::Sites(ids) if ids.len() < 2 => [String::new(), String::new(), String::new()],
            Bounds::Sites(_) => {
                let sites: Vec<_> = self.bounds.several().iter().map(ScopeId::text).collect();
                [id(0), sites.join(" "), String::new()]
            }
            Bounds::One(_) | Bounds::Later(_) => [id(0), id(1), id(2)],
        };

        let values = settings.into_iter().map(Value::from);
        Statement::new(PRELUDE.into(), values.collect())
    }
}
