//! Worlds of several tenants, and statements of every kind.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::model::{Cell, Col, Condition, Leaf, Output, Reach, Relation, Row, World};
use crate::tables::{ARTICLE, AUTHOR, FOLDER, Kind, META, SLUG, kind, references};

/// Account, site, and the site's sectors.
pub const SITES: [(i64, i64, &[i64]); 4] = [
    (1, 11, &[111, 112]),
    (1, 12, &[121]),
    (2, 21, &[211]),
    (2, 22, &[]),
];

pub type Draft = Vec<(usize, Cell)>;

#[derive(Clone, Debug)]
pub enum Operation {
    Select {
        condition: Option<Condition>,
        order: Vec<(Col, bool)>,
        columns: Vec<Col>,
        limit: Option<u32>,
        inner: bool,
    },
    /// Every page of a list, so many rows each.
    Pages {
        condition: Option<Condition>,
        order: Vec<(Col, bool)>,
        rows: u32,
    },
    Get(i64),
    Count(Option<Condition>),
    Exists(Option<Condition>),
    Aggregate {
        condition: Option<Condition>,
        by: Vec<Col>,
        outputs: Vec<Output>,
    },
    Update(Option<Condition>, Draft),
    Delete(Condition),
    Insert(Draft),
    InsertMany(Vec<[Cell; 4]>),
    Upsert {
        slug: String,
        set: Draft,
        if_new: Draft,
    },
    /// The same of folders and notes, whose rows lead to others of their own table, and belong to a
    /// sector.
    Folders(Option<Condition>),
    MoveFolder {
        folder: i64,
        parent: Option<i64>,
    },
    Notes(Option<Condition>),
    UpdateNotes(Option<Condition>, String),
    InsertNote {
        text: String,
        article: Option<i64>,
    },
    /// Settings have a supplied key, profiles none of their own.
    Settings {
        name: String,
        value: String,
        insert: bool,
    },
    Profile(String),
    /// The host removes a site behind the scope's back, or puts it back.
    ToggleSite,
}

