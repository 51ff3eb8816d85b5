//! Cursors: where a page of a list ends and the next one begins.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_query::Value;
use thiserror::Error;

use super::column::Column;
use super::error::BuildError;
use super::filter::{Node, Relation, Sort};
use super::marker::Of;
use super::operand::{Operand, Term};
use super::table::{KeyColumn, Table};
use super::value::{ColumnValue, Comparable, ValueKind, ValueRef};
use crate::digest::{Hex, read_hex_bytes};
use crate::problem::{Code, Explained};

/// The most characters of a cursor that is read.
const MAX: usize = 4096;

/// A row's place in an ordered list: its values of the columns that the list is ordered by.
///
/// A client holds it as an opaque text. It carries no power: with whatever a client makes up it
/// sees a page of the rows that it could see anyway. So it is not signed, and not secret: its
/// values can be read by whoever holds it. A list that is ordered by long texts has long cursors;
/// beyond 4,096 characters one is refused.
///
/// ```
/// use bailiwick::Scope;
/// use bailiwick::scope::{BuildError, Cursor, Dialect, Select};
/// use bailiwick::scope::state::Read;
/// use bailiwick::tenant::Site;
/// # bailiwick::table! {
/// #     pub struct Sites: Account in "sites" { tenant "account_id" Int; key ID = "id" i64 generated; }
/// # }
/// bailiwick::table! {
///     /// Articles of a site.
///     #[derive(PartialOrd)]
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column SCORE = "score" i64;
///     }
/// }
///
/// /// The best articles first; those of one score in the order of their keys.
/// fn best(site: &Scope<Site, Read>, after: Option<&str>) -> Result<Select<Article, Site>, Box<dyn std::error::Error>> {
///     let after = after.map(str::parse::<Cursor<Article>>).transpose()?;
///     Ok(site.select().order_by(Article::SCORE.descending()).after(after).limit(20))
/// }
///
/// /// What the client is given with a page, from the page's last row.
/// fn next(score: i64, id: i64) -> String {
///     Cursor::new().at(Article::SCORE, score).at(Article::ID, id).to_string()
/// }
/// let cursor: Cursor<Article> = next(95, 7).parse()?;
/// assert_eq!(cursor.to_string(), next(95, 7));
/// assert!("1=1".parse::<Cursor<Article>>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cursor<T> {
    positions: Vec<(&'static str, Value)>,
    of: Of<T>,
}

impl<T> Clone for Cursor<T> {
    fn clone(&self) -> Self {
        Self {
            positions: self.positions.clone(),
            of: PhantomData,
        }
    }
}

impl<T> PartialEq for Cursor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.positions == other.positions
    }
}

impl<T: Table> fmt::Debug for Cursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({self})")
    }
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cursor is not one of this list; begin again without it")]
pub struct CursorError;

impl Explained for CursorError {
    fn code(&self) -> Code {
        Code::CursorInvalid
    }
}

impl<T> Default for Cursor<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Cursor<T> {
    /// A cursor that has no values yet.
    pub fn new() -> Self {
        Self {
            positions: Vec::new(),
            of: PhantomData,
        }
    }

    /// The row's value of a column: of each that the list is ordered by, in their order, and of the
    /// key at last.
    pub fn at<V: ColumnValue<Plain: Comparable>, R>(
        mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) -> Self {
        if let Term::Value(value) = value.into().term
            && column.place.path.is_here()
        {
            self.positions.push((column.place.name, value));
        }
        self
    }

    /// The rows after this one: those that are greater at the first column in which they differ.
    pub(super) fn after(self, order: &[Sort]) -> Result<Node, BuildError> {
        let belongs = |(sort, (name, _)): (&Sort, &(&str, Value))| {
            sort.place.path.is_here() && sort.place.name == *name
        };
        if order.len() != self.positions.len() || !order.iter().zip(&self.positions).all(belongs) {
            return Err(BuildError::CursorMismatch);
        }
        let bound = self.bound(order);
        let mut after = Node::Nothing;
        for (sort, (_, value)) in order.iter().zip(self.positions).rev() {
            let (place, null) = (
                sort.place,
                matches!(ValueRef::of(&value), Some(ValueRef::Null(_))),
            );
            let compare = |relation, value| Node::Compare(place, relation, Term::Value(value));
            let (equal, beyond) = match (null, sort.descending) {
                // Null is greater than every value.
                (true, false) => (Node::IsNull(place), None),
                (true, true) => (Node::IsNull(place), Some(Node::IsNotNull(place))),
                (false, true) => (
                    compare(Relation::Equal, value.clone()),
                    Some(compare(Relation::Less, value)),
                ),
                (false, false) => {
                    let greater = compare(Relation::Greater, value.clone());
                    let greater = if sort.nullable {
                        or(greater, Node::IsNull(place))
                    } else {
                        greater
                    };
                    (compare(Relation::Equal, value), Some(greater))
                }
            };
            let later = match after {
                Node::Nothing => Node::Nothing,
                after => Node::And(Box::new(equal), Box::new(after)),
            };
            after = match (beyond, later) {
                (Some(beyond), Node::Nothing) => beyond,
                (Some(beyond), later) => or(beyond, later),
                (None, later) => later,
            };
        }
        Ok(match bound {
            Some(bound) => Node::And(Box::new(bound), Box::new(after)),
            None => after,
        })
    }

