//! Cursors: where a page of a list ends and the next one begins.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use sea_query::Value;
use thiserror::Error;

use super::column::Column;
use super::cursor_text;
use super::error::BuildError;
use super::filter::{Node, Relation, Sort};
use super::marker::Of;
use super::operand::{Operand, Term};
use super::table::Table;
use super::value::{ColumnValue, Comparable, ValueRef};
use crate::problem::{Code, Explained};

/// A row's position in an ordered list: its values of the columns that the list is ordered by.
///
/// A client holds it as an opaque text. It grants nothing: whatever text a client makes up, it sees
/// a page of rows that it could see anyway. So it is not signed. Nor is it secret: whoever holds it
/// can read the values. A list that is ordered by long texts has long cursors; a cursor of more
/// than 4,096 characters is refused.
///
/// ```
/// use bailiwick::scope::state::Read;
/// use bailiwick::scope::{BuildError, Cursor, CursorError, Select};
/// use bailiwick::{Account, Scope, table};
///
/// table! {
///     pub struct Article: Account in "articles" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column SCORE = "score" i64;
///     }
/// }
///
/// /// The best articles first; those of the same score in the order of their keys.
/// fn best(
///     account: &Scope<Account, Read>,
///     after: Option<&str>,
/// ) -> Result<Select<Article, Account>, CursorError> {
///     let after = after.map(str::parse).transpose()?;
///     Ok(account.select().order_by(Article::SCORE.descending()).after(after).limit(20))
/// }
///
/// /// The cursor that the client gets with a page, from the page's last row.
/// fn cursor(score: i64, id: i64) -> Result<String, BuildError> {
///     Ok(Cursor::new().at(Article::SCORE, score)?.at(Article::ID, id)?.to_string())
/// }
///
/// let text = cursor(95, 7).unwrap();
/// let parsed: Cursor<Article> = text.parse().unwrap();
/// assert_eq!(parsed.to_string(), text);
/// assert_eq!("1=1".parse::<Cursor<Article>>(), Err(CursorError));
/// ```
#[doc(alias = "keyset")]
#[doc(alias = "pagination")]
pub struct Cursor<T> {
    /// Columns of the table itself, and the row's values of them.
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

/// The error of a text that is not a cursor of this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cursor does not belong to this list; begin again without it")]
#[allow(
    clippy::exhaustive_structs,
    reason = "it says nothing, so that it tells a client nothing"
)]
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
    /// Creates a cursor that has no values yet.
    pub fn new() -> Self {
        Self {
            positions: Vec::new(),
            of: PhantomData,
        }
    }

    /// Adds the row's value of a column: of each column that the list is ordered by, in their
    /// order, and of the key at last.
    ///
    /// # Errors
    /// - [`BuildError::OrderWithoutPages`] for a column of another table.
    /// - [`BuildError::ForeignParameter`] for a parameter of a prepared statement, which has no
    ///   value.
    pub fn at<V: ColumnValue<Plain: Comparable>, R>(
        mut self,
        column: Column<T, V, R>,
        value: impl Into<Operand<V>>,
    ) -> Result<Self, BuildError> {
        if !column.place.path.is_here() {
            return Err(BuildError::OrderWithoutPages);
        }
        let Term::Value(value) = value.into().term else {
            return Err(BuildError::ForeignParameter);
        };

        self.positions.push((column.place.name, value));
        Ok(self)
    }

    /// The condition that a row comes after this one: it is greater at the first column in which
    /// they differ.
    ///
    /// For the order `a, b, key` that is `a > … OR (a = … AND (b > … OR (b = … AND key > …)))`.
    pub(super) fn after(self, order: &[Sort]) -> Result<Node, BuildError> {
        // A cursor of another order would skip rows or repeat them.
        let belongs = |(sort, (name, _)): (&Sort, &(&str, Value))| sort.place.is_own(name);
        if order.len() != self.positions.len() || !order.iter().zip(&self.positions).all(belongs) {
            return Err(BuildError::CursorMismatch);
        }

        let mut steps = order
            .iter()
            .zip(&self.positions)
            .map(|(sort, (_, value))| Step { sort, value });
        let bound = steps.clone().next().and_then(|first| first.bound());

        // From the innermost column outwards.
        let mut after: Option<Node> = None;
        while let Some(step) = steps.next_back() {
            let equal_and_after = after.map(|after| step.equal().and(after));
            after = match (step.beyond(), equal_and_after) {
                (Some(beyond), Some(equal)) => Some(beyond.or(equal)),
                (beyond, equal) => beyond.or(equal),
            };
        }

        // An order whose every column ends with this row's nulls has no row after it.
        let after = after.unwrap_or(Node::Nothing);
        Ok(match bound {
            Some(bound) => bound.and(after),
            None => after,
        })
    }
}

/// One column of an order, and the value that the cursor's row has of it.
struct Step<'a> {
    sort: &'a Sort,
    value: &'a Value,
}

impl Step<'_> {
    fn is_null(&self) -> bool {
        matches!(ValueRef::of(self.value), Some(ValueRef::Null(_)))
    }

    fn compare(&self, relation: Relation) -> Node {
        Node::Compare(self.sort.place, relation, Term::Value(self.value.clone()))
    }

    /// The rows that are equal to the cursor's row in this column.
    fn equal(&self) -> Node {
        if self.is_null() {
            Node::IsNull(self.sort.place)
        } else {
            self.compare(Relation::Equal)
        }
    }

    /// The rows that come after the cursor's row by this column alone. Null counts as greater than
    /// every value, so ascending there is nothing after it.
    fn beyond(&self) -> Option<Node> {
        let Sort {
            place,
            descending,
            nullable,
        } = *self.sort;

        match (self.is_null(), descending) {
            (true, false) => None,
            (true, true) => Some(Node::IsNotNull(place)),
            (false, true) => Some(self.compare(Relation::Less)),
            (false, false) if nullable => {
                Some(self.compare(Relation::Greater).or(Node::IsNull(place)))
            }
            (false, false) => Some(self.compare(Relation::Greater)),
        }
    }

    /// A condition on the outermost column that `after` implies, and that PostgreSQL, unlike
    /// `after` itself, can use to begin at the right place of an index. There is none where a null
    /// may come after the row.
    fn bound(&self) -> Option<Node> {
        let reaches_null = self.sort.nullable && !self.sort.descending;
        if self.is_null() || reaches_null {
            return None;
        }

        Some(self.compare(if self.sort.descending {
            Relation::AtMost
        } else {
            Relation::AtLeast
        }))
    }
}

/// Writes the cursor as lowercase hexadecimal digits.
impl<T: Table> fmt::Display for Cursor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cursor_text::write(f, T::SCHEMA, &self.positions)
    }
}

impl<T: Table> FromStr for Cursor<T> {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let positions = cursor_text::read(text, T::SCHEMA).ok_or(CursorError)?;
        Ok(Self {
            positions,
            of: PhantomData,
        })
    }
}
