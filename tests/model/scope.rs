//! An oracle for scoped statements: rows in memory, filters in SQL's three-valued logic. It shares no code with `src/`.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub account: i64,
    pub site: i64,
    pub id: i64,
    pub title: String,
    pub note: Option<String>,
    pub score: i64,
    pub open: bool,
    pub seen: Option<DateTime<Utc>>,
    pub digest: Vec<u8>,
}

/// What a scope reaches: an account, or one site of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    pub account: i64,
    pub site: Option<i64>,
}

impl Reach {
    pub fn has(&self, row: &Row) -> bool {
        row.account == self.account && self.site.is_none_or(|site| site == row.site)
    }
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

#[derive(Clone, Debug)]
pub enum Condition {
    Id(Relation, i64),
    Title(Relation, String),
    Note(Relation, String),
    Score(Relation, i64),
    Open(bool),
    Seen(Relation, DateTime<Utc>),
    Digest(Relation, Vec<u8>),
    ScoreBetween(i64, i64),
    SeenBetween(DateTime<Utc>, DateTime<Utc>),
    IdOneOf(Vec<i64>),
    NoteOneOf(Vec<String>),
    NoteIsNull,
    SeenIsNotNull,
    TitleContains(String),
    NoteStartsWith(String),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// `None` is SQL's unknown.
    pub fn eval(&self, row: &Row) -> Option<bool> {
        match self {
            Self::Id(relation, id) => Some(relation.holds(row.id.cmp(id))),
            Self::Title(relation, text) => Some(relation.holds(row.title.as_bytes().cmp(text.as_bytes()))),
            Self::Note(relation, text) => {
                row.note.as_ref().map(|note| relation.holds(note.as_bytes().cmp(text.as_bytes())))
            }
            Self::Score(relation, score) => Some(relation.holds(row.score.cmp(score))),
            Self::Open(open) => Some(row.open == *open),
            Self::Seen(relation, at) => row.seen.map(|seen| relation.holds(seen.cmp(at))),
            Self::Digest(relation, digest) => Some(relation.holds(row.digest.cmp(digest))),
            Self::ScoreBetween(low, high) => Some(*low <= row.score && row.score <= *high),
            Self::SeenBetween(low, high) => row.seen.map(|seen| *low <= seen && seen <= *high),
            Self::IdOneOf(ids) => Some(ids.contains(&row.id)),
            Self::NoteOneOf(notes) if notes.is_empty() => Some(false),
            Self::NoteOneOf(notes) => row.note.as_ref().map(|note| notes.contains(note)),
            Self::NoteIsNull => Some(row.note.is_none()),
            Self::SeenIsNotNull => Some(row.seen.is_some()),
            Self::TitleContains(text) => Some(row.title.contains(text.as_str())),
            Self::NoteStartsWith(text) => row.note.as_ref().map(|note| note.starts_with(text.as_str())),
            Self::And(left, right) => match (left.eval(row), right.eval(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.eval(row), right.eval(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Not(inner) => inner.eval(row).map(|truth| !truth),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum SortKey {
    Title,
    Note,
    Score,
    Open,
    Seen,
    Digest,
}

/// Null counts as greater than every value.
fn null_last<V: Ord>(left: &Option<V>, right: &Option<V>) -> Ordering {
    left.is_none().cmp(&right.is_none()).then_with(|| left.cmp(right))
}

/// Orders by the keys, then by id; `true` is descending.
pub fn compare(order: &[(SortKey, bool)], left: &Row, right: &Row) -> Ordering {
    order
        .iter()
        .map(|(key, descending)| {
            let ordering = match key {
                SortKey::Title => left.title.as_bytes().cmp(right.title.as_bytes()),
                SortKey::Note => null_last(&left.note, &right.note),
                SortKey::Score => left.score.cmp(&right.score),
                SortKey::Open => left.open.cmp(&right.open),
                SortKey::Seen => null_last(&left.seen, &right.seen),
                SortKey::Digest => left.digest.cmp(&right.digest),
            };
            if *descending { ordering.reverse() } else { ordering }
        })
        .find(|ordering| *ordering != Ordering::Equal)
        .unwrap_or_else(|| left.id.cmp(&right.id))
}

/// Which columns a statement sets, and to what.
#[derive(Clone, Debug)]
pub struct Draft {
    pub title: Option<String>,
    pub note: Option<Option<String>>,
    pub score: Option<i64>,
    pub open: Option<bool>,
    pub seen: Option<Option<DateTime<Utc>>>,
    pub digest: Option<Vec<u8>>,
}

impl Draft {
    pub fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.note.is_none()
            && self.score.is_none()
            && self.open.is_none()
            && self.seen.is_none()
            && self.digest.is_none()
    }

    pub fn apply(&self, row: &mut Row) {
        self.title.iter().for_each(|title| row.title = title.clone());
        self.note.iter().for_each(|note| row.note = note.clone());
        self.score.iter().for_each(|score| row.score = *score);
        self.open.iter().for_each(|open| row.open = *open);
        self.seen.iter().for_each(|seen| row.seen = *seen);
        self.digest.iter().for_each(|digest| row.digest = digest.clone());
    }
}

/// Sites that exist, and all rows of all tenants.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub sites: Vec<(i64, i64)>,
    pub rows: Vec<Row>,
}

impl World {
    fn fits(reach: Reach, condition: Option<&Condition>, row: &Row) -> bool {
        reach.has(row) && condition.is_none_or(|condition| condition.eval(row) == Some(true))
    }

    pub fn select(
        &self,
        reach: Reach,
        condition: Option<&Condition>,
        order: &[(SortKey, bool)],
        limit: Option<u32>,
    ) -> Vec<Row> {
        let mut rows: Vec<_> = self.rows.iter().filter(|row| Self::fits(reach, condition, row)).cloned().collect();
        rows.sort_by(|left, right| compare(order, left, right));
        rows.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
        rows
    }

    pub fn count(&self, reach: Reach, condition: Option<&Condition>) -> usize {
        self.rows.iter().filter(|row| Self::fits(reach, condition, row)).count()
    }

    pub fn update(&mut self, reach: Reach, condition: Option<&Condition>, draft: &Draft) -> usize {
        let rows = self.rows.iter_mut().filter(|row| Self::fits(reach, condition, row));
        rows.map(|row| draft.apply(row)).count()
    }

    pub fn delete(&mut self, reach: Reach, condition: Option<&Condition>) -> usize {
        let before = self.rows.len();
        self.rows.retain(|row| !Self::fits(reach, condition, row));
        before - self.rows.len()
    }

    /// Whether a row may be inserted into the site: it must exist, and be the account's.
    pub fn has_site(&self, account: i64, site: i64) -> bool {
        self.sites.contains(&(account, site))
    }
}