    /// The rest says so too, but not so that PostgreSQL could begin at that place of an index. None
    /// where a null may be on the way.
    fn bound(&self, order: &[Sort]) -> Option<Node> {
        let (sort, (_, value)) = order.iter().zip(&self.positions).next()?;
        let relation = if sort.descending {
            Relation::AtMost
        } else {
            Relation::AtLeast
        };
        let null = matches!(ValueRef::of(value), Some(ValueRef::Null(_)));
        let reaches_null = sort.nullable && !sort.descending;
        (!null && !reaches_null)
            .then(|| Node::Compare(sort.place, relation, Term::Value(value.clone())))
    }
}

fn or(left: Node, right: Node) -> Node {
    Node::Or(Box::new(left), Box::new(right))
}

/// A column as a cursor's text names it: by its number, the key first.
fn number<T: Table>(name: &str) -> Option<u16> {
    if name == T::SCHEMA.key_name() {
        return Some(0);
    }
    let position = T::SCHEMA
        .columns
        .iter()
        .position(|column| column.name == name)?;
    u16::try_from(position).ok()?.checked_add(1)
}

fn column<T: Table>(number: u16) -> Option<(&'static str, ValueKind, bool)> {
    match (number.checked_sub(1), &T::SCHEMA.key) {
        (None, KeyColumn::Own { column, .. }) => {
            Some((column.name, ValueKind::of_id(column.kind), false))
        }
        (None, KeyColumn::Tenant) => None,
        (Some(position), _) => {
            let column = T::SCHEMA.columns.get(usize::from(position))?;
            Some((column.name, column.kind, column.nullable))
        }
    }
}

/// In hexadecimal digits: for each column its number, and its value behind the value's length; no
/// length for null.
impl<T: Table> fmt::Display for Cursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.positions {
            write!(f, "{:04x}", number::<T>(name).ok_or(fmt::Error)?)?;
            match ValueRef::of(value).and_then(encode) {
                Some(bytes) => {
                    write!(f, "{:08x}", bytes.len())?;
                    Hex(&bytes).fmt(f)?;
                }
                None => f.write_str("ffffffff")?,
            }
        }
        Ok(())
    }
}

impl<T: Table> FromStr for Cursor<T> {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        read(text).ok_or(CursorError)
    }
}

fn read<T: Table>(text: &str) -> Option<Cursor<T>> {
    if text.is_empty() || text.len() > MAX {
        return None;
    }
    let bytes = read_hex_bytes(text)?;
    let (mut rest, mut cursor) = (bytes.as_slice(), Cursor::new());
    while !rest.is_empty() {
        let (number, tail) = rest.split_first_chunk()?;
        let (length, tail) = tail.split_first_chunk()?;
        let (name, kind, nullable) = column::<T>(u16::from_be_bytes(*number))?;
        let (value, tail) = match u32::from_be_bytes(*length) {
            u32::MAX if nullable => (ValueRef::Null(kind).into(), tail),
            length => {
                let (value, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
                (decode(kind, value)?, tail)
            }
        };
        cursor.positions.push((name, value));
        rest = tail;
    }
    Some(cursor)
}

fn encode(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value {
        ValueRef::Integer(integer) => Some(integer.to_be_bytes().to_vec()),
        ValueRef::Text(text) => Some(text.as_bytes().to_vec()),
        ValueRef::Boolean(truth) => Some(vec![u8::from(truth)]),
        ValueRef::Timestamp(at) => {
            let (seconds, nanos) = (
                at.timestamp().to_be_bytes(),
                at.timestamp_subsec_nanos().to_be_bytes(),
            );
            Some([seconds.as_slice(), nanos.as_slice()].concat())
        }
        ValueRef::Bytes(bytes) => Some(bytes.to_vec()),
        #[cfg(feature = "uuid")]
        ValueRef::Uuid(uuid) => Some(uuid.into_bytes().to_vec()),
        #[cfg(feature = "decimal")]
        ValueRef::Decimal(decimal) => Some(
            i64::try_from(decimal.mantissa())
                .ok()?
                .to_be_bytes()
                .to_vec(),
        ),
        #[cfg(feature = "json")]
        ValueRef::Json(_) => None,
        ValueRef::Null(_) => None,
    }
}

fn decode(kind: ValueKind, bytes: &[u8]) -> Option<Value> {
    match kind {
        ValueKind::Integer => Some(i64::from_be_bytes(bytes.try_into().ok()?).into()),
        ValueKind::Text => Some(std::str::from_utf8(bytes).ok()?.into()),
        ValueKind::Boolean => match bytes {
            [0] => Some(false.into()),
            [1] => Some(true.into()),
            _ => None,
        },
        ValueKind::Timestamp => {
            let (seconds, nanos) = bytes.split_first_chunk()?;
            let nanos = u32::from_be_bytes(nanos.try_into().ok()?);
            let at: DateTime<Utc> = DateTime::from_timestamp(i64::from_be_bytes(*seconds), nanos)?;
            Some(at.into())
        }
        ValueKind::Bytes => Some(bytes.into()),
        #[cfg(feature = "uuid")]
        ValueKind::Uuid => Some(uuid::Uuid::from_slice(bytes).ok()?.into()),
        #[cfg(feature = "decimal")]
        ValueKind::Decimal(places) => {
            let units = i64::from_be_bytes(bytes.try_into().ok()?);
            Some(
                rust_decimal::Decimal::try_from_i128_with_scale(units.into(), places)
                    .ok()?
                    .into(),
            )
        }
        #[cfg(feature = "json")]
        ValueKind::Json => None,
    }
}
