//! Places and paths: which column is meant, and which references lead to its table.

use std::num::NonZeroU8;

use super::error::BuildError;
use super::table::{Reference, Schema};

/// The largest number of references between a table and a column that its statement names.
pub(super) const MAX_PATH: usize = 3;

/// A column, as a statement's table sees it: its name, and the path to the table that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) path: Path,
    /// True if a reference on the path leads to another table than the column's type says.
    forged: bool,
}

impl Place {
    /// A column of the statement's own table.
    pub(super) const fn here(name: &'static str) -> Self {
        Self::at(Path::HERE, name)
    }

    /// A column of the table at the end of a path.
    pub(super) const fn at(path: Path, name: &'static str) -> Self {
        Self {
            name,
            path,
            forged: false,
        }
    }

    /// The same place, but no statement is built from it.
    ///
    /// The macro `table!` declares no reference whose type is wrong, but a call of the hidden
    /// functions that it expands to can. Its target, and so the tenant predicate, would be another
    /// than the one that the type system has checked against the level of the scope.
    pub(super) const fn forged(self) -> Self {
        Self {
            forged: true,
            ..self
        }
    }

    pub(super) const fn is_forged(self) -> bool {
        self.forged
    }

    /// Returns whether this is the column of that name in the statement's own table.
    pub(super) fn is_own(self, name: &str) -> bool {
        self.path.is_here() && self.name == name
    }

    /// Fails for a forged place.
    pub(super) fn check(self) -> Result<(), BuildError> {
        if self.forged {
            return Err(BuildError::Rendering);
        }
        Ok(())
    }

    /// The name of a column of another table among a statement's results: its path and its own
    /// name, as in `folder_id.name`.
    pub(super) fn label(self, table: &'static Schema) -> String {
        let steps = self.path.steps(table).map(|step| step.column);
        let parts: Vec<_> = steps.chain([self.name]).collect();
        parts.join(".")
    }
}

/// The references from one table to another, one after the other, each by its number in its table;
/// `None` follows the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Path([Option<NonZeroU8>; MAX_PATH]);

impl Path {
    /// The path that stays at the table.
    pub(super) const HERE: Self = Self([None; MAX_PATH]);

    pub(super) fn is_here(self) -> bool {
        self == Self::HERE
    }

    /// This path, then a reference of the table that it leads to, then another path from there.
    pub(super) fn then(self, reference: Option<NonZeroU8>, further: Self) -> Self {
        debug_assert!(reference.is_some(), "only a reference leads anywhere");

        let mut steps = self.numbers().chain(reference).chain(further.numbers());
        let path = Self(std::array::from_fn(|_| steps.next()));

        // The types count the references, and do not compile beyond the limit.
        debug_assert!(
            steps.next().is_none(),
            "a path has at most {MAX_PATH} references"
        );
        path
    }

    /// The first reference, and the path from there; `None` for a path that stays at the table.
    pub(super) fn split(self) -> Option<(NonZeroU8, Self)> {
        let mut steps = self.numbers();
        let first = steps.next()?;
        Some((first, Self(std::array::from_fn(|_| steps.next()))))
    }

    /// Returns whether another path begins with this one, or is the same.
    pub(super) fn starts(self, other: Self) -> bool {
        self.numbers()
            .zip(other.0)
            .all(|(step, others)| others == Some(step))
    }

    fn numbers(self) -> impl Iterator<Item = NonZeroU8> {
        self.0.into_iter().map_while(|number| number)
    }

    /// The references on the path from a table.
    pub(super) fn steps(self, from: &'static Schema) -> impl Iterator<Item = &'static Reference> {
        self.numbers().scan(from, |table, number| {
            let step = table.reference_at(number)?;
            *table = (step.target)();
            Some(step)
        })
    }

    /// The table at the end of the path.
    pub(super) fn end(self, from: &'static Schema) -> &'static Schema {
        self.steps(from).last().map_or(from, |step| (step.target)())
    }
}
