//! Filters and orders: which rows of the scope, and in what order. A filter can only narrow a
//! scope.

use std::marker::PhantomData;
use std::ops::Not;

use super::marker::Of;
use super::operand::Term;
use super::path::Place;
use super::table::Schema;

/// How deep a filter may be nested. SQLite refuses an expression deeper than 1,000.
const DEEPEST: u32 = 256;
/// How deep a filter on another table's rows counts, beside its own depth: it takes more of the
/// stack.
const SUBQUERY: u32 = 15;

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
    /// No row.
    Nothing,
    /// What the conjunction of no conditions becomes, which could be taken for "all". No statement
    /// is built from it.
    Empty,
    /// What a filter becomes that is nested too deeply. No statement is built from it.
    TooDeep,
}

/// How a column is compared with a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// The rows of another table, asked about inside a filter: one column of them, or those whose
/// reference is the row.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) schema: &'static Schema,
    pub(super) column: Place,
    pub(super) filter: Option<Node>,
}

/// A condition on the rows of the table `T` in a scope of level `L`, made by the methods of a
/// [`Column`](super::Column) and combined with [`and`](Self::and), [`or`](Self::or) and `!`. It is
/// three-valued, as SQL has it: a comparison with null is neither true nor false, so neither is its
/// negation.
///
/// The level is that of the scope whose statement it is for, and is inferred from it: a filter that
/// looks into an account-wide table is none for the scope of a site. A filter may be nested 256
/// deep, and 16 deep in other tables; an SQLite whose parser has a stack of a fixed size (3.40 has)
/// refuses more than 28, and 8. For a list of values use [`one_of`](super::Column::one_of), for a
/// list of conditions [`any_of`](Self::any_of).
#[derive(Debug)]
#[must_use]
pub struct Filter<T, L> {
    pub(super) node: Node,
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
    pub(super) fn leaf(place: Place, node: impl FnOnce(Place) -> Node) -> Self {
        Self {
            node: node(place),
            depth: 1,
            of: PhantomData,
        }
    }

    /// A condition on other rows, as deep as theirs.
    pub(super) fn over<U, M>(
        inner: Option<Filter<U, M>>,
        node: impl FnOnce(Option<Node>) -> Node,
    ) -> Self {
        let below = inner
            .as_ref()
            .map_or(0, |filter| filter.depth)
            .saturating_add(SUBQUERY);
        Self::nested(below, node(inner.map(|filter| filter.node)))
    }

    /// Beyond the limit the filter collapses, so that neither rendering nor dropping it can exhaust
    /// the stack.
    fn nested(below: u32, node: Node) -> Self {
        let depth = below.saturating_add(1);
        let node = if depth > DEEPEST { Node::TooDeep } else { node };
        Self {
            node,
            depth,
            of: PhantomData,
        }
    }

    fn pair(self, other: Self, node: fn(Box<Node>, Box<Node>) -> Node) -> Self {
        let below = self.depth.max(other.depth);
        Self::nested(below, node(Box::new(self.node), Box::new(other.node)))
    }

    /// This condition, and an earlier one if there is one.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) => earlier.and(self),
            None => self,
        }
    }

    /// Both conditions.
    pub fn and(self, other: Self) -> Self {
        self.pair(other, Node::And)
    }

    /// Either condition.
    pub fn or(self, other: Self) -> Self {
        self.pair(other, Node::Or)
    }

    /// One of the conditions at the least. Of none at all, no row fits.
    pub fn any_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::balanced(filters.into_iter().collect(), Self::or, Node::Nothing)
    }

    /// All of the conditions. A statement with none at all fails to build with
    /// [`BuildError::EmptyFilter`](super::BuildError::EmptyFilter), rather than take an empty list
    /// for every row.
    pub fn all_of(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::balanced(filters.into_iter().collect(), Self::and, Node::Empty)
    }

    /// Pairs neighbours until one is left, so that a thousand conditions are ten deep.
    fn balanced(mut filters: Vec<Self>, join: fn(Self, Self) -> Self, none: Node) -> Self {
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
        filters.pop().unwrap_or(Self {
            node: none,
            depth: 1,
            of: PhantomData,
        })
    }
}

impl<T, L> Not for Filter<T, L> {
    type Output = Self;

    fn not(self) -> Self {
        Self::nested(self.depth, Node::Not(Box::new(self.node)))
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
