//! The tables that the generated statements are about, and how a condition of the oracle's reads in
//! the crate's terms.

use bailiwick::scope::state::SeveralSites;
use bailiwick::scope::traits::{ColumnValue, Comparable, Covers, Reachable, ScopeLevel};
use bailiwick::scope::{Column, Dialect, Filter, Fixed, Operand, Table, create_table};
use bailiwick::tenant::{Sector, Site};
use bailiwick::{Account, table};
use chrono::{DateTime, Utc};

use crate::model::{Cell, Col, Condition, Leaf, References, Relation};

table! { pub struct Sites: Account in "sites" {
    tenant "account_id" Int;
    key ID = "id" i64 generated;
    column NAME = "name" String;
} }
table! { pub struct Member: Account in "members" {
    tenant "account_id" Int;
    key ID = "id" i64 generated;
    column NAME = "name" String;
} }
table! { pub struct Setting: Account in "settings" {
    tenant "account_id" Int;
    key NAME = "name" String supplied;
    column VALUE = "value" String;
} }
table! { pub struct Profile: Site in "profiles" {
    tenant "account_id" Int, "site_id" Int of Sites;
    key tenant;
    column MOTTO = "motto" String;
} }
table! { pub struct Sectors: Site in "sectors" {
    tenant "account_id" Int, "site_id" Int of Sites;
    key ID = "id" i64 generated;
    column NAME = "name" String;
} }
table! { pub struct Folder: Site in "folders" {
    tenant "account_id" Int, "site_id" Int of Sites;
    key ID = "id" i64 generated;
    column NAME = "name" String;
    reference PARENT = "parent_id" to Option<Folder>;
} }
table! { pub struct Article: Site in "articles" {
    tenant "account_id" Int, "site_id" Int of Sites;
    key ID = "id" i64 generated;
    column TITLE = "title" String;
    column NOTE = "note" Option<String>;
    column SCORE = "score" i64;
    column OPEN = "open" bool;
    column SEEN = "seen" Option<DateTime<Utc>>;
    column DIGEST = "digest" Vec<u8>;
    column PRICE = "price" Option<Fixed<2>>;
    column TOKEN = "token" Option<uuid::Uuid>;
    column META = "meta" Option<serde_json::Value>;
    column SLUG = "slug" String;
    reference FOLDER = "folder_id" to Option<Folder>;
    reference AUTHOR = "author_id" to Option<Member>;
    unique BY_SLUG = ("slug" String);
} }
table! { pub struct Note: Sector in "notes" {
    tenant "account_id" Int, "site_id" Int, "sector_id" Int of Sectors;
    key ID = "id" i64 generated;
    column TEXT = "text" String;
    reference ARTICLE = "article_id" to Option<Article>;
} }

/// How a column is read: the tenant columns are integers, and so is the key unless it says
/// otherwise.
#[derive(Clone, Copy)]
pub enum Kind {
    Int,
    Text,
    Bool,
    Time,
    Bytes,
    Uuid,
    Cents,
    Json,
    Real,
}

pub struct Facts {
    pub name: &'static str,
    pub tenant: usize,
    pub key: Option<Kind>,
    pub cells: &'static [Kind],
    pub names: &'static str,
}