pub fn text() -> impl Strategy<Value = String> + Clone {
    let pieces = [
        "a", "b", "A", "%", "_", "\\", "'", "\"", "--", "\0", "é", "🦀", " ",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..3)
        .prop_map(|pieces| pieces.concat())
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> + Clone {
    let start: DateTime<Utc> = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    (
        0_i64..4,
        prop::sample::select(vec![0_i64, 500_000, 500_001]),
    )
        .prop_map(move |(seconds, micros)| {
            start + TimeDelta::microseconds(seconds * 1_000_000 + micros)
        })
}

fn cell(kind: Kind) -> BoxedStrategy<Cell> {
    match kind {
        // Large ones too, but none whose sum overflows.
        Kind::Int => prop_oneof![9 => -2_i64..30, 1 => Just(1 << 55)]
            .prop_map(Cell::Int)
            .boxed(),
        Kind::Text => text().prop_map(Cell::Text).boxed(),
        Kind::Bool => any::<bool>().prop_map(Cell::Bool).boxed(),
        Kind::Time => instant().prop_map(Cell::Time).boxed(),
        Kind::Bytes => prop::collection::vec(prop::sample::select(vec![0_u8, 1, 255]), 0..3)
            .prop_map(Cell::Bytes)
            .boxed(),
        Kind::Uuid => (0_u128..3).prop_map(Cell::Uuid).boxed(),
        Kind::Cents => prop_oneof![9 => -300_i64..300, 1 => Just(99_999_999_999_999_999)]
            .prop_map(Cell::Cents)
            .boxed(),
        Kind::Json => prop::sample::select(vec![
            serde_json::json!(null),
            serde_json::json!({"a": [1, "b'?$1"]}),
            7.into(),
        ])
        .prop_map(Cell::Json)
        .boxed(),
        Kind::Real => unreachable!("no column is a float"),
    }
}

fn nullable(table: &str, column: usize) -> bool {
    matches!(
        (table, column),
        ("articles", 1 | 4 | 6 | 7 | META | FOLDER | AUTHOR) | ("folders" | "notes", 1)
    )
}

/// A value for a column: of its kind, of few different ones, and null where it may be.
fn value(table: &'static str, column: usize) -> BoxedStrategy<Cell> {
    let col = Col {
        path: Vec::new(),
        cell: Some(column),
    };
    let plain = match (table, column) {
        ("articles", FOLDER) => (1_i64..9).prop_map(Cell::Int).boxed(),
        ("articles", AUTHOR) => (1_i64..5).prop_map(Cell::Int).boxed(),
        ("folders", 1) => (1_i64..9).prop_map(Cell::Int).boxed(),
        ("notes", 1) => (1_i64..14).prop_map(Cell::Int).boxed(),
        _ => cell(kind(table, &col)),
    };
    if nullable(table, column) {
        prop_oneof![3 => plain, 1 => Just(Cell::Null)].boxed()
    } else {
        plain
    }
}

fn draft() -> impl Strategy<Value = Draft> {
    // A slug is unique, and so is left to inserts and upserts.
    let columns = (0..ARTICLE.len())
        .filter(|column| *column != SLUG)
        .collect::<Vec<_>>();
    prop::sample::subsequence(columns, 0..6).prop_flat_map(|columns| {
        columns
            .into_iter()
            .map(|column| (Just(column), value("articles", column)))
            .collect::<Vec<_>>()
    })
}

fn columns(table: &'static str) -> Vec<Col> {
    let col = |path: &[usize], cell| Col {
        path: path.to_vec(),
        cell,
    };
    match table {
        "articles" => {
            let own = (0..ARTICLE.len())
                .filter(|cell| *cell != META)
                .map(|cell| col(&[], Some(cell)));
            let joined = [
                col(&[FOLDER], None),
                col(&[FOLDER], Some(0)),
                col(&[FOLDER, 1], Some(0)),
                col(&[FOLDER, 1, 1], Some(0)),
            ];
            own.chain([col(&[], None)]).chain(joined).collect()
        }
        "folders" => vec![
            col(&[], None),
            col(&[], Some(0)),
            col(&[], Some(1)),
            col(&[1], Some(0)),
        ],
        "notes" => {
            vec![
                col(&[], None),
                col(&[], Some(0)),
                col(&[], Some(1)),
                col(&[1], Some(0)),
                col(&[1, FOLDER], Some(0)),
            ]
        }
        other => panic!("no conditions on {other}"),
    }
}

fn leaf(table: &'static str, col: Col, deep: bool) -> BoxedStrategy<Leaf> {
    use Relation::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    let relation = prop::sample::select(vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast]);
    let value = || cell(kind(table, &col));
    let is = prop_oneof![
        4 => (relation, value()).prop_map(|(relation, cell)| Leaf::Is(relation, cell)),
        1 => (value(), value()).prop_map(|(low, high)| Leaf::Between(low, high)),
        1 => prop::collection::vec(value(), 0..4).prop_map(Leaf::OneOf),
    ];
    let mut leaf = is.boxed();
    if !col.path.is_empty() || col.cell.is_some_and(|cell| nullable(table, cell)) {
        leaf = prop_oneof![3 => leaf, 1 => Just(Leaf::Null), 1 => Just(Leaf::NotNull)].boxed();
    }
    if let Kind::Text = kind(table, &col) {
        let parts = prop_oneof![
            text().prop_map(Leaf::Contains),
            text().prop_map(Leaf::StartsWith),
            text().prop_map(Leaf::EndsWith)
        ];
        leaf = prop_oneof![2 => leaf, 1 => parts].boxed();
        if deep {
            let among = prop_oneof![
                prop::option::of(condition("folders", false)).prop_map(|inner| Leaf::Among(
                    "folders",
                    Col {
                        path: vec![],
                        cell: Some(0)
                    },
                    inner.map(Box::new)
                )),
                prop::option::of(condition("articles", false)).prop_map(|inner| Leaf::Among(
                    "articles",
                    Col {
                        path: vec![],
                        cell: Some(1)
                    },
                    inner.map(Box::new)
                )),
            ];
            leaf = prop_oneof![5 => leaf, 1 => among].boxed();
        }
    }
    leaf
}

