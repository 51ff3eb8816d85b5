//! References: how one table leads to another, within the scope. Every table on the path carries
//! the tenant predicate.

use std::marker::PhantomData;

use super::column::Column;
use super::filter::{Filter, Inner, Node};
use super::level::{Covers, ScopeLevel};
use super::marker::Of;
use super::path::{MAX_PATH, Place};
use super::role::{Joined, Reachable, ReferenceTo, Refers, Steps};
use super::table::{Table, schema_of};
use super::value::{ColumnValue, Comparable};

#[doc(hidden)]
impl<T: Table, V: ColumnValue, P> Column<T, V, ReferenceTo<P>> {
    pub const fn declared_reference(name: &str) -> Option<Self> {
        match (
            T::SCHEMA.column(name, V::KIND, V::NULLABLE),
            T::SCHEMA.reference_number(name),
        ) {
            (Some(name), Some(number)) => Some(Self::new(Place::here(name), Some(number))),
            _ => None,
        }
    }
}

impl<T: Table, V, R: Refers + Steps> Column<T, V, R> {
    /// Returns a column of the row that this reference leads to.
    ///
    /// It is a left join, so the column is null where no such row is in scope. References can be
    /// followed one after the other, three at the most; a fourth does not compile.
    ///
    /// ```
    /// use bailiwick::scope::state::Read;
    /// use bailiwick::scope::{Dialect, Prepared};
    /// use bailiwick::{Account, table};
    ///
    /// table! {
    ///     /// Folders, in folders.
    ///     pub struct Folder: Account in "folders" {
    ///         tenant "account_id" Int;
    ///         key ID = "id" i64 generated;
    ///         column NAME = "name" String;
    ///         reference PARENT = "parent_id" to Option<Folder>;
    ///     }
    /// }
    ///
    /// let inside = Prepared::<Account, Read, (String,)>::new(Dialect::Sqlite, |account, (name,)| {
    ///     account.count::<Folder>().filter(Folder::PARENT.then(Folder::NAME).equals(name))
    /// });
    /// assert_eq!(inside.unwrap().sql().as_ref(), concat!(
    ///     r#"SELECT COUNT(*) FROM "folders" LEFT JOIN "folders" AS "1.folders" "#,
    ///     r#"ON "1.folders"."id" = "folders"."parent_id" "#,
    ///     r#"AND "1.folders"."account_id" = "folders"."account_id" AND "1.folders"."account_id" = ? "#,
    ///     r#"WHERE "folders"."account_id" = ? AND "1.folders"."name" = ?"#,
    /// ));
    /// ```
    #[doc(alias = "join")]
    pub fn then<W: ColumnValue, S: Steps>(
        self,
        column: Column<R::Target, W, S>,
    ) -> Column<T, W::Optional, Joined<R, S>> {
        const {
            assert!(
                Joined::<R, S>::STEPS <= MAX_PATH,
                "a column is at most three references away"
            )
        };

        let path = self.place.path.then(self.reference, column.place.path);
        let place = Place::at(path, column.place.name);
        let is_sound = self.leads_where_it_says() && !column.place.is_forged();

        Column::new(
            if is_sound { place } else { place.forged() },
            column.reference,
        )
    }
}

impl<T: Table, V, R: Refers> Column<T, V, R> {
    /// Returns whether the declared reference leads to the table that the type says.
    pub(super) fn leads_where_it_says(&self) -> bool {
        if self.place.is_forged() {
            return false;
        }

        let said = schema_of::<R::Target>();
        let from = self.place.path.end(T::SCHEMA);
        let reference = self.reference.and_then(|number| from.reference_at(number));

        // The depth is the level: it is what the tenant predicate depends on.
        reference
            .map(|reference| (reference.target)())
            .is_some_and(|leads| leads.name == said.name && leads.tenant.len() == said.tenant.len())
    }
}

impl<C: Table, V: ColumnValue, P: Table> Column<C, V, ReferenceTo<P>> {
    /// Requires, of a row of `P`, that some row of this table refers to it.
    ///
    /// `Comment::ARTICLE.exists()` are the articles that have a comment,
    /// `!Comment::ARTICLE.exists()` those that have none.
    pub fn exists<L: Covers<C::Level>>(self) -> Filter<P, L> {
        Self::referred::<L>(self.place, None)
    }

    /// Requires, of a row of `P`, that some row of this table which fits the filter refers to it.
    pub fn exists_where<L: Covers<C::Level>>(self, filter: Filter<C, L>) -> Filter<P, L> {
        Self::referred(self.place, Some(filter))
    }

    fn referred<L>(column: Place, filter: Option<Filter<C, L>>) -> Filter<P, L> {
        Filter::over(filter, |filter| {
            Node::Exists(Box::new(Inner {
                schema: schema_of::<C>(),
                column,
                filter,
            }))
        })
    }
}

impl<T: Table, V: ColumnValue<Plain: Comparable>, R> Column<T, V, R> {
    /// Returns the values of this column, to compare another one with by [`among`](Self::among):
    /// those of all rows in scope, or of the rows that a filter leaves.
    #[doc(alias = "subquery")]
    pub fn values<L>(self) -> Subquery<T, V::Plain, L>
    where
        L: ScopeLevel + Covers<T::Level>,
        R: Reachable<L>,
    {
        Subquery {
            column: self.place,
            filter: None,
            of: PhantomData,
        }
    }

    /// Requires that the column equals one of the values of another column: `IN (SELECT …)`.
    ///
    /// The other column's rows are those in scope, as everywhere. Nulls among its values are left
    /// out; with one of them, `!among(…)` would never be true.
    #[doc(alias = "in")]
    pub fn among<U: Table, L>(self, values: Subquery<U, V::Plain, L>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        let Subquery { column, filter, .. } = values;

        Filter::over(filter, |filter| {
            let inner = Inner {
                schema: schema_of::<U>(),
                column,
                filter,
            };
            Node::Among(self.place, Box::new(inner))
        })
    }
}

/// The values of a column of the table `T`, to compare another column with; see [`Column::among`].
#[derive(Debug)]
#[must_use]
pub struct Subquery<T, V, L> {
    column: Place,
    filter: Option<Filter<T, L>>,
    of: Of<V>,
}

impl<T: Table, V, L> Subquery<T, V, L> {
    /// Keeps only rows that fit this filter, and those of earlier calls.
    #[doc(alias = "where")]
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            filter: Some(filter.after(self.filter)),
            ..self
        }
    }
}