pub const TABLES: [Facts; 8] = [
    Facts {
        name: "sites",
        tenant: 1,
        key: Some(Kind::Int),
        cells: &[Kind::Text],
        names: "account_id, id, name",
    },
    Facts {
        name: "members",
        tenant: 1,
        key: Some(Kind::Int),
        cells: &[Kind::Text],
        names: "account_id, id, name",
    },
    Facts {
        name: "settings",
        tenant: 1,
        key: Some(Kind::Text),
        cells: &[Kind::Text],
        names: "account_id, name, value",
    },
    Facts {
        name: "profiles",
        tenant: 2,
        key: None,
        cells: &[Kind::Text],
        names: "account_id, site_id, motto",
    },
    Facts {
        name: "sectors",
        tenant: 2,
        key: Some(Kind::Int),
        cells: &[Kind::Text],
        names: "account_id, site_id, id, name",
    },
    Facts {
        name: "folders",
        tenant: 2,
        key: Some(Kind::Int),
        cells: &[Kind::Text, Kind::Int],
        names: "account_id, site_id, id, name, parent_id",
    },
    Facts {
        name: "articles",
        tenant: 2,
        key: Some(Kind::Int),
        cells: &ARTICLE,
        names: "account_id, site_id, id, title, note, score, open, seen, digest, price, token, meta, slug, folder_id, author_id",
    },
    Facts {
        name: "notes",
        tenant: 3,
        key: Some(Kind::Int),
        cells: &[Kind::Text, Kind::Int],
        names: "account_id, site_id, sector_id, id, text, article_id",
    },
];

pub const ARTICLE: [Kind; 12] = [
    Kind::Text,
    Kind::Text,
    Kind::Int,
    Kind::Bool,
    Kind::Time,
    Kind::Bytes,
    Kind::Cents,
    Kind::Uuid,
    Kind::Json,
    Kind::Text,
    Kind::Int,
    Kind::Int,
];
pub const META: usize = 8;
pub const SLUG: usize = 9;
pub const FOLDER: usize = 10;
pub const AUTHOR: usize = 11;

pub fn facts(table: &str) -> &'static Facts {
    TABLES.iter().find(|facts| facts.name == table).unwrap()
}

pub fn kind(table: &str, col: &Col) -> Kind {
    let end = col.path.iter().fold(table, |table, cell| {
        references()[&(facts(table).name, *cell)]
    });
    col.cell.map_or(Kind::Int, |cell| facts(end).cells[cell])
}

pub fn references() -> References {
    References::from([
        (("folders", 1), "folders"),
        (("articles", FOLDER), "folders"),
        (("articles", AUTHOR), "members"),
        (("notes", 1), "articles"),
    ])
}

/// All DDL, as the crate writes it.
pub fn ddl(dialect: Dialect) -> String {
    [
        create_table::<Sites>(dialect),
        create_table::<Member>(dialect),
        create_table::<Setting>(dialect),
        create_table::<Profile>(dialect),
        create_table::<Sectors>(dialect),
        create_table::<Folder>(dialect),
        create_table::<Article>(dialect),
        create_table::<Note>(dialect),
    ]
    .concat()
}

// From the oracle's cells to the crate's values.

pub trait FromCell: Sized {
    fn from_cell(cell: &Cell) -> Self;
}

macro_rules! from_cell {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {$(
        impl FromCell for $type {
            fn from_cell(cell: &Cell) -> Self {
                match cell {
                    $pattern => $value,
                    other => panic!("{other:?} is no {}", stringify!($type)),
                }
            }
        }
        impl FromCell for Option<$type> {
            fn from_cell(cell: &Cell) -> Self {
                if *cell == Cell::Null { None } else { Some(<$type>::from_cell(cell)) }
            }
        }
    )*};
}

from_cell! {
    i64: Cell::Int(value) => *value;
    String: Cell::Text(value) => value.clone();
    bool: Cell::Bool(value) => *value;
    DateTime<Utc>: Cell::Time(value) => *value;
    Vec<u8>: Cell::Bytes(value) => value.clone();
    uuid::Uuid: Cell::Uuid(value) => uuid::Uuid::from_u128(*value);
    Fixed<2>: Cell::Cents(value) => Fixed::of_units(*value).unwrap();
    serde_json::Value: Cell::Json(value) => value.clone();
}