/// A condition on the rows of a table; a deep one asks about other tables' rows as well.
pub fn condition(table: &'static str, deep: bool) -> BoxedStrategy<Condition> {
    let mut columns = columns(table);
    if table == "articles" {
        columns.push(Col {
            path: vec![AUTHOR],
            cell: Some(0),
        });
        columns.push(Col {
            path: vec![],
            cell: Some(META),
        });
    }
    let on = prop::sample::select(columns).prop_flat_map(move |col| {
        let leaf = match (col.path.as_slice(), col.cell) {
            ([], Some(META)) => prop_oneof![Just(Leaf::Null), Just(Leaf::NotNull)].boxed(),
            _ => leaf(table, col.clone(), deep),
        };
        leaf.prop_map(move |leaf| Condition::On(col.clone(), leaf))
    });
    let mut leaves = on.boxed();
    let exists = |child: &'static str, column: usize| {
        prop::option::of(condition(child, false))
            .prop_map(move |inner| Condition::Exists(child, column, inner.map(Box::new)))
    };
    match (table, deep) {
        ("articles", true) => leaves = prop_oneof![6 => leaves, 1 => exists("notes", 1)].boxed(),
        ("folders", true) => {
            leaves = prop_oneof![4 => leaves, 1 => exists("folders", 1), 1 => exists("articles", FOLDER)].boxed();
        }
        _ => {}
    }
    let size = if deep { 12 } else { 3 };
    leaves
        .prop_recursive(3, size, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone())
                    .prop_map(|(l, r)| Condition::And(Box::new(l), Box::new(r))),
                (inner.clone(), inner.clone())
                    .prop_map(|(l, r)| Condition::Or(Box::new(l), Box::new(r))),
                inner
                    .clone()
                    .prop_map(|inner| Condition::Not(Box::new(inner))),
                prop::collection::vec(inner, 0..4).prop_map(Condition::AnyOf),
            ]
        })
        .boxed()
}

/// The same condition where the members of the account are out of reach, and in a sector its site's
/// articles.
pub fn narrow(condition: &Condition, table: &'static str, reach: &Reach) -> Condition {
    let inner = |inner: &Option<Box<Condition>>, table| {
        inner
            .as_ref()
            .map(|inner| Box::new(narrow(inner, table, reach)))
    };
    match condition {
        Condition::On(col, leaf) => {
            let out_of_reach = match table {
                "articles" => reach.sites.is_some() && col.path.first() == Some(&AUTHOR),
                "notes" => reach.sector.is_some() && !col.path.is_empty(),
                _ => false,
            };
            let leaf = match leaf {
                Leaf::Among(of, other, condition) => {
                    Leaf::Among(of, other.clone(), inner(condition, of))
                }
                leaf => leaf.clone(),
            };
            if !out_of_reach {
                return Condition::On(col.clone(), leaf);
            }
            match leaf {
                Leaf::Null | Leaf::NotNull | Leaf::Among(..) => Condition::AnyOf(Vec::new()),
                leaf => Condition::On(
                    Col {
                        path: Vec::new(),
                        cell: Some(0),
                    },
                    leaf,
                ),
            }
        }
        Condition::Exists(child, column, condition) => {
            Condition::Exists(child, *column, inner(condition, child))
        }
        Condition::And(left, right) => Condition::And(
            narrow(left, table, reach).into(),
            narrow(right, table, reach).into(),
        ),
        Condition::Or(left, right) => Condition::Or(
            narrow(left, table, reach).into(),
            narrow(right, table, reach).into(),
        ),
        Condition::Not(inner) => Condition::Not(narrow(inner, table, reach).into()),
        Condition::AnyOf(all) => {
            Condition::AnyOf(all.iter().map(|one| narrow(one, table, reach)).collect())
        }
    }
}

