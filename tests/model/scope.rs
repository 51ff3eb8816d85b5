//! An oracle for scoped statements: rows in memory, filters in SQL's three-valued logic. It shares
//! no code with `src/`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bool(bool),
    Time(DateTime<Utc>),
    Bytes(Vec<u8>),
    Uuid(u128),
    /// A decimal of two places, in hundredths.
    Cents(i64),
    Json(serde_json::Value),
    Real(f64),
}

impl Cell {
    /// `None` if one of them is null. Values of two types are never compared.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Int(a), Self::Int(b)) | (Self::Cents(a), Self::Cents(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Uuid(a), Self::Uuid(b)) => Some(a.cmp(b)),
            (a, b) => panic!("{a:?} is not compared with {b:?}"),
        }
    }

    /// Null counts as greater than every value.
    fn rank(&self, other: &Self) -> Ordering {
        let nulls = (*self == Self::Null).cmp(&(*other == Self::Null));
        nulls.then_with(|| self.compare(other).unwrap_or(Ordering::Equal))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The account, and as the table's level has it the site and the sector.
    pub tenant: Vec<i64>,
    pub key: Cell,
    pub cells: Vec<Cell>,
}

/// What a statement may reach: an account, or some sites of it, or one sector of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    pub account: i64,
    pub sites: Option<Vec<i64>>,
    pub sector: Option<i64>,
}

impl Reach {
    pub fn has(&self, row: &Row) -> bool {
        let within = |level: usize, fits: &dyn Fn(i64) -> bool| {
            row.tenant.get(level).is_none_or(|id| fits(*id))
        };
        within(0, &|account| account == self.account)
            && within(1, &|site| {
                self.sites
                    .as_ref()
                    .is_none_or(|sites| sites.contains(&site))
            })
            && within(2, &|sector| self.sector.is_none_or(|own| own == sector))
    }
}

/// Which columns of a table refer to which table.
pub type References = BTreeMap<(&'static str, usize), &'static str>;

/// A column of a table, or of one that its references lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct Col {
    pub path: Vec<usize>,
    /// `None` is the key.
    pub cell: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::NotEqual => ordering != Ordering::Equal,
            Self::Less => ordering == Ordering::Less,
            Self::AtMost => ordering != Ordering::Greater,
            Self::Greater => ordering == Ordering::Greater,
            Self::AtLeast => ordering != Ordering::Less,
        }
    }
}

/// What is said of one column.
#[derive(Clone, Debug)]
pub enum Leaf {
    Is(Relation, Cell),
    Between(Cell, Cell),
    OneOf(Vec<Cell>),
    Null,
    NotNull,
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    /// One of the values of a column of another table, of the rows that a condition leaves.
    Among(&'static str, Col, Option<Box<Condition>>),
}

#[derive(Clone, Debug)]
pub enum Condition {
    On(Col, Leaf),
    /// Some row of that table refers to this one by that column.
    Exists(&'static str, usize, Option<Box<Condition>>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    AnyOf(Vec<Condition>),
}

#[derive(Clone, Copy, Debug)]
pub enum Output {
    Count,
    Sum(usize),
    Average(usize),
    Least(usize),
    Greatest(usize),
}

/// All rows of all tenants.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub references: References,
    pub tables: BTreeMap<&'static str, Vec<Row>>,
}

impl World {
    pub fn rows(&self, table: &str) -> &[Row] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// The rows that a statement sees at all.
    fn reached<'a>(&'a self, reach: &'a Reach, table: &str) -> impl Iterator<Item = &'a Row> {
        self.rows(table).iter().filter(|row| reach.has(row))
    }

    /// The row that a reference leads to: of the same tenant as far as both say, and within reach.
    fn follow<'a>(
        &'a self,
        reach: &Reach,
        table: &'static str,
        row: &Row,
        cell: usize,
    ) -> Option<(&'static str, &'a Row)> {
        let target = self.references[&(table, cell)];
        let found = self.rows(target).iter().find(|other| {
            other.key.compare(&row.cells[cell]) == Some(Ordering::Equal)
                && other.tenant.iter().zip(&row.tenant).all(|(a, b)| a == b)
                && reach.has(other)
        });
        found.map(|found| (target, found))
    }

    pub fn value(&self, reach: &Reach, table: &'static str, row: &Row, col: &Col) -> Cell {
        let end = col
            .path
            .iter()
            .try_fold((table, row), |(table, row), cell| {
                self.follow(reach, table, row, *cell)
            });
        match (end, col.cell) {
            (None, _) => Cell::Null,
            (Some((_, row)), None) => row.key.clone(),
            (Some((_, row)), Some(cell)) => row.cells[cell].clone(),
        }
    }

