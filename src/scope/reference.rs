//! References: how one table leads to another, within the scope. Every table on the way carries the
//! tenant predicate.

use std::fmt;
use std::marker::PhantomData;

use super::column::{Column, Data, Key, Place};
use super::filter::{Filter, Inner, Node};
use super::level::{Covers, ScopeLevel, Stamps};
use super::marker::Of;
use super::table::{Keyed, MAX_PATH, Table, schema_of};
use super::value::{ColumnValue, Comparable};

/// The role of a column that holds the key of a row of `P`. An insert or update that sets it
/// checks, in the same statement, that the row is there and in scope.
pub struct ReferenceTo<P>(Of<P>);

impl<P> fmt::Debug for ReferenceTo<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferenceTo")
    }
}

/// The role of a column `S` of the table that a column `R` leads to.
pub struct Joined<R, S>(Of<(R, S)>);

impl<R, S> fmt::Debug for Joined<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Joined")
    }
}

/// The role of a column that a scope of level `L` may look at: one of the table itself, or one of a
/// table that the level covers as well.
#[diagnostic::on_unimplemented(
    message = "a scope of level `{L}` does not reach the table that this column is in",
    note = "an account-wide table needs the account's scope: `.account()?`"
)]
pub trait Reachable<L> {}

impl<L> Reachable<L> for Data {}
impl<L> Reachable<L> for Key {}
impl<L, P> Reachable<L> for ReferenceTo<P> {}
impl<L, R, S> Reachable<L> for Joined<R, S>
where
    R: Refers + Reachable<L>,
    S: Reachable<L>,
    L: Covers<<R::Target as Table>::Level>,
{
}

/// The role of a column that leads to a table: [`ReferenceTo`], or one that is reached through
/// another.
#[diagnostic::on_unimplemented(
    message = "this column is no reference",
    note = "only a `reference` of the table's declaration leads to another table"
)]
pub trait Refers {
    /// The table that it leads to.
    type Target: Keyed;
}

impl<P: Keyed> Refers for ReferenceTo<P> {
    type Target = P;
}
impl<R, S: Refers> Refers for Joined<R, S> {
    type Target = S::Target;
}

/// The role of a column that an insert or update of a scope of level `L` may set, in a table of
/// level `T`. A reference is set through a scope of the table's own level only, since only there
/// the row that it leads to is one and the same for all rows.
#[diagnostic::on_unimplemented(
    message = "this column cannot be set here",
    note = "a key is never set or updated; a reference is set through a scope of the table's own level"
)]
pub trait SettableIn<L, T> {}

impl<L, T> SettableIn<L, T> for Data {}
impl<L: Stamps<T>, T, P> SettableIn<L, T> for ReferenceTo<P> {}

/// How many references a role has on its way.
#[doc(hidden)]
pub trait Steps {
    const STEPS: usize;
}

impl Steps for Data {
    const STEPS: usize = 0;
}
impl Steps for Key {
    const STEPS: usize = 0;
}
impl<P> Steps for ReferenceTo<P> {
    const STEPS: usize = 0;
}
impl<R: Steps, S: Steps> Steps for Joined<R, S> {
    const STEPS: usize = R::STEPS.saturating_add(S::STEPS).saturating_add(1);
}

/// What a reference is declared to: a [`Keyed`] table, or `Option` of one for a column that may be
/// null.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be referred to",
    note = "a reference goes to a table with a key of its own"
)]
pub trait ReferenceTarget {
    type Table: Keyed;
    type Value: ColumnValue;
}

impl<P: Keyed> ReferenceTarget for P {
    type Table = P;
    type Value = P::Key;
}
impl<P: Keyed> ReferenceTarget for Option<P> {
    type Table = P;
    type Value = <P::Key as ColumnValue>::Optional;
}

#[doc(hidden)]
impl<T: Table, V: ColumnValue, P> Column<T, V, ReferenceTo<P>> {
    pub const fn declared_reference(name: &str) -> Option<Self> {
        match (
            T::SCHEMA.column(name, V::KIND, V::NULLABLE),
            T::SCHEMA.reference_number(name),
        ) {
            (Some(name), reference @ 1..) => Some(Self::new(Place::here(name), reference)),
            _ => None,
        }
    }
}

