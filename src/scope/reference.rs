//! References: how one table leads to another, within the scope. Every table on the way carries the
//! tenant predicate.

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
