//! The result of the suite, as a small table.

use std::fmt;

use super::check::Check;

/// One check that held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    pub(super) check: Check,
    pub(super) operations: u64,
}

impl Checked {
    /// Returns the check.
    pub fn check(&self) -> Check {
        self.check
    }

    /// Returns the number of calls to the store.
    pub fn operations(&self) -> u64 {
        self.operations
    }
}

/// The checks that held, all of them. Displayed, it is a small table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub(super) Vec<Checked>);

impl Report {
    /// Returns each check, in the order in which they ran.
    pub fn checked(&self) -> &[Checked] {
        &self.0
    }

    /// Returns the number of calls to the store, of all checks.
    pub fn operations(&self) -> u64 {
        self.0.iter().map(|checked| checked.operations).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = Check::ALL
            .iter()
            .map(|check| check.as_str().len())
            .max()
            .unwrap_or_default();

        let mut line =
            |name: &str, operations: &str| writeln!(f, "{name:width$}  {operations:>10}");

        line("check", "operations")?;
        for checked in &self.0 {
            line(checked.check.as_str(), &checked.operations.to_string())?;
        }

        let all = format!("{} checks held", self.0.len());
        write!(f, "{all:width$}  {:>10}", self.operations())
    }
}
