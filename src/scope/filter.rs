//! Filters and orders: which rows of the scope, and in which order. A filter can only narrow a
//! scope.

use std::marker::PhantomData;
use std::ops::Not;

use super::error::BuildError;
use super::marker::Of;
use super::operand::Term;
use super::path::Place;
use super::table::Schema;

/// The largest depth of a filter. SQLite refuses an expression deeper than 1,000.
const MAX_DEPTH: u32 = 256;

/// The depth that a filter on another table's rows adds to its own. Such a filter takes more of the
/// stack while it is rendered, so it counts as several levels.
const SUBQUERY_DEPTH: u32 = 15;

/// A condition on the rows of one table.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Compare(Place, Relation, Term),
    Between(Place, Box<(Term, Term)>),
    OneOf(Place, Vec<Term>),
    IsNull(Place),
    IsNotNull(Place),
    Contains(Place, Term),
    StartsWith(Place, Term),
    EndsWith(Place, Term),
    Among(Place, Box<Inner>),
    Exists(Box<Inner>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    /// A condition that no row meets.
    Nothing,
}

impl Node {
    pub(super) fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }
}

/// The relation between a column and the value that it is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// The rows of another table that a condition looks at: one column of them, or those whose
/// reference leads to the row in question.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) schema: &'static Schema,
    pub(super) column: Place,
    pub(super) filter: Option<Node>,
}

/// A condition on the rows of the table `T` in a scope of level `L`, made by the methods of a
/// [`Column`](super::Column) and combined with [`and`](Self::and), [`or`](Self::or) and `!`.
///
/// A filter can only narrow a scope: the tenant predicate stands beside it, whatever it says. The
/// level is inferred from the scope whose statement it is for. A filter that looks into an
/// account-wide table does not compile in a statement of a site's scope.
///
/// It has three values, as in SQL: a comparison with null is neither true nor false, and neither is
/// its negation.
///
/// A filter may be nested 256 levels deep, and 16 levels deep in other tables. An SQLite whose
/// parser has a stack of fixed size, such as 3.40, refuses more than 28 and 8. For a list of values
/// use [`one_of`](super::Column::one_of), for a list of conditions [`any_of`](Self::any_of); both
/// stay flat.
///
/// ```
/// use bailiwick::scope::state::Read;
/// use bailiwick::scope::{Dialect, Prepared};
/// use bailiwick::{Account, table};
///
/// table! {
///     pub struct Author: Account in "authors" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column NAME = "name" String;
///         column BORN = "born" Option<i64>;
///     }
/// }
///
/// let old = Prepared::<Account, Read, ()>::new(Dialect::Sqlite, |account, ()| {
///     account.count::<Author>().filter(Author::NAME.contains("?").or(!Author::BORN.at_most(1900)))
/// });
/// assert_eq!(
///     old.unwrap().sql().as_ref(),
///     r#"SELECT COUNT(*) FROM "authors" WHERE "authors"."account_id" = ? AND (instr("authors"."name", ?) > 0 OR (NOT "authors"."born" <= ?))"#,
/// );
/// ```
#[derive(Debug)]
#[must_use]
pub struct Filter<T, L> {
    /// The condition, or the reason why no statement is built from this filter.
    node: Result<Node, BuildError>,
    depth: u32,
    of: Of<(T, L)>,
}

impl<T, L> Clone for Filter<T, L> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            depth: self.depth,
            of: PhantomData,
        }
    }
}

impl<T, L> Filter<T, L> {
    /// A condition that has no other in it.
    pub(super) fn leaf(node: Node) -> Self {
        Self::single(Ok(node))
    }

    fn single(node: Result<Node, BuildError>) -> Self {
        Self {
            node,
            depth: 1,
            of: PhantomData,
        }
    }

    /// A condition on other rows, as deep as the filter on those.
    pub(super) fn over<U, M>(
        inner: Option<Filter<U, M>>,
        node: impl FnOnce(Option<Node>) -> Node,
    ) -> Self {
        let depth = inner.as_ref().map_or(0, |filter| filter.depth);
        let inner = inner.map(Filter::into_node).transpose();
        Self::nested(depth.saturating_add(SUBQUERY_DEPTH), inner.map(node))
    }

    /// Beyond the limit the filter collapses, so that neither rendering nor dropping it can exhaust
    /// the stack.
    fn nested(below: u32, node: Result<Node, BuildError>) -> Self {
        let depth = below.saturating_add(1);
        let node = if depth > MAX_DEPTH {
            Err(BuildError::FilterTooDeep)
        } else {
            node
        };

        Self {
            node,
            depth,
            of: PhantomData,
        }
    }

    fn pair(self, other: Self, join: fn(Node, Node) -> Node) -> Self {
        let below = self.depth.max(other.depth);
        let node = self
            .node
            .and_then(|left| other.node.map(|right| join(left, right)));
        Self::nested(below, node)
    }

    /// This condition, and an earlier one if there is one.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) => earlier.and(self),
            None => self,
        }
    }

    /// The condition.
    pub(super) fn into_node(self) -> Result<Node, BuildError> {
        self.node
    }

    /// Requires both conditions.
    pub fn and(self, other: Self) -> Self {
        self.pair(other, Node::and)
    }

    /// Requires at least one of two conditions.
    pub fn or(self, other: Self) -> Self {
        self.pair(other, Node::or)
    }

    /// Requires at least one of the conditions. If the list is empty, no row fits.
    pub fn any_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::balanced(filters.into_iter().collect(), Self::or, Ok(Node::Nothing))
    }

    /// Requires all of the conditions.
    ///
    /// If the list is empty, the statement fails to build with
    /// [`BuildError::EmptyFilter`](super::BuildError::EmptyFilter): an empty list is more likely a
    /// mistake than a wish for every row.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        let empty = Err(BuildError::EmptyFilter);
        Self::balanced(filters.into_iter().collect(), Self::and, empty)
    }

    /// Joins neighbours in pairs until one is left, so that a thousand conditions are ten levels
    /// deep.
    fn balanced(
        mut filters: Vec<Self>,
        join: fn(Self, Self) -> Self,
        empty: Result<Node, BuildError>,
    ) -> Self {
        while filters.len() > 1 {
            let mut pairs = Vec::with_capacity(filters.len().div_ceil(2));
            let mut rest = filters.into_iter();

            while let Some(left) = rest.next() {
                pairs.push(match rest.next() {
                    Some(right) => join(left, right),
                    None => left,
                });
            }
            filters = pairs;
        }

        filters.pop().unwrap_or_else(|| Self::single(empty))
    }
}

impl<T, L> Not for Filter<T, L> {
    type Output = Self;

    fn not(self) -> Self {
        let node = self.node.map(|node| Node::Not(Box::new(node)));
        Self::nested(self.depth, node)
    }
}

/// An order of the rows of the table `T` in a scope of level `L`, made by
/// [`ascending`](super::Column::ascending) and [`descending`](super::Column::descending).
#[derive(Debug)]
#[must_use]
pub struct OrderBy<T, L> {
    pub(super) sort: Sort,
    of: Of<(T, L)>,
}

impl<T, L> Clone for OrderBy<T, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, L> Copy for OrderBy<T, L> {}

/// A column that rows are ordered by, and the direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort {
    pub(super) place: Place,
    pub(super) descending: bool,
    pub(super) nullable: bool,
}

impl<T, L> OrderBy<T, L> {
    pub(super) fn new(place: Place, descending: bool, nullable: bool) -> Self {
        Self {
            sort: Sort {
                place,
                descending,
                nullable,
            },
            of: PhantomData,
        }
    }
}
