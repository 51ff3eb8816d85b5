//! Tables: what a host declares with [`table!`](crate::table). Every identifier in a statement comes from here.

use super::column::KeyValue;
use super::level::Level;
use crate::id::IdKind;

/// A table of the host's database, declared with [`table!`](crate::table).
#[diagnostic::on_unimplemented(message = "`{Self}` is not a table", note = "declare it with `bailiwick::table!`")]
pub trait Table: 'static {
    /// To whom its rows belong.
    type Level: Level;
    /// What its key holds.
    type Key: KeyValue;
    /// How an insert begins: [`Ready`](crate::Ready) if the database generates the key, else [`NoKey`](crate::NoKey).
    type Insertion;

    #[doc(hidden)]
    const SCHEMA: &'static Schema;
}

/// A column that holds an identifier: a tenant column or a key.
#[doc(hidden)]
#[derive(Debug)]
pub struct IdColumn {
    pub(super) name: &'static str,
    pub(super) kind: IdKind,
}

impl IdColumn {
    pub const fn new(name: &'static str, kind: IdKind) -> Self {
        Self { name, kind }
    }
}

/// What a table's declaration says.
#[doc(hidden)]
#[derive(Debug)]
pub struct Schema {
    pub(super) name: &'static str,
    /// The tenant columns, outermost first.
    pub(super) tenant: &'static [IdColumn],
    /// The table one level up whose key the last tenant column refers to.
    pub(super) parent: Option<&'static Schema>,
    pub(super) key: IdColumn,
    pub(super) columns: &'static [&'static str],
}

impl Schema {
    pub const fn new<K: KeyValue>(
        name: &'static str,
        tenant: &'static [IdColumn],
        parent: Option<&'static Schema>,
        key: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        Self { name, tenant, parent, key: IdColumn::new(key, K::KIND), columns }
    }

    /// The schema of a table that tables of the next level name as their parent.
    pub const fn parent<P: Table<Level = L>, L: Level>() -> Option<&'static Self> {
        Some(P::SCHEMA)
    }

    /// What is wrong with the declaration of a table of level `L`. It is asked at compile time, of every table that a
    /// statement is made for.
    pub const fn fault<L: Level>(&self) -> Option<&'static str> {
        if self.tenant.len() != L::DEPTH || self.parent.is_some() != (L::DEPTH > 1) {
            return Some("the tenant columns do not fit the table's level");
        }
        if !is_plain(self.name) || !self.names_are_sound() {
            return Some(
                "the names of a table and its columns have 1 to 63 characters a-z, A-Z, 0-9 and _, begin with no digit, \
                 and no two columns, tenant columns and key included, have the same name but for case",
            );
        }
        None
    }

    const fn names_are_sound(&self) -> bool {
        let mut tenant = self.tenant;
        while let [column, rest @ ..] = tenant {
            if !self.is_sound(column.name) {
                return false;
            }
            tenant = rest;
        }
        let mut columns = self.columns;
        while let [column, rest @ ..] = columns {
            if !self.is_sound(column) {
                return false;
            }
            columns = rest;
        }
        self.is_sound(self.key.name)
    }

    /// A second column of the name of a tenant column would be a way to set it; databases that ignore case would take
    /// `Account_ID` for `account_id`.
    const fn is_sound(&self, name: &str) -> bool {
        let mut columns: u32 = 0;
        if is_same(name, self.key.name) {
            columns = columns.saturating_add(1);
        }
        let mut tenant = self.tenant;
        while let [column, rest @ ..] = tenant {
            if is_same(name, column.name) {
                columns = columns.saturating_add(1);
            }
            tenant = rest;
        }
        let mut others = self.columns;
        while let [column, rest @ ..] = others {
            if is_same(name, column) {
                columns = columns.saturating_add(1);
            }
            others = rest;
        }
        columns == 1 && is_plain(name)
    }

    /// The column of that name that is neither a tenant column nor the key.
    pub(super) const fn column(&self, name: &str) -> Option<&'static str> {
        let mut columns = self.columns;
        while let [column, rest @ ..] = columns {
            if is_same(name, column) {
                return Some(column);
            }
            columns = rest;
        }
        None
    }

    /// All its columns, in the order of their declaration.
    pub(super) fn all_columns(&self) -> impl Iterator<Item = &'static str> {
        let tenant = self.tenant.iter().map(|column| column.name);
        tenant.chain([self.key.name]).chain(self.columns.iter().copied())
    }
}

