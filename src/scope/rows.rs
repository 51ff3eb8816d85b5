//! The rows of a table that a statement is about.

use super::bounds::{Bounds, Target};
use super::error::BuildError;
use super::filter::{Filter, Node};
use super::table::Table;

/// The rows of a target that a filter leaves.
#[derive(Debug)]
pub(super) struct Rows<T, L> {
    target: Target,
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
    /// All rows of the table that are within the bounds.
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            target: Target::of::<T>(bounds),
            filter: None,
        }
    }

    /// Those of the rows that fit a filter as well.
    pub(super) fn by(self, filter: Filter<T, L>) -> Self {
        Self {
            filter: Some(filter.after(self.filter)),
            ..self
        }
    }

    /// Fails if the filter is one that no statement is built from.
    pub(super) fn into_parts(self) -> Result<(Target, Option<Node>), BuildError> {
        let filter = self.filter.map(Filter::into_node).transpose()?;
        Ok((self.target, filter))
    }
}
