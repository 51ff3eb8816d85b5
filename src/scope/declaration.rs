//! The macro that declares a table.

/// Declares a table: its level, its tenant columns, its key and its other columns.
///
/// ```text
/// pub struct Name: Level in "table" {
///     tenant …;                                 by level, see below
///     key NAME = "column" Type generated;       the database generates the key;
///                                               or `supplied`: each insert supplies it;
///                                               or `key tenant;`: one row for each tenant
///     column NAME = "column" Type;              any number of columns
///     reference NAME = "column" to Table;       the key of a row of that table;
///                                               `to Option<Table>` if it may be null
///     unique NAME = ("column" Type, …);         unique within the tenant
/// }
/// ```
///
/// The level says whose rows they are:
///
/// | level | tenant columns | rows |
/// |---|---|---|
/// | `Account` | `tenant "account_id" Kind;` | belong to an account |
/// | `Site` | `tenant "account_id" Kind, "site_id" Kind of Sites;` | belong to a site |
/// | `Sector` | `tenant "account_id" Kind, "site_id" Kind, "sector_id" Kind of Sectors;` | belong to a sector of a site |
/// | `Global` | none | belong to nobody, and are read only |
///
/// ```
/// use bailiwick::scope::state::Write;
/// use bailiwick::scope::{Dialect, Prepared};
/// use bailiwick::table;
/// use bailiwick::tenant::Site;
///
/// table! {
///     /// The sites of an account.
///     pub struct Sites: Account in "sites" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///     }
/// }
///
/// table! {
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
/// // The macro makes a type of that name, and a constant for each name in capitals.
/// let insert = Prepared::<Site, Write, (String,)>::new(Dialect::Sqlite, |site, (title,)| {
///     site.insert::<Article>().set(Article::TITLE, title)
/// });
/// assert_eq!(insert.unwrap().sql().as_ref(), concat!(
///     r#"INSERT INTO "articles" ("account_id", "site_id", "title") SELECT ?, ?, ? "#,
///     r#"WHERE EXISTS(SELECT 1 FROM "sites" WHERE "sites"."account_id" = ? AND "sites"."id" = ?)"#,
/// ));
/// ```
///
/// # Tenant columns
/// `Kind` is a variant of [`IdKind`](crate::id::IdKind), and must be the type that the column has
/// in the database. A text column must tell case and compare byte by byte, since tenants do. An
/// identifier of another kind fails closed when a statement is built.
///
/// Tenant columns become no constants, so no statement can set or update them.
///
/// `of Sites` names the account-level table whose key is the site's identifier: an insert checks
/// there, in the same statement, that the account has the site. `of Sectors` names the site-level
/// table whose key is the sector's. A foreign key in the database should stand behind that check,
/// and behind each reference, as [`create_table`](crate::scope::create_table) writes it.
///
/// # Keys, columns and references
/// A key holds an `i64`, a `String` or a `Uuid`, and a column any
/// [`ColumnValue`](crate::scope::traits::ColumnValue). In the database a supplied key must be
/// unique together with all tenant columns, which stand before it; so must each unique key.
///
/// A reference goes to a table of the same level, of one above, or to a global one. A reference
/// from a site's table up to an account's tells the site whether the account has such a row, and
/// nothing else: no statement of a site's scope reads that row.
///
/// # What does not compile
/// Names other than plain ones (1 to 63 characters of `a` to `z`, `A` to `Z`, `0` to `9` and `_`,
/// with no digit in front), two columns of one name, case aside, and tenant columns that do not fit
/// the level.
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

/// The second half of [`table!`](crate::table), once the level and the tenant columns are known.
// Grammar of the calls, in the order in which a declaration goes through them:
//
//   1. From `table!`, with the head of the declaration in brackets, then its body as it stands:
//
//        [attributes and name] [level] [table] [tenant columns] [parent]
//            key …; column …; reference …; unique …;
//
//      The first item of the body is the key. It makes the constant of the key and the impl of
//      `Keyed`, or that of `TenantKeyed`, and hands the rest on.
//
//   2. `@rest`, with the same head, and what has been learnt since:
//
//        @rest head… [type of Insertion] [KeyColumn] [columns] [references] [uniques]
//            column …; unique …; reference …;
//
//      The last three brackets are accumulators. Each call moves the first item of the body to the
//      end of the accumulator of its kind, so that the items of a kind, which a declaration may mix
//      with others, come to stand together. A macro cannot repeat over a mixed list otherwise.
//
//   3. `@rest` with an empty body: all items are sorted. This arm writes the type, its constants,
//      the impl of `Table`, and the checks at compile time.
//
// `@insertion`, `@key`, `@level` and `@keyed` are functions from a word of the declaration to a
// type, an expression or an impl.
//
// One expansion, with the paths shortened. From
//
//     table! {
//         pub struct Article: Account in "articles" {
//             tenant "account_id" Int;
//             key ID = "id" i64 generated;
//             column TITLE = "title" String;
//             unique BY_TITLE = ("title" String);
//         }
//     }
//
// the macro makes
//
//     #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
//     pub struct Article;
//
//     impl Article {
//         pub const ID: Column<Self, i64, Key> = Column::declared_key();
//         pub const TITLE: Column<Self, String> = Column::declared("title")…;
//         pub const BY_TITLE: Unique<Self, (String,)> = Unique::declared(&["title"])…;
//     }
//
//     impl Table for Article {
//         type Level = Account;
//         type Insertion = Ready;
//         const SCHEMA: &'static Schema = &Schema::new(
//             "articles",
//             &[IdColumn::new("account_id", IdKind::Int)],
//             None,
//             KeyColumn::generated::<i64>("id"),
//             &[DataColumn::new::<String>("title")],
//             &[],
//             &[&["title"]],
//         );
//     }
//     impl Keyed for Article { type Key = i64; }
//     impl<L: ScopeLevel> KeyedIn<L> for Article {}
//
//     const _: () = { /* panics if the schema has a fault or a reference cannot be */ };
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