fn plain<T, V, R, L>(column: Column<T, V, R>, leaf: &Leaf) -> Filter<T, L>
where
    T: Table,
    V: ColumnValue<Plain: Comparable + FromCell + Into<Operand<V::Plain>>>,
    R: Reachable<L>,
    L: ScopeLevel,
{
    let value = V::Plain::from_cell;
    match leaf {
        Leaf::Is(Relation::Equal, cell) => column.equals(value(cell)),
        Leaf::Is(Relation::NotEqual, cell) => column.not_equals(value(cell)),
        Leaf::Is(Relation::Less, cell) => column.less_than(value(cell)),
        Leaf::Is(Relation::AtMost, cell) => column.at_most(value(cell)),
        Leaf::Is(Relation::Greater, cell) => column.greater_than(value(cell)),
        Leaf::Is(Relation::AtLeast, cell) => column.at_least(value(cell)),
        Leaf::Between(low, high) => column.between(value(low), value(high)),
        Leaf::OneOf(cells) => column.one_of(cells.iter().map(value)),
        other => panic!("{other:?} is not said of every column"),
    }
}

fn text<T, V, R, L>(column: Column<T, V, R>, leaf: &Leaf) -> Filter<T, L>
where
    T: Table,
    V: ColumnValue<Plain = String>,
    R: Reachable<L>,
    L: Whole,
{
    match leaf {
        Leaf::Contains(part) => column.contains(part),
        Leaf::StartsWith(part) => column.starts_with(part.as_str()),
        Leaf::EndsWith(part) => column.ends_with(part.clone()),
        Leaf::Among("folders", _, inner) => {
            let values = Folder::NAME.values();
            column.among(match inner {
                Some(inner) => values.filter(folder(inner)),
                None => values,
            })
        }
        Leaf::Among("articles", _, inner) => {
            let values = Article::NOTE.values();
            column.among(match inner {
                Some(inner) => values.filter(article(inner)),
                None => values,
            })
        }
        leaf => plain(column, leaf),
    }
}

fn nullable<T, V, R, L>(
    column: Column<T, Option<V>, R>,
    leaf: &Leaf,
    other: impl Fn(Column<T, Option<V>, R>, &Leaf) -> Filter<T, L>,
) -> Filter<T, L>
where
    Option<V>: ColumnValue,
    R: Reachable<L>,
{
    match leaf {
        Leaf::Null => column.is_null(),
        Leaf::NotNull => column.is_not_null(),
        leaf => other(column, leaf),
    }
}

/// A level that a generated statement has; those that reach less have fewer columns to speak of.
pub trait Whole: ScopeLevel + Covers<Site> + Covers<Sector> {
    fn author(leaf: &Leaf) -> Filter<Article, Self>
    where
        Self: Sized;
}

impl Whole for Account {
    fn author(leaf: &Leaf) -> Filter<Article, Self> {
        nullable(Article::AUTHOR.then(Member::NAME), leaf, text)
    }
}

impl Whole for Site {
    fn author(_: &Leaf) -> Filter<Article, Self> {
        panic!("a site does not reach the members of its account")
    }
}

impl Whole for SeveralSites {
    fn author(_: &Leaf) -> Filter<Article, Self> {
        panic!("sites do not reach the members of their account")
    }
}

fn combined<T, L>(
    condition: &Condition,
    on: fn(&Col, &Leaf) -> Filter<T, L>,
    exists: fn(&Condition) -> Filter<T, L>,
) -> Filter<T, L> {
    let both = |inner: &Condition| combined(inner, on, exists);
    match condition {
        Condition::On(col, leaf) => on(col, leaf),
        Condition::And(left, right) => both(left).and(both(right)),
        Condition::Or(left, right) => both(left).or(both(right)),
        Condition::Not(inner) => !both(inner),
        Condition::AnyOf(all) => Filter::any_of(all.iter().map(both)),
        Condition::Exists(..) => exists(condition),
    }
}

pub fn article<L: Whole>(condition: &Condition) -> Filter<Article, L> {
    combined(condition, article_column, |exists| match exists {
        Condition::Exists("notes", _, Some(inner)) => Note::ARTICLE.exists_where(note(inner)),
        _ => Note::ARTICLE.exists(),
    })
}

