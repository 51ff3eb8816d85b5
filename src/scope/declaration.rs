//! The macro that declares a table.

/// Declares a table: its level, its tenant columns, its key and its other columns.
///
/// ```text
/// pub struct Name: Level in "table" {
///     tenant …;                                      by level, see below
///     key NAME = "column" Type generated;            the database makes the key; or `supplied`, once, at insert;
///                                                    or `key tenant;`: one row for each tenant
///     column NAME = "column" Type;                   as many as there are
///     reference NAME = "column" to Table;            the key of a row of that table; `to Option<Table>` if it may be null
///     unique NAME = ("column" Type, …);              unique within the tenant
/// }
/// ```
///
/// | level | tenant columns | rows |
/// |---|---|---|
/// | `Account` | `tenant "account_id" Kind;` | belong to an account |
/// | `Site` | `tenant "account_id" Kind, "site_id" Kind of Sites;` | belong to a site |
/// | `Sector` | `tenant "account_id" Kind, "site_id" Kind, "sector_id" Kind of Sectors;` | belong to a sector of a site |
/// | `Global` | none | belong to nobody, and are read only |
///
/// `Kind` is a variant of [`IdKind`](crate::id::IdKind) and must be the column's type in the
/// database; a text column must tell case and compare byte by byte, as tenants do. An identifier of
/// another kind fails closed when a statement is built. `of Sites` names the account-level table
/// whose key is the site's id: an insert checks there, in the same statement, that the account has
/// the site; `of Sectors` the site-level table whose key is the sector's. A foreign key in the
/// database should stand behind that, and behind each reference, as
/// [`create_table`](crate::scope::create_table) has it.
///
/// A key holds an `i64`, a `String` or a `Uuid`; a column any
/// [`ColumnValue`](crate::scope::traits::ColumnValue). Tenant columns become no constants, so they
/// can be neither set nor updated. A name that is not plain, and two columns of one name, do not
/// compile. In the database a supplied key, and each unique key, is unique together with all tenant
/// columns, before it.
///
/// A reference goes to a table of the same level, of one above, or to a global one. One that goes
/// up tells a site whether the account has such a row, and that alone: no statement of a site's
/// scope reads it.
///
/// ```
/// use bailiwick::Scope;
/// use bailiwick::scope::Dialect;
/// use bailiwick::scope::state::Write;
/// use bailiwick::tenant::Site;
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
///         reference AFTER = "after_id" to Option<Article>;
///         unique BY_TITLE = ("title" String);
///     }
/// }
///
/// fn write(site: &Scope<Site, Write>) -> Result<(), bailiwick::scope::BuildError> {
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
///         r#"SELECT "articles"."account_id", "articles"."site_id", "articles"."id", "articles"."title", "articles"."note", "articles"."after_id" "#,
///         r#"FROM "articles" WHERE "articles"."account_id" = $1 AND "articles"."site_id" = $2 "#,
///         r#"AND (starts_with("articles"."title", $3) OR "articles"."note" IS NULL) "#,
///         r#"ORDER BY "articles"."id" DESC LIMIT $4"#,
///     ));
///     Ok(())
/// }
/// # use bailiwick::{Account, Plan, Principal, Tenant, validate_account_and_plan};
/// # use bailiwick::account::AccountStatus;
/// # use bailiwick::payment_method::PaymentMethod;
/// # use bailiwick::right::Privileges;
/// # let plan = Plan {
/// #     id: 1.into(), active: true, price: bailiwick::Money::new(0.into(), bailiwick::money::Currency::EUR)?, interval: bailiwick::period::Interval::MONTHLY,
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
            [$crate::__private::IdColumn::new($account, $crate::id::IdKind::$account_kind)] [None] $($rest)*
        }
    };
    ($(#[$meta:meta])* $visibility:vis struct $name:ident : Site in $table:literal {
        tenant $account:literal $account_kind:ident, $site:literal $site_kind:ident of $sites:path;
        $($rest:tt)*
    }) => {
        $crate::__table! {
            [$(#[$meta])* $visibility struct $name] [Site] [$table]
            [
                $crate::__private::IdColumn::new($account, $crate::id::IdKind::$account_kind),
                $crate::__private::IdColumn::new($site, $crate::id::IdKind::$site_kind)
            ]
            [$crate::__private::Schema::parent::<$sites, $crate::account::Account>()]
            $($rest)*
        }
    };
    ($(#[$meta:meta])* $visibility:vis struct $name:ident : Sector in $table:literal {
        tenant $account:literal $account_kind:ident, $site:literal $site_kind:ident,
            $sector:literal $sector_kind:ident of $sectors:path;
        $($rest:tt)*
    }) => {
        $crate::__table! {
            [$(#[$meta])* $visibility struct $name] [Sector] [$table]
            [
                $crate::__private::IdColumn::new($account, $crate::id::IdKind::$account_kind),
                $crate::__private::IdColumn::new($site, $crate::id::IdKind::$site_kind),
                $crate::__private::IdColumn::new($sector, $crate::id::IdKind::$sector_kind)
            ]
            [$crate::__private::Schema::parent::<$sectors, $crate::tenant::Site>()]
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
            "  Sector in \"table\" { tenant \"account_id\" Kind, \"site_id\" Kind, \"sector_id\" Kind of Sectors;\n",
            "  Global in \"table\" {\n",
            "and Kind is Int, Text or Uuid",
        ));
    };
}

/// What [`table!`](crate::table) becomes once its level is known: first its key, then what is left,
/// sorted by what it is.
#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ([$(#[$meta:meta])* $visibility:vis struct $name:ident] [$level:ident] [$table:literal] [$($tenant:expr),*] [$parent:expr]
        $(#[$key_meta:meta])* key $key:ident = $key_name:literal $key_type:ident $insertion:ident;
        $($rest:tt)*
    ) => {
        $crate::__table! {
            @rest [$(#[$meta])* $visibility struct $name] [$level] [$table] [$($tenant),*] [$parent]
            [$crate::__table!(@insertion $insertion)] [$crate::__table!(@key $insertion $key_type $key_name)]
            [] [] [] $($rest)*
        }

        impl $name {
            #[doc = concat!("The key, `", $key_name, "`.")]
            $(#[$key_meta])*
            pub const $key: $crate::scope::Column<Self, $key_type, $crate::scope::state::Key> = $crate::scope::Column::declared_key();
        }

        impl $crate::scope::traits::Keyed for $name {
            type Key = $key_type;
        }

        $crate::__table!(@keyed $name $level $insertion);
    };
    ([$(#[$meta:meta])* $visibility:vis struct $name:ident] [$level:ident] [$table:literal] [$($tenant:expr),*] [$parent:expr]
        key tenant;
        $($rest:tt)*
    ) => {
        $crate::__table! {
            @rest [$(#[$meta])* $visibility struct $name] [$level] [$table] [$($tenant),*] [$parent]
            [$crate::scope::state::Ready] [$crate::__private::KeyColumn::Tenant] [] [] [] $($rest)*
        }

        impl $crate::scope::traits::TenantKeyed for $name {}
    };
    (@rest $head:tt $level:tt $table:tt $tenant:tt $parent:tt $insertion:tt $key:tt
        [$($columns:tt)*] $references:tt $uniques:tt
        $(#[$meta:meta])* column $column:ident = $name:literal $type:ty;
        $($rest:tt)*
    ) => {
        $crate::__table! {
            @rest $head $level $table $tenant $parent $insertion $key
            [$($columns)* $(#[$meta])* $column = $name $type;] $references $uniques $($rest)*
        }
    };
    (@rest $head:tt $level:tt $table:tt $tenant:tt $parent:tt $insertion:tt $key:tt
        $columns:tt [$($references:tt)*] $uniques:tt
        $(#[$meta:meta])* reference $reference:ident = $name:literal to $target:ty;
        $($rest:tt)*
    ) => {
        $crate::__table! {
            @rest $head $level $table $tenant $parent $insertion $key
            $columns [$($references)* $(#[$meta])* $reference = $name $target;] $uniques $($rest)*
        }
    };
    (@rest $head:tt $level:tt $table:tt $tenant:tt $parent:tt $insertion:tt $key:tt
        $columns:tt $references:tt [$($uniques:tt)*]
        $(#[$meta:meta])* unique $unique:ident = ($($name:literal $type:ident),+ $(,)?);
        $($rest:tt)*
    ) => {
        $crate::__table! {
            @rest $head $level $table $tenant $parent $insertion $key
            $columns $references [$($uniques)* $(#[$meta])* $unique = ($($name $type),+);] $($rest)*
        }
    };
    (@rest [$(#[$meta:meta])* $visibility:vis struct $name:ident] [$level:ident] [$table:literal] [$($tenant:expr),*]
        [$parent:expr] [$insertion:ty] [$key:expr]
        [$($(#[$column_meta:meta])* $column:ident = $column_name:literal $type:ty;)*]
        [$($(#[$reference_meta:meta])* $reference:ident = $reference_name:literal $target:ty;)*]
        [$($(#[$unique_meta:meta])* $unique:ident = ($($unique_name:literal $unique_type:ident),+);)*]
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility struct $name;

        impl $name {
            $(
                #[doc = concat!("The column `", $column_name, "`.")]
                $(#[$column_meta])*
                pub const $column: $crate::scope::Column<Self, $type> = match $crate::scope::Column::declared($column_name) {
                    Some(column) => column,
                    None => panic!("a column is in the schema of its own table"),
                };
            )*
            $(
                #[doc = concat!("The reference `", $reference_name, "`.")]
                $(#[$reference_meta])*
                pub const $reference: $crate::scope::Column<
                    Self,
                    <$target as $crate::__private::ReferenceTarget>::Value,
                    $crate::scope::state::ReferenceTo<<$target as $crate::__private::ReferenceTarget>::Table>,
                > = match $crate::scope::Column::declared_reference($reference_name) {
                    Some(column) => column,
                    None => panic!("a reference is in the schema of its own table"),
                };
            )*
            $(
                #[doc = concat!("The unique key of ", $("`", $unique_name, "` ",)+ "within the tenant.")]
                $(#[$unique_meta])*
                pub const $unique: $crate::scope::Unique<Self, ($($unique_type,)+)> =
                    match $crate::scope::Unique::declared(&[$($unique_name),+]) {
                        Some(unique) => unique,
                        None => panic!("the columns of a unique key are columns of the table, of the same types, and not null"),
                    };
            )*
        }

        impl $crate::scope::Table for $name {
            type Level = $crate::__table!(@level $level);
            type Insertion = $insertion;
            const SCHEMA: &'static $crate::__private::Schema = &$crate::__private::Schema::new(
                $table,
                &[$($tenant),*],
                $parent,
                $key,
                &[
                    $($crate::__private::DataColumn::new::<$type>($column_name),)*
                    $($crate::__private::DataColumn::new::<<$target as $crate::__private::ReferenceTarget>::Value>(
                        $reference_name,
                    ),)*
                ],
                &[$($crate::__private::Reference::new::<<$target as $crate::__private::ReferenceTarget>::Table>(
                    $reference_name,
                ),)*],
                &[$(&[$($unique_name),+],)*],
            );
        }

        const _: () = {
            match <$name as $crate::scope::Table>::SCHEMA.fault::<<$name as $crate::scope::Table>::Level>() {
                None => {}
                Some(fault) => panic!("{}", fault),
            }
            $(
                $crate::__private::assert_reference::<
                    $name,
                    <$target as $crate::__private::ReferenceTarget>::Table,
                >();
            )*
            // A constant that no statement names would not be looked at.
            $(let _ = $name::$unique;)*
        };
    };
    (@insertion generated) => { $crate::scope::state::Ready };
    (@insertion supplied) => { $crate::scope::state::NoKey };
    (@insertion $malformed:ident) => {
        compile_error!("a key is `generated` by the database or `supplied` at insert; or it is `key tenant;`")
    };
    (@key generated $type:ident $name:literal) => { $crate::__private::KeyColumn::generated::<$type>($name) };
    (@key $supplied:ident $type:ident $name:literal) => { $crate::__private::KeyColumn::supplied::<$type>($name) };
    (@level Account) => { $crate::account::Account };
    (@level Site) => { $crate::tenant::Site };
    (@level Sector) => { $crate::tenant::Sector };
    (@level Global) => { $crate::scope::state::Global };
    (@keyed $name:ident $level:ident generated) => { impl<L: $crate::scope::traits::ScopeLevel> $crate::scope::traits::KeyedIn<L> for $name {} };
    (@keyed $name:ident Global $insertion:ident) => { impl<L: $crate::scope::traits::ScopeLevel> $crate::scope::traits::KeyedIn<L> for $name {} };
    (@keyed $name:ident $level:ident $insertion:ident) => { impl $crate::scope::traits::KeyedIn<$crate::__table!(@level $level)> for $name {} };
    ($($malformed:tt)*) => {
        compile_error!(concat!(
            "after its tenant columns a table has one key, and then its columns, references and unique keys:\n",
            "  key NAME = \"column\" Type generated;    (or `supplied`; or `key tenant;`)\n",
            "  column NAME = \"column\" Type;\n",
            "  reference NAME = \"column\" to Table;    (or `to Option<Table>`)\n",
            "  unique NAME = (\"column\" Type, …);",
        ));
    };
}
