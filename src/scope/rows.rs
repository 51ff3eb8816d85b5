//! The rows of a table that a statement is about.

use super::bounds::{Bounds, Target};
use super::filter::{Filter, Node};
use super::table::Table;

/// The rows of a target that a filter leaves.
#[derive(Debug)]
pub(super) struct Rows<T, L> {
    pub(super) target: Target,
    filter: Option<Filter<T, L>>,
}

impl<T, L> Clone for Rows<T, L> {
    fn clone(&self) -> Self {
        Self {
            target: self.target.clone(),
            filter: self.filter.clone(),
        }
    }
}

impl<T: Table, L> Rows<T, L> {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            target: Target::of::<T>(bounds),
            filter: None,
        }
    }

    pub(super) fn by(self, filter: Filter<T, L>) -> Self {
        Self {
            filter: Some(filter.after(self.filter)),
            ..self
        }
    }

    pub(super) fn into_parts(self) -> (Target, Option<Node>) {
        (self.target, self.filter.map(|filter| filter.node))
    }
}
