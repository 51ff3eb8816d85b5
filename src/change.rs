//! A row to write over the version that it was made from.

/// A row of the host's, to be written only while the stored one still has the version that this was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change takes effect only when it is written"]
pub struct RowChange<T> {
    expected_version: u64,
    row: T,
}

impl<T> RowChange<T> {
    pub(crate) fn update(expected_version: u64, row: T) -> Self {
        Self { expected_version, row }
    }

    /// The version that the stored row must still have; 0 means that there must be no such row yet.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// The row to store.
    pub fn row(&self) -> &T {
        &self.row
    }

    /// The row to store.
    pub fn into_row(self) -> T {
        self.row
    }
}