    /// `None` is SQL's unknown.
    fn eval(
        &self,
        reach: &Reach,
        table: &'static str,
        row: &Row,
        condition: &Condition,
    ) -> Option<bool> {
        let eval = |condition| self.eval(reach, table, row, condition);
        match condition {
            Condition::On(col, leaf) => self.leaf(reach, &self.value(reach, table, row, col), leaf),
            Condition::Exists(child, cell, inner) => {
                Some(self.reached(reach, child).any(|other| {
                    other.cells[*cell].compare(&row.key) == Some(Ordering::Equal)
                        && other.tenant.iter().zip(&row.tenant).all(|(a, b)| a == b)
                        && inner
                            .as_ref()
                            .is_none_or(|inner| self.eval(reach, child, other, inner) == Some(true))
                }))
            }
            Condition::And(left, right) => match (eval(left), eval(right)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Condition::Or(left, right) => either(eval(left), eval(right)),
            Condition::Not(inner) => eval(inner).map(|truth| !truth),
            Condition::AnyOf(all) => all.iter().map(eval).fold(Some(false), either),
        }
    }

    fn leaf(&self, reach: &Reach, value: &Cell, leaf: &Leaf) -> Option<bool> {
        let text = |fits: &dyn Fn(&str) -> bool| match value {
            Cell::Text(text) => Some(fits(text)),
            _ => None,
        };
        match leaf {
            Leaf::Is(relation, other) => value
                .compare(other)
                .map(|ordering| relation.holds(ordering)),
            Leaf::Between(low, high) => Some(
                value.compare(low)? != Ordering::Less && value.compare(high)? != Ordering::Greater,
            ),
            Leaf::OneOf(values) if values.is_empty() => Some(false),
            Leaf::OneOf(values) => (*value != Cell::Null).then(|| values.contains(value)),
            Leaf::Null => Some(*value == Cell::Null),
            Leaf::NotNull => Some(*value != Cell::Null),
            Leaf::Contains(part) => text(&|text| text.contains(part.as_str())),
            Leaf::StartsWith(part) => text(&|text| text.starts_with(part.as_str())),
            Leaf::EndsWith(part) => text(&|text| text.ends_with(part.as_str())),
            Leaf::Among(table, col, inner) => {
                let fitting = self.reached(reach, table).filter(|row| {
                    inner
                        .as_ref()
                        .is_none_or(|inner| self.eval(reach, table, row, inner) == Some(true))
                });
                let values: Vec<_> = fitting
                    .map(|row| self.value(reach, table, row, col))
                    .collect();
                let values: Vec<_> = values
                    .into_iter()
                    .filter(|value| *value != Cell::Null)
                    .collect();
                if values.is_empty() {
                    Some(false)
                } else {
                    (*value != Cell::Null).then(|| values.contains(value))
                }
            }
        }
    }

    fn fits(
        &self,
        reach: &Reach,
        table: &'static str,
        condition: Option<&Condition>,
        row: &Row,
    ) -> bool {
        reach.has(row)
            && condition
                .is_none_or(|condition| self.eval(reach, table, row, condition) == Some(true))
    }

    /// The rows that fit, ordered by the columns, `true` for descending, and by key and tenant at
    /// last.
    pub fn select(
        &self,
        reach: &Reach,
        table: &'static str,
        condition: Option<&Condition>,
        order: &[(Col, bool)],
    ) -> Vec<Row> {
        let mut rows: Vec<_> = self
            .rows(table)
            .iter()
            .filter(|row| self.fits(reach, table, condition, row))
            .cloned()
            .collect();
        rows.sort_by(|left, right| self.compare(reach, table, order, left, right));
        rows
    }

    fn compare(
        &self,
        reach: &Reach,
        table: &'static str,
        order: &[(Col, bool)],
        left: &Row,
        right: &Row,
    ) -> Ordering {
        let by = order.iter().map(|(col, descending)| {
            let ordering = self
                .value(reach, table, left, col)
                .rank(&self.value(reach, table, right, col));
            if *descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
        by.chain([left.key.rank(&right.key)])
            .find(|ordering| *ordering != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }

    /// The rows after one of them, in that order.
    pub fn after(
        &self,
        reach: &Reach,
        table: &'static str,
        rows: Vec<Row>,
        order: &[(Col, bool)],
        last: &Row,
    ) -> Vec<Row> {
        let later = |row: &Row| self.compare(reach, table, order, last, row) == Ordering::Less;
        rows.into_iter().filter(later).collect()
    }

    /// Groups and their aggregates, in the order of the groups.
    pub fn aggregate(
        &self,
        reach: &Reach,
        table: &'static str,
        condition: Option<&Condition>,
        by: &[Col],
        outputs: &[Output],
    ) -> Vec<Vec<Cell>> {
        let mut groups: Vec<(Vec<Cell>, Vec<Row>)> = Vec::new();
        if by.is_empty() {
            groups.push((Vec::new(), Vec::new()));
        }
        for row in self.select(reach, table, condition, &[]) {
            let group: Vec<_> = by
                .iter()
                .map(|col| self.value(reach, table, &row, col))
                .collect();
            match groups.iter_mut().find(|(other, _)| *other == group) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((group, vec![row])),
            }
        }
        groups.sort_by(|(left, _), (right, _)| {
            let by = left.iter().zip(right).map(|(left, right)| left.rank(right));
            by.fold(Ordering::Equal, Ordering::then)
        });
        let line = |(group, rows): (Vec<Cell>, Vec<Row>)| {
            let outputs = outputs.iter().map(|output| total(*output, &rows));
            group.into_iter().chain(outputs).collect()
        };
        groups.into_iter().map(line).collect()
    }

    /// What of the rows that fit is set; how many there were.
    pub fn update(
        &mut self,
        reach: &Reach,
        table: &'static str,
        condition: Option<&Condition>,
        draft: &[(usize, Cell)],
    ) -> Vec<Row> {
        let fitting: Vec<_> = self.select(reach, table, condition, &[]);
        // A reference that leads nowhere in scope is set in no row.
        if fitting.is_empty() || !self.leads(reach, table, &fitting[0].tenant, draft) {
            return Vec::new();
        }
        let mut updated = Vec::new();
        for row in self
            .tables
            .get_mut(table)
            .into_iter()
            .flatten()
            .filter(|row| fitting.contains(row))
        {
            draft
                .iter()
                .for_each(|(cell, value)| row.cells[*cell] = value.clone());
            updated.push(row.clone());
        }
        updated
    }

    pub fn delete(
        &mut self,
        reach: &Reach,
        table: &'static str,
        condition: Option<&Condition>,
    ) -> usize {
        let fitting = self.select(reach, table, condition, &[]);
        self.tables
            .get_mut(table)
            .into_iter()
            .for_each(|rows| rows.retain(|row| !fitting.contains(row)));
        fitting.len()
    }

    /// Whether every reference of a draft leads to a row in scope, of the same tenant.
    pub fn leads(
        &self,
        reach: &Reach,
        table: &'static str,
        tenant: &[i64],
        draft: &[(usize, Cell)],
    ) -> bool {
        draft.iter().all(|(cell, value)| {
            let Some(target) = self.references.get(&(table, *cell)) else {
                return true;
            };
            let same = |row: &Row| row.tenant.iter().zip(tenant).all(|(a, b)| a == b);
            *value == Cell::Null
                || self
                    .reached(reach, target)
                    .any(|row| same(row) && row.key == *value)
        })
    }
}

fn either(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn total(output: Output, rows: &[Row]) -> Cell {
    let values = |cell: usize| {
        rows.iter()
            .map(move |row| row.cells[cell].clone())
            .filter(|cell| *cell != Cell::Null)
    };
    match output {
        Output::Count => Cell::Int(rows.len() as i64),
        Output::Sum(cell) => values(cell).reduce(add).unwrap_or(Cell::Null),
        Output::Average(cell) => match values(cell).reduce(add) {
            Some(Cell::Int(sum)) => Cell::Real(sum as f64 / values(cell).count() as f64),
            _ => Cell::Null,
        },
        Output::Least(cell) => values(cell)
            .reduce(|a, b| if a.rank(&b).is_le() { a } else { b })
            .unwrap_or(Cell::Null),
        Output::Greatest(cell) => values(cell)
            .reduce(|a, b| if a.rank(&b).is_ge() { a } else { b })
            .unwrap_or(Cell::Null),
    }
}

fn add(left: Cell, right: Cell) -> Cell {
    match (left, right) {
        (Cell::Int(a), Cell::Int(b)) => Cell::Int(a + b),
        (Cell::Cents(a), Cell::Cents(b)) => Cell::Cents(a + b),
        (a, b) => panic!("{a:?} and {b:?} are not added"),
    }
}
