//! The statements that a scope makes. They stand apart from the scope, which they need, so that it
//! needs none of them.

use super::aggregate::Aggregate;
use super::column::Column;
use super::entry::Scope;
use super::insert::Insert;
use super::insert_many::InsertMany;
use super::level::{Covers, ScopeLevel, Stamps, TenantLevel};
use super::marker::{Mode, NoFilter, NoKey, NoOutput, Ready, Write};
use super::operand::Operand;
use super::select::{Count, Exists, Select};
use super::table::{Keyed, KeyedIn, Table, TenantKeyed};
use super::tuple::{Columns, Operands, Unique};
use super::update::{Delete, Update};
use super::upsert::Upsert;

/// Statements that read.
impl<L: ScopeLevel, M: Mode, B> Scope<L, M, B> {
    /// Reads rows.
    pub fn select<T: Table>(&self) -> Select<T, L, B>
    where
        L: Covers<T::Level>,
    {
        Select::new(&self.bounds)
    }

    /// Reads the row with this key. If there is none, the host answers
    /// [`NotFound`](super::NotFound).
    #[doc(alias = "find")]
    pub fn get<T: KeyedIn<L>>(&self, key: impl Into<Operand<T::Key>>) -> Select<T, L, B>
    where
        L: Covers<T::Level>,
    {
        self.select().filter(Column::declared_key().equals(key))
    }

    /// Counts rows.
    pub fn count<T: Table>(&self) -> Count<T, L, B>
    where
        L: Covers<T::Level>,
    {
        Count::new(&self.bounds)
    }

    /// Finds out whether there is a row.
    pub fn exists<T: Table>(&self) -> Exists<T, L, B>
    where
        L: Covers<T::Level>,
    {
        Exists::new(&self.bounds)
    }

    /// Reads sums, extremes and averages, of all rows or by groups; or distinct values.
    #[doc(alias = "distinct")]
    #[doc(alias = "sum")]
    pub fn aggregate<T: Table>(&self) -> Aggregate<T, L, NoOutput, B>
    where
        L: Covers<T::Level>,
    {
        Aggregate::new(&self.bounds)
    }
}

/// Statements that write.
impl<L: ScopeLevel, B> Scope<L, Write, B> {
    /// Inserts one row, stamped with the tenant columns.
    ///
    /// A row of a site is inserted only if the account has that site at that very moment, and a row
    /// that refers to others only if these are in scope. The same statement checks both. If no row
    /// was inserted, the host answers [`NotFound`](super::NotFound).
    pub fn insert<T: Table>(&self) -> Insert<T, L, T::Insertion, B>
    where
        L: Stamps<T::Level>,
    {
        Insert::new(&self.bounds)
    }

    /// Inserts one row, or updates the one that has the same values of a unique key.
    pub fn upsert<T: Table, U: 'static>(
        &self,
        unique: Unique<T, U>,
        values: impl Operands<U>,
    ) -> Upsert<T, L, T::Insertion, B>
    where
        L: Stamps<T::Level>,
    {
        Upsert::on(&self.bounds, unique, values)
    }

    /// Inserts one row, or updates the one that has the same supplied key.
    pub fn upsert_key<T: Keyed<Insertion = NoKey>>(
        &self,
        key: impl Into<Operand<T::Key>>,
    ) -> Upsert<T, L, Ready, B>
    where
        L: Stamps<T::Level>,
    {
        Upsert::new(&self.bounds, Some(key.into().term))
    }

    /// Inserts the tenant's one row of a table whose key is the tenant, or updates it.
    pub fn upsert_own<T: TenantKeyed>(&self) -> Upsert<T, L, Ready, B>
    where
        L: Stamps<T::Level>,
    {
        Upsert::new(&self.bounds, None)
    }

    /// Updates rows. The statement builds once it has a filter or says
    /// [`all_in_scope`](Update::all_in_scope).
    pub fn update<T: Table>(&self) -> Update<T, L, NoFilter, B>
    where
        L: Covers<T::Level>,
        T::Level: TenantLevel,
    {
        Update::new(&self.bounds)
    }

    /// Deletes rows. The statement builds once it has a filter or says
    /// [`all_in_scope`](Delete::all_in_scope).
    pub fn delete<T: Table>(&self) -> Delete<T, L, NoFilter, B>
    where
        L: Covers<T::Level>,
        T::Level: TenantLevel,
    {
        Delete::new(&self.bounds)
    }
}

impl<L: ScopeLevel> Scope<L, Write> {
    /// Inserts many rows, each a tuple of values of these columns: all of them or none.
    ///
    /// [`InsertMany`] has an example. There is no template for this statement, since its text
    /// depends on the number of rows.
    #[doc(alias = "bulk")]
    #[doc(alias = "batch")]
    pub fn insert_many<T: Table, C: Columns<T, L>>(&self, columns: C) -> InsertMany<T, L, C>
    where
        L: Stamps<T::Level>,
    {
        InsertMany::new(&self.bounds, columns)
    }
}