impl<T: Table, V, R: Refers + Steps> Column<T, V, R> {
    /// A column of the row that this reference leads to: a left join, so it is null where there is
    /// no such row in scope. References can be followed one after the other, three at the most;
    /// more do not compile.
    ///
    /// ```
    /// use bailiwick::Scope;
    /// use bailiwick::scope::{BuildError, Dialect};
    /// use bailiwick::scope::state::Write;
    /// use bailiwick::tenant::Site;
    /// # bailiwick::table! {
    /// #     pub struct Sites: Account in "sites" { tenant "account_id" Int; key ID = "id" i64 generated; }
    /// # }
    /// bailiwick::table! {
    ///     /// Folders, in folders.
    ///     pub struct Folder: Site in "folders" {
    ///         tenant "account_id" Int, "site_id" Int of Sites;
    ///         key ID = "id" i64 generated;
    ///         column NAME = "name" String;
    ///         reference PARENT = "parent_id" to Option<Folder>;
    ///     }
    /// }
    /// fn inside(site: &Scope<Site, Write>, name: &str) -> Result<(), BuildError> {
    ///     let select = site.count::<Folder>().filter(Folder::PARENT.then(Folder::NAME).equals(name));
    ///     assert_eq!(select.build(Dialect::Sqlite)?.sql(), concat!(
    ///         r#"SELECT COUNT(*) FROM "folders" LEFT JOIN "folders" AS "1.folders" ON "1.folders"."id" = "folders"."parent_id" "#,
    ///         r#"AND "1.folders"."account_id" = "folders"."account_id" AND "1.folders"."site_id" = "folders"."site_id" "#,
    ///         r#"AND "1.folders"."account_id" = ? AND "1.folders"."site_id" = ? "#,
    ///         r#"WHERE "folders"."account_id" = ? AND "folders"."site_id" = ? AND "1.folders"."name" = ?"#,
    ///     ));
    ///     Ok(())
    /// }
    /// # use bailiwick::{Account, Credits, Money, Plan, Principal, Tenant, table, validate_account_and_plan};
    /// # use bailiwick::account::AccountStatus;
    /// # use bailiwick::money::Currency;
    /// # use bailiwick::payment_method::PaymentMethod;
    /// # use bailiwick::period::Interval;
    /// # use bailiwick::right::Privileges;
    /// # let account = Account {
    /// #     id: 7.into(), status: AccountStatus::Active, payment_method: PaymentMethod::BankTransfer, version: 1,
    /// #     privileges: Privileges::NONE,
    /// # };
    /// # let plan = Plan {
    /// #     id: 1.into(), active: true, price: Money::new(0.into(), Currency::EUR)?, interval: Interval::MONTHLY,
    /// #     credits_per_month: Credits::ZERO, needs_subscription: false, quotas: Default::default(),
    /// #     concurrency: Default::default(),
    /// # };
    /// # let tenant = Tenant { account, plan: Some(plan.into()), subscription: None, sites: [12.into()].into() };
    /// # let person = Principal::session(1.into()).of_account(7.into());
    /// # let access = validate_account_and_plan(&person, Some(&tenant), "2026-01-01T00:00:00Z".parse()?)?.into_write()?;
    /// inside(&access.write().site(12.into())?, "Recipes")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let name = if self.leads_where_it_says() {
            column.place.name
        } else {
            ""
        };
        Column::new(Place { name, path }, column.reference)
    }
}

impl<T: Table, V, R: Refers> Column<T, V, R> {
    /// The reference of the declaration leads to the table of the type.
    pub(super) fn leads_where_it_says(&self) -> bool {
        let said = schema_of::<R::Target>();
        let from = self.place.path.end(T::SCHEMA);
        let leads = from
            .reference_at(self.reference)
            .map(|reference| (reference.target)());
        !self.place.name.is_empty()
            && leads.is_some_and(|leads| {
                leads.name == said.name && leads.tenant.len() == said.tenant.len()
            })
    }
}

impl<C: Table, V: ColumnValue, P: Table> Column<C, V, ReferenceTo<P>> {
    /// Rows of `P` that some row of this table refers to.
    ///
    /// `Comment::ARTICLE.exists()` are the articles that have a comment,
    /// `!Comment::ARTICLE.exists()` those that have none.
    pub fn exists<L: Covers<C::Level>>(self) -> Filter<P, L> {
        Self::referred::<L>(self.place, None)
    }

    /// Rows of `P` that some row of this table refers to which fits the filter.
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
    /// The values that this column has, for [`among`](Self::among): of all rows in scope, or of
    /// those that a filter leaves.
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

    /// Equal to one of the values of another column, in scope like everything else: `IN (SELECT
    /// …)`. Nulls among them are left out, so `!among(…)` means what it says.
    pub fn among<U: Table, L>(self, values: Subquery<U, V::Plain, L>) -> Filter<T, L>
    where
        R: Reachable<L>,
    {
        let Subquery { column, filter, .. } = values;
        Filter::over(filter, |filter| {
            Node::Among(
                self.place,
                Box::new(Inner {
                    schema: schema_of::<U>(),
                    column,
                    filter,
                }),
            )
        })
    }
}

/// The values of a column of the table `T`, to compare with; see [`Column::among`].
#[derive(Debug)]
#[must_use]
pub struct Subquery<T, V, L> {
    column: Place,
    filter: Option<Filter<T, L>>,
    of: Of<V>,
}

impl<T: Table, V, L> Subquery<T, V, L> {
    /// Of rows that fit this filter, and those of earlier calls.
    pub fn filter(self, filter: Filter<T, L>) -> Self {
        Self {
            filter: Some(filter.after(self.filter)),
            ..self
        }
    }
}
