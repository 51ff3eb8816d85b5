//! Paths: the references that lead from one table to a column of another.

use super::table::{Reference, Schema};

/// The most references that a column can be away.
pub(super) const MAX_PATH: usize = 3;

/// Where a column is: its name, and the way to its table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Empty for a column that was not made by `table!` and says of a reference that it leads to
    /// another table, of another level maybe, than it does: no statement is built from that.
    pub(super) name: &'static str,
    pub(super) path: Path,
}

/// References, one after the other, each by its number in its table, from 1; 0 where the way ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Path([u8; MAX_PATH]);

impl Path {
    const HERE: Self = Self([0; MAX_PATH]);

    pub(super) fn is_here(self) -> bool {
        self == Self::HERE
    }

    /// This way, then a reference of the table that it leads to, then another way from there.
    pub(super) fn then(self, reference: u8, further: Self) -> Self {
        let mut path = Self::HERE;
        let steps = self.numbers().chain([reference]).chain(further.numbers());
        path.0
            .iter_mut()
            .zip(steps)
            .for_each(|(place, step)| *place = step);
        path
    }

    /// The first reference, and the way from there.
    pub(super) fn split(self) -> (u8, Self) {
        let mut rest = Self::HERE;
        rest.0
            .iter_mut()
            .zip(self.numbers().skip(1))
            .for_each(|(place, step)| *place = step);
        (self.numbers().next().unwrap_or_default(), rest)
    }

    /// Whether a longer way, or this very one, begins with this one.
    pub(super) fn starts(self, longer: Self) -> bool {
        self.numbers()
            .zip(longer.0)
            .all(|(step, other)| step == other)
    }

    fn numbers(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().take_while(|number| *number != 0)
    }

    /// The references on the way from a table.
    pub(super) fn steps(self, from: &'static Schema) -> impl Iterator<Item = &'static Reference> {
        self.numbers().scan(from, |table, number| {
            let step = table.reference_at(number)?;
            *table = (step.target)();
            Some(step)
        })
    }

    /// The table at the end of the way.
    pub(super) fn end(self, from: &'static Schema) -> &'static Schema {
        self.steps(from).last().map_or(from, |step| (step.target)())
    }
}

impl Place {
    pub(super) const fn here(name: &'static str) -> Self {
        Self {
            name,
            path: Path::HERE,
        }
    }

    /// What a column that references lead to is called among a statement's results: its way, and
    /// its name.
    pub(super) fn label(self, table: &'static Schema) -> String {
        let way = self.path.steps(table).map(|step| step.column);
        way.chain([self.name]).collect::<Vec<_>>().join(".")
    }
}