pub fn reach() -> impl Strategy<Value = Reach> {
    let site = prop::sample::select(SITES.to_vec());
    prop_oneof![
        2 => (1_i64..3).prop_map(|account| Reach { account, sites: None, sector: None }),
        3 => site.prop_map(|(account, site, _)| Reach { account, sites: Some(vec![site]), sector: None }),
        1 => (1_i64..3).prop_flat_map(|account| {
            let sites: Vec<_> = SITES.iter().filter(|(owner, ..)| *owner == account).map(|(_, site, _)| *site).collect();
            // One site of several is a scope over several, too: it is told from a single one by its
            // length.
            any::<bool>().prop_map(move |all| {
                let sites = Some(if all { sites.clone() } else { Vec::new() });
                Reach { account, sites, sector: None }
            })
        }),
        2 => prop::sample::select(vec![(1, 11, 111), (1, 11, 112), (1, 12, 121), (2, 21, 211)])
            .prop_map(|(account, site, sector)| Reach { account, sites: Some(vec![site]), sector: Some(sector) }),
    ]
}

pub fn operation() -> impl Strategy<Value = Operation> {
    let articles = || prop::option::of(condition("articles", true));
    let order = || {
        prop::collection::vec(
            (prop::sample::select(columns("articles")), any::<bool>()),
            0..3,
        )
    };
    let own = || {
        let own: Vec<_> = columns("articles")
            .into_iter()
            .filter(|col| col.path.is_empty())
            .collect();
        prop::collection::vec((prop::sample::select(own), any::<bool>()), 0..3)
    };
    let output = prop_oneof![
        Just(Output::Count),
        Just(Output::Sum(2)),
        Just(Output::Sum(6)),
        Just(Output::Average(2)),
        prop::sample::select(vec![0_usize, 1, 2, 4, 6]).prop_map(Output::Least),
        prop::sample::select(vec![0_usize, 1, 2, 4, 6]).prop_map(Output::Greatest),
    ];
    let row = || {
        (
            value("articles", 0),
            value("articles", 1),
            value("articles", SLUG),
            value("articles", FOLDER),
        )
            .prop_map(<[Cell; 4]>::from)
    };
    let name = || prop::sample::select(vec!["x", "y", "it's"]).prop_map(str::to_owned);
    prop_oneof![
        5 => (articles(), order(), prop::collection::vec(prop::sample::select(columns("articles")), 0..4), prop::option::of(0_u32..6), any::<bool>())
            .prop_map(|(condition, order, columns, limit, inner)| Operation::Select { condition, order, columns, limit, inner }),
        2 => (articles(), own(), 1_u32..4).prop_map(|(condition, order, rows)| Operation::Pages { condition, order, rows }),
        1 => (1_i64..14).prop_map(Operation::Get),
        2 => articles().prop_map(Operation::Count),
        1 => articles().prop_map(Operation::Exists),
        2 => (articles(), prop::collection::vec(prop::sample::select(columns("articles")), 0..3), prop::collection::vec(output, 0..4))
            .prop_map(|(condition, by, outputs)| Operation::Aggregate { condition, by, outputs }),
        4 => (articles(), draft()).prop_map(|(condition, draft)| Operation::Update(condition, draft)),
        1 => condition("articles", true).prop_map(Operation::Delete),
        3 => draft().prop_map(Operation::Insert),
        2 => prop::collection::vec(row(), 0..4).prop_map(Operation::InsertMany),
        3 => (name(), draft(), draft()).prop_map(|(slug, set, if_new)| Operation::Upsert { slug, set, if_new }),
        2 => prop::option::of(condition("folders", true)).prop_map(Operation::Folders),
        1 => (1_i64..9, prop::option::of(1_i64..9)).prop_map(|(folder, parent)| Operation::MoveFolder { folder, parent }),
        2 => prop::option::of(condition("notes", false)).prop_map(Operation::Notes),
        1 => (prop::option::of(condition("notes", false)), text()).prop_map(|(condition, text)| Operation::UpdateNotes(condition, text)),
        2 => (text(), prop::option::of(1_i64..14)).prop_map(|(text, article)| Operation::InsertNote { text, article }),
        1 => (name(), text(), any::<bool>()).prop_map(|(name, value, insert)| Operation::Settings { name, value, insert }),
        1 => text().prop_map(Operation::Profile),
        1 => Just(Operation::ToggleSite),
    ]
}