fn article_column<L: Whole>(col: &Col, leaf: &Leaf) -> Filter<Article, L> {
    match (col.path.as_slice(), col.cell) {
        ([], None) => plain(Article::ID, leaf),
        ([], Some(0)) => text(Article::TITLE, leaf),
        ([], Some(1)) => nullable(Article::NOTE, leaf, text),
        ([], Some(2)) => plain(Article::SCORE, leaf),
        ([], Some(3)) => plain(Article::OPEN, leaf),
        ([], Some(4)) => nullable(Article::SEEN, leaf, plain),
        ([], Some(5)) => plain(Article::DIGEST, leaf),
        ([], Some(6)) => nullable(Article::PRICE, leaf, plain),
        ([], Some(7)) => nullable(Article::TOKEN, leaf, plain),
        ([], Some(META)) => nullable(Article::META, leaf, |_, _| panic!("JSON is not compared")),
        ([], Some(SLUG)) => text(Article::SLUG, leaf),
        ([], Some(FOLDER)) => nullable(Article::FOLDER, leaf, plain),
        ([], Some(AUTHOR)) => nullable(Article::AUTHOR, leaf, plain),
        ([FOLDER], None) => nullable(Article::FOLDER.then(Folder::ID), leaf, plain),
        ([FOLDER], Some(0)) => nullable(Article::FOLDER.then(Folder::NAME), leaf, text),
        ([FOLDER, 1], Some(0)) => nullable(
            Article::FOLDER.then(Folder::PARENT).then(Folder::NAME),
            leaf,
            text,
        ),
        ([FOLDER, 1, 1], Some(0)) => nullable(
            Article::FOLDER
                .then(Folder::PARENT.then(Folder::PARENT))
                .then(Folder::NAME),
            leaf,
            text,
        ),
        ([AUTHOR], Some(0)) => L::author(leaf),
        other => panic!("no such column: {other:?}"),
    }
}

pub fn folder<L: Whole>(condition: &Condition) -> Filter<Folder, L> {
    combined(condition, folder_column, |exists| match exists {
        Condition::Exists("folders", _, Some(inner)) => Folder::PARENT.exists_where(folder(inner)),
        Condition::Exists("articles", _, Some(inner)) => {
            Article::FOLDER.exists_where(article(inner))
        }
        Condition::Exists("folders", ..) => Folder::PARENT.exists(),
        _ => Article::FOLDER.exists(),
    })
}

fn folder_column<L: Whole>(col: &Col, leaf: &Leaf) -> Filter<Folder, L> {
    match (col.path.as_slice(), col.cell) {
        ([], None) => plain(Folder::ID, leaf),
        ([], Some(0)) => text(Folder::NAME, leaf),
        ([], Some(1)) => nullable(Folder::PARENT, leaf, plain),
        ([1], Some(0)) => nullable(Folder::PARENT.then(Folder::NAME), leaf, text),
        other => panic!("no such column: {other:?}"),
    }
}

pub fn note<L: Whole>(condition: &Condition) -> Filter<Note, L> {
    combined(condition, note_column, |_| {
        panic!("nothing refers to a note")
    })
}

fn note_column<L: Whole>(col: &Col, leaf: &Leaf) -> Filter<Note, L> {
    match (col.path.as_slice(), col.cell) {
        ([1], Some(0)) => nullable(Note::ARTICLE.then(Article::TITLE), leaf, text),
        ([1, FOLDER], Some(0)) => nullable(
            Note::ARTICLE.then(Article::FOLDER).then(Folder::NAME),
            leaf,
            text,
        ),
        ([], Some(0)) => text(Note::TEXT, leaf),
        _ => own_note_column(col, leaf),
    }
}

/// What the scope of a sector may say of a note.
pub fn own_note(condition: &Condition) -> Filter<Note, Sector> {
    combined(condition, own_note_column, |_| {
        panic!("nothing refers to a note")
    })
}