/// The same name but for case.
const fn is_same(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let ([one, left_tail @ ..], [other, right_tail @ ..]) = (left, right) {
        if !one.eq_ignore_ascii_case(other) {
            return false;
        }
        (left, right) = (left_tail, right_tail);
    }
    left.is_empty() && right.is_empty()
}

/// PostgreSQL cuts longer names, so two of them could mean the same column.
const LONGEST_NAME: usize = 63;

const fn is_plain(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if rest.len() > LONGEST_NAME || !matches!(rest, [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..]) {
        return false;
    }
    while let [character, tail @ ..] = rest {
        if !matches!(character, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') {
            return false;
        }
        rest = tail;
    }
    true
}

/// Declares a table: its level, its tenant columns, its key and its other columns.
///
/// ```text
/// pub struct Name: Level in "table" {
///     tenant …;                                      by level, see below
///     key NAME = "column" Type generated;            the database makes the key; or `supplied`, once, at insert
///     column NAME = "column" Type;                   as many as there are
/// }
/// ```
///
/// | level | tenant columns | rows |
/// |---|---|---|
/// | `Account` | `tenant "account_id" Kind;` | belong to an account |
/// | `Site` | `tenant "account_id" Kind, "site_id" Kind of Sites;` | belong to a site |
/// | `Global` | none | belong to nobody, and are read only |
///
/// `Kind` is a variant of [`IdKind`](crate::IdKind) and must be the column's type in the database; a text column must
/// tell case and compare byte by byte, as tenants do. An identifier of another kind fails closed when a statement is
/// built. `of Sites` names the account-level table whose key is the site's id: an insert checks there, in the same
/// statement, that the account has the site. A foreign key in the database should stand behind that.
///
/// A key holds an `i64`, a `String` or a `Uuid`; a column any [`ColumnValue`](crate::ColumnValue). Tenant columns become
/// no constants, so they can be neither set nor updated. A name that is not plain, and two columns of one name, do not
/// compile.
///
/// ```
/// use bailiwick::{Dialect, Scope, Site, Write};
///
/// bailiwick::table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
///
/// bailiwick::table! {
///     /// The articles of a site.
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column TITLE = "title" String;
///         column NOTE = "note" Option<String>;
///     }
/// }
///
/// fn write(site: &Scope<Site, Write>) -> Result<(), bailiwick::BuildError> {
///     let insert = site.insert::<Article>().set(Article::TITLE, "Bread").returning_key().build(Dialect::Sqlite)?;
///     assert_eq!(insert.sql(), concat!(
///         r#"INSERT INTO "articles" ("account_id", "site_id", "title") SELECT ?, ?, ? "#,
///         r#"WHERE EXISTS(SELECT 1 FROM "sites" WHERE "sites"."account_id" = ? AND "sites"."id" = ?) "#,
///         r#"RETURNING "id""#,
///     ));
///
///     let recent = site.select::<Article>()
///         .filter(Article::TITLE.starts_with("B").or(Article::NOTE.is_null()))
///         .order_by(Article::ID.descending())
///         .limit(20)
///         .build(Dialect::Postgres)?;
///     assert_eq!(recent.sql(), concat!(
///         r#"SELECT "articles"."account_id", "articles"."site_id", "articles"."id", "articles"."title", "articles"."note" "#,
///         r#"FROM "articles" WHERE "articles"."account_id" = $1 AND "articles"."site_id" = $2 "#,
///         r#"AND (starts_with("articles"."title", $3) OR "articles"."note" IS NULL) "#,
///         r#"ORDER BY "articles"."id" DESC LIMIT $4"#,
///     ));
///     Ok(())
/// }
/// # use bailiwick::{Account, AccountStatus, PaymentMethod, Plan, Principal, Privileges, Tenant, validate_account_and_plan};
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: bailiwick::Money::new(0.into(), bailiwick::Currency::EUR)?, interval: bailiwick::Interval::MONTHLY,
/// #     credits_per_month: bailiwick::Credits::ZERO, needs_subscription: false, quotas: Default::default(),
/// #     concurrency: Default::default(),
/// # };
/// # let account = Account {
/// #     id: 7.into(), status: AccountStatus::Active, payment_method: PaymentMethod::BankTransfer, version: 1,
/// #     privileges: Privileges::NONE,
/// # };
/// # let tenant = Tenant { account, plan: Some(plan.into()), subscription: None, sites: [12.into()].into() };
/// # let person = Principal::session(1.into()).of_account(7.into());
/// # let access = validate_account_and_plan(&person, Some(&tenant), "2026-01-01T00:00:00Z".parse()?)?.into_write()?;
/// write(&access.write().site(12.into())?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! table {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident : Account in $table:literal {
        tenant $account:literal $account_kind:ident;
        $($rest:tt)*
    }) => {
        $crate::__table! {
            [$(#[$meta])* $visibility struct $name] [Account] [$table]
            [$crate::__private::IdColumn::new($account, $crate::IdKind::$account_kind)] [None] $($rest)*
        }
    };
    ($(#[$meta:meta])* $visibility:vis struct $name:ident : Site in $table:literal {
        tenant $account:literal $account_kind:ident, $site:literal $site_kind:ident of $sites:path;
        $($rest:tt)*
    }) => {
        $crate::__table! {
            [$(#[$meta])* $visibility struct $name] [Site] [$table]
            [
                $crate::__private::IdColumn::new($account, $crate::IdKind::$account_kind),
                $crate::__private::IdColumn::new($site, $crate::IdKind::$site_kind)
            ]
            [$crate::__private::Schema::parent::<$sites, $crate::Account>()]
            $($rest)*
        }
    };
    ($(#[$meta:meta])* $visibility:vis struct $name:ident : Global in $table:literal { $($rest:tt)* }) => {
        $crate::__table! { [$(#[$meta])* $visibility struct $name] [Global] [$table] [] [None] $($rest)* }
    };
    ($($malformed:tt)*) => {
        compile_error!(concat!(
            "a table is declared as `pub struct Name: Level in \"table\" { tenant …; key …; column …; }`, ",
            "where `Level in … { tenant …;` is one of\n",
            "  Account in \"table\" { tenant \"account_id\" Kind;\n",
            "  Site in \"table\" { tenant \"account_id\" Kind, \"site_id\" Kind of Sites;\n",
            "  Global in \"table\" {\n",
            "and Kind is Int, Text or Uuid",
        ));
    };
}

/// What [`table!`](crate::table) becomes once its level is known.
#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ([$(#[$meta:meta])* $visibility:vis struct $name:ident] [$level:ident] [$table:literal] [$($tenant:expr),*] [$parent:expr]
        $(#[$key_meta:meta])* key $key:ident = $key_name:literal $key_type:ident $insertion:ident;
        $($(#[$column_meta:meta])* column $column:ident = $column_name:literal $type:ty;)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility struct $name;

        impl $name {
            #[doc = concat!("The key, `", $key_name, "`.")]
            $(#[$key_meta])*
            pub const $key: $crate::Column<Self, $key_type, $crate::Key> = $crate::Column::declared_key();
            $(
                #[doc = concat!("The column `", $column_name, "`.")]
                $(#[$column_meta])*
                pub const $column: $crate::Column<Self, $type> = match $crate::Column::declared($column_name) {
                    Some(column) => column,
                    None => panic!("a column is in the schema of its own table"),
                };
            )*
        }

        impl $crate::Table for $name {
            type Level = $crate::$level;
            type Key = $key_type;
            type Insertion = $crate::__table!(@insertion $insertion);
            const SCHEMA: &'static $crate::__private::Schema = &$crate::__private::Schema::new::<$key_type>(
                $table,
                &[$($tenant),*],
                $parent,
                $key_name,
                &[$($column_name),*],
            );
        }

        const _: () = match <$name as $crate::Table>::SCHEMA.fault::<$crate::$level>() {
            None => {}
            Some(fault) => panic!("{}", fault),
        };
    };
    (@insertion generated) => { $crate::Ready };
    (@insertion supplied) => { $crate::NoKey };
    (@insertion $malformed:ident) => { compile_error!("a key is `generated` by the database or `supplied` at insert") };
    ([$($head:tt)*] [$level:ident] [$table:literal] [$($tenant:tt)*] [$($parent:tt)*] $($malformed:tt)*) => {
        compile_error!(concat!(
            "after its tenant columns a table has one key, then its columns:\n",
            "  key NAME = \"column\" Type generated;    (or `supplied`)\n",
            "  column NAME = \"column\" Type;",
        ));
    };
}
