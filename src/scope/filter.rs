//! Filters and orders: which rows of the scope, and in what order. A filter can only narrow a scope.

use std::marker::PhantomData;
use std::ops::Not;

use sea_query::{BinOper, Value};

/// How deep a filter may be nested. SQLite refuses an expression deeper than 1,000.
const DEEPEST: u32 = 256;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Compare(&'static str, BinOper, Value),
    Between(&'static str, Value, Value),
    OneOf(&'static str, Vec<Value>),
    IsNull(&'static str),
    IsNotNull(&'static str),
    Contains(&'static str, Value),
    StartsWith(&'static str, Value),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    /// What a filter becomes that is nested too deeply. No statement is built from it.
    TooDeep,
}

/// A condition on the rows of the table `T`, made by the methods of a [`Column`](super::Column) and combined with
/// [`and`](Self::and), [`or`](Self::or) and `!`. It is three-valued, as SQL has it: a comparison with null is neither
/// true nor false, so neither is its negation.
///
/// A filter may be nested 256 deep; for a list of values use [`one_of`](super::Column::one_of).
#[derive(Clone, Debug)]
#[must_use]
pub struct Filter<T> {
    pub(super) node: Node,
    depth: u32,
    table: PhantomData<fn() -> T>,
}

impl<T> Filter<T> {
    pub(super) fn leaf(node: Node) -> Self {
        Self { node, depth: 1, table: PhantomData }
    }

    /// Beyond the limit the filter collapses, so that neither rendering nor dropping it can exhaust the stack.
    fn nested(below: u32, node: Node) -> Self {
        let depth = below.saturating_add(1);
        let node = if depth > DEEPEST { Node::TooDeep } else { node };
        Self { node, depth, table: PhantomData }
    }

    /// Both conditions.
    pub fn and(self, other: Self) -> Self {
        Self::nested(self.depth.max(other.depth), Node::And(Box::new(self.node), Box::new(other.node)))
    }

    /// Either condition.
    pub fn or(self, other: Self) -> Self {
        Self::nested(self.depth.max(other.depth), Node::Or(Box::new(self.node), Box::new(other.node)))
    }
}

impl<T> Not for Filter<T> {
    type Output = Self;

    fn not(self) -> Self {
        Self::nested(self.depth, Node::Not(Box::new(self.node)))
    }
}

/// An order of the rows of the table `T`, made by [`ascending`](super::Column::ascending) and
/// [`descending`](super::Column::descending).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct OrderBy<T> {
    pub(super) sort: Sort,
    table: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sort {
    pub(super) column: &'static str,
    pub(super) descending: bool,
    pub(super) nullable: bool,
}

impl<T> OrderBy<T> {
    pub(super) fn new(column: &'static str, descending: bool, nullable: bool) -> Self {
        Self { sort: Sort { column, descending, nullable }, table: PhantomData }
    }
}