fn own_note_column<L: ScopeLevel>(col: &Col, leaf: &Leaf) -> Filter<Note, L> {
    match (col.path.as_slice(), col.cell) {
        ([], None) => plain(Note::ID, leaf),
        ([], Some(0)) => match leaf {
            Leaf::Contains(part) => Note::TEXT.contains(part),
            Leaf::StartsWith(part) => Note::TEXT.starts_with(part),
            Leaf::EndsWith(part) => Note::TEXT.ends_with(part),
            leaf => plain(Note::TEXT, leaf),
        },
        ([], Some(1)) => nullable(Note::ARTICLE, leaf, plain),
        other => panic!("no such column: {other:?}"),
    }
}

/// An order, and what else is made of one column, whatever it holds.
#[macro_export]
macro_rules! with_article_column {
    ($col:expr, $column:ident => $body:expr) => {
        match ($col.path.as_slice(), $col.cell) {
            ([], None) => {
                let $column = Article::ID;
                $body
            }
            ([], Some(0)) => {
                let $column = Article::TITLE;
                $body
            }
            ([], Some(1)) => {
                let $column = Article::NOTE;
                $body
            }
            ([], Some(2)) => {
                let $column = Article::SCORE;
                $body
            }
            ([], Some(3)) => {
                let $column = Article::OPEN;
                $body
            }
            ([], Some(4)) => {
                let $column = Article::SEEN;
                $body
            }
            ([], Some(5)) => {
                let $column = Article::DIGEST;
                $body
            }
            ([], Some(6)) => {
                let $column = Article::PRICE;
                $body
            }
            ([], Some(7)) => {
                let $column = Article::TOKEN;
                $body
            }
            ([], Some(9)) => {
                let $column = Article::SLUG;
                $body
            }
            ([], Some(10)) => {
                let $column = Article::FOLDER;
                $body
            }
            ([], Some(11)) => {
                let $column = Article::AUTHOR;
                $body
            }
            ([10], None) => {
                let $column = Article::FOLDER.then(Folder::ID);
                $body
            }
            ([10], Some(0)) => {
                let $column = Article::FOLDER.then(Folder::NAME);
                $body
            }
            ([10, 1], Some(0)) => {
                let $column = Article::FOLDER.then(Folder::PARENT).then(Folder::NAME);
                $body
            }
            ([10, 1, 1], Some(0)) => {
                let $column = Article::FOLDER
                    .then(Folder::PARENT)
                    .then(Folder::PARENT)
                    .then(Folder::NAME);
                $body
            }
            other => panic!("no such column: {other:?}"),
        }
    };
}

/// Sets what a draft has; the references only where the scope may.
#[macro_export]
macro_rules! set_article {
    ($statement:expr, $draft:expr $(, $references:ident)?) => {{
        let mut statement = $statement;
        for (cell, value) in $draft {
            statement = match cell {
                0 => statement.set(Article::TITLE, String::from_cell(value)),
                1 => statement.set(Article::NOTE, Option::<String>::from_cell(value)),
                2 => statement.set(Article::SCORE, i64::from_cell(value)),
                3 => statement.set(Article::OPEN, bool::from_cell(value)),
                4 => statement.set(Article::SEEN, Option::<DateTime<Utc>>::from_cell(value)),
                5 => statement.set(Article::DIGEST, Vec::<u8>::from_cell(value)),
                6 => statement.set(Article::PRICE, Option::<Fixed<2>>::from_cell(value)),
                7 => statement.set(Article::TOKEN, Option::<uuid::Uuid>::from_cell(value)),
                8 => statement.set(Article::META, Option::<serde_json::Value>::from_cell(value)),
                9 => statement.set(Article::SLUG, String::from_cell(value)),
                $(10 if stringify!($references) != "" => statement.set(Article::FOLDER, Option::<i64>::from_cell(value)),)?
                $(11 if stringify!($references) != "" => statement.set(Article::AUTHOR, Option::<i64>::from_cell(value)),)?
                other => panic!("no such column to set: {other}"),
            };
        }
        statement
    }};
}