/// Rows of all tenants, whose references lead anywhere: to other tenants' rows, and to none.
pub fn world() -> impl Strategy<Value = World> {
    let site = || prop::sample::select(SITES.to_vec());
    let members = prop::collection::vec((1_i64..3, text()), 4);
    let folders = prop::collection::vec((site(), text(), value("folders", 1)), 8);
    let cells = || {
        (0..ARTICLE.len())
            .map(|column| value("articles", column))
            .collect::<Vec<_>>()
    };
    let articles = prop::collection::vec((site(), cells()), 0..13);
    let sectors: Vec<_> = SITES
        .iter()
        .flat_map(|(account, site, sectors)| {
            sectors.iter().map(|sector| vec![*account, *site, *sector])
        })
        .collect();
    let notes = prop::collection::vec(
        (prop::sample::select(sectors), text(), value("notes", 1)),
        0..10,
    );
    (members, folders, articles, notes).prop_map(|(members, folders, articles, notes)| {
        let row = |tenant: Vec<i64>, key: i64, cells: Vec<Cell>| Row {
            tenant,
            key: Cell::Int(key),
            cells,
        };
        let mut world = World {
            references: references(),
            ..World::default()
        };
        let named = |name: &str| vec![Cell::Text(name.to_owned())];
        let tables = &mut world.tables;
        tables.insert(
            "sites",
            SITES
                .iter()
                .map(|(account, site, _)| row(vec![*account], *site, named("s")))
                .collect(),
        );
        let sectors = SITES.iter().flat_map(|(account, site, sectors)| {
            sectors
                .iter()
                .map(|id| row(vec![*account, *site], *id, named("s")))
        });
        tables.insert("sectors", sectors.collect());
        let numbered = |(index, cells): (usize, (Vec<i64>, Vec<Cell>))| {
            row(cells.0, index as i64 + 1, cells.1)
        };
        let members = members
            .into_iter()
            .map(|(account, name)| (vec![account], vec![Cell::Text(name)]));
        tables.insert("members", members.enumerate().map(numbered).collect());
        let folders = folders
            .into_iter()
            .map(|((account, site, _), name, parent)| {
                (vec![account, site], vec![Cell::Text(name), parent])
            });
        tables.insert("folders", folders.enumerate().map(numbered).collect());
        let articles =
            articles
                .into_iter()
                .enumerate()
                .map(|(index, ((account, site, _), mut cells))| {
                    // A slug is unique within its site.
                    cells[SLUG] = Cell::Text(if index < 2 {
                        "x".into()
                    } else {
                        format!("slug {index}")
                    });
                    (vec![account, site], cells)
                });
        let mut articles: Vec<_> = articles.enumerate().map(numbered).collect();
        articles.dedup_by(|a, b| a.tenant == b.tenant && a.cells[SLUG] == b.cells[SLUG]);
        tables.insert("articles", articles);
        let notes = notes
            .into_iter()
            .map(|(tenant, text, article)| (tenant, vec![Cell::Text(text), article]));
        tables.insert("notes", notes.enumerate().map(numbered).collect());
        let setting = |account, name: &str| Row {
            tenant: vec![account],
            key: Cell::Text(name.into()),
            cells: named("v"),
        };
        tables.insert(
            "settings",
            vec![setting(1, "x"), setting(2, "x"), setting(2, "y")],
        );
        let profile = |account, site| Row {
            tenant: vec![account, site],
            key: Cell::Null,
            cells: named("m"),
        };
        tables.insert("profiles", vec![profile(1, 11), profile(2, 21)]);
        world
    })
}

/// The same without NULs, which PostgreSQL does not hold in texts.
pub fn without_nul(world: &mut World) {
    for row in world.tables.values_mut().flatten() {
        for cell in &mut row.cells {
            if let Cell::Text(text) = cell {
                *text = text.replace('\0', "");
            }
        }
    }
}
