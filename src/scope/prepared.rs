//! Prepared statements: the text is made once, and bound to a scope and to values as often as the
//! host likes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use sea_query::Value;

use super::bounds::{Bounds, ScopeId};
use super::dialect::Dialect;
use super::entry::Scope;
use super::error::BuildError;
use super::level::{Level, ScopeLevel};
use super::marker::{Mode, Of, Permits, Unbound, Write};
use super::parameters::Parameters;
use super::render::{Rendered, Slot, TenantSlot, take};
use super::shape::Shape;
use super::statement::Statement;
use super::value::{ValueKind, ValueRef};

/// A statement whose text is made once, for scopes of level `L` and mode `M` and with parameters of
/// the types `P`.
///
/// It grants nothing: running it takes a scope, which says whose rows it is about.
///
/// ```
/// use std::sync::LazyLock;
///
/// use bailiwick::scope::state::Read;
/// use bailiwick::scope::{BuildError, Dialect, Prepared, Statement};
/// use bailiwick::{Account, Scope, table};
///
/// table! {
///     pub struct Article: Account in "articles" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column TITLE = "title" String;
///     }
/// }
///
/// static BY_TITLE: LazyLock<Prepared<Account, Read, (String, u32)>> = LazyLock::new(|| {
///     Prepared::new(Dialect::Sqlite, |account, (title, rows)| {
///         account.select::<Article>().filter(Article::TITLE.starts_with(title)).limit(rows)
///     })
///     .expect("the statement is sound")
/// });
///
/// fn find(account: &Scope<Account, Read>, title: &str) -> Result<Statement, BuildError> {
///     BY_TITLE.bind(account, (title, 20))
/// }
///
/// assert_eq!(BY_TITLE.sql().as_ref(), concat!(
///     r#"SELECT "articles"."account_id", "articles"."id", "articles"."title" FROM "articles" "#,
///     r#"WHERE "articles"."account_id" = ? AND instr("articles"."title", ?) = 1 LIMIT ?"#,
/// ));
/// ```
pub struct Prepared<L, M, P> {
    sql: Arc<str>,
    slots: Box<[Slot]>,
    /// The tenant slots, each once, to be checked before anything is bound.
    tenant: Box<[TenantSlot]>,
    dialect: Dialect,
    of: Of<(L, M, P)>,
}

impl<L, M, P> fmt::Debug for Prepared<L, M, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({})", self.sql)
    }
}

impl<L: ScopeLevel + Level, M: Mode, P: Parameters> Prepared<L, M, P> {
    /// Prepares the statement that the closure makes of a template of the scope and of the
    /// parameters.
    ///
    /// # Errors
    /// [`BuildError`], as for building the statement itself, but for the kinds of identifiers and
    /// for the arguments, which are checked when the statement is bound.
    pub fn new<S: Shape<L, M>>(
        dialect: Dialect,
        shape: impl FnOnce(Scope<L, Write, Unbound>, P::Placeholders) -> S,
    ) -> Result<Self, BuildError> {
        // The template may write, whatever `M` is: `Shape<L, M>` lets a statement that writes be
        // prepared only for the mode `Write`.
        let template = Scope::within(Bounds::Later(L::DEPTH));
        let Rendered {
            sql,
            numbers,
            mut slots,
        } = shape(template, P::placeholders()).shape(dialect)?;

        let slots = numbers
            .iter()
            .map(|number| take(&mut slots, number))
            .collect::<Result<Vec<_>, _>>()?;

        let mut tenant = Vec::new();
        for slot in &slots {
            match slot {
                Slot::Tenant(slot) if !tenant.contains(slot) => tenant.push(*slot),
                // A parameter of another statement, whose number means another type here.
                Slot::Parameter { index, kind }
                    if !P::KINDS.get(*index).is_some_and(|own| own.is(*kind)) =>
                {
                    return Err(BuildError::ForeignParameter);
                }
                _ => {}
            }
        }

        Ok(Self {
            sql: sql.into(),
            slots: slots.into(),
            tenant: tenant.into(),
            dialect,
            of: PhantomData,
        })
    }

    /// The text, with a placeholder for every value.
    pub fn sql(&self) -> &Arc<str> {
        &self.sql
    }

    /// Binds the statement to a scope and to values. The text is shared, not copied.
    ///
    /// The arguments are a tuple of borrowed values, as for [`values`](Self::values).
    ///
    /// # Errors
    /// - [`BuildError::IdKindMismatch`] if an identifier of the scope is of another kind than the
    ///   tenant column of the table.
    /// - [`BuildError::NulInText`] or [`BuildError::InstantOutOfRange`] for a value that the
    ///   database cannot hold.
    pub fn bind<'a, N: Permits<M>>(
        &'a self,
        scope: &'a Scope<L, N>,
        arguments: P::Arguments<'a>,
    ) -> Result<Statement, BuildError> {
        let bound = self.values(scope, arguments)?;

        let mut values = Vec::with_capacity(self.slots.len());
        values.extend(bound.iter().map(Value::from));
        Ok(Statement::new(Arc::clone(&self.sql), values))
    }

    /// Binds the statement like [`bind`](Self::bind), but borrows the values: for drivers that bind
    /// one value after the other. Nothing is allocated.
    ///
    /// The arguments are a tuple, in the order of `P`. Pass a `&str` for a parameter of type
    /// `String` and a `&[u8]` for a `Vec<u8>`. For a single parameter, pass a tuple of one:
    /// `values(&scope, (title,))`; for none, pass `()`.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn values<'a, N: Permits<M>>(
        &'a self,
        scope: &'a Scope<L, N>,
        arguments: P::Arguments<'a>,
    ) -> Result<BoundValues<'a, P>, BuildError> {
        // A scope over several sites has no `Level`, so nothing is prepared for it.
        let Bounds::One(ids) = &scope.bounds else {
            debug_assert!(false, "a scope of one level has one identifier at each");
            return Err(BuildError::Rendering);
        };

        // Checked here, once, so that `iter` has nothing to refuse.
        for slot in &self.tenant {
            ids.get(slot.level)
                .and_then(|id| id.lend(slot.kind))
                .ok_or(BuildError::IdKindMismatch)?;
        }

        Ok(BoundValues {
            slots: &self.slots,
            ids,
            lent: P::lend(arguments, self.dialect)?,
        })
    }
}

/// The values of a prepared statement, bound and borrowed, in the order of their placeholders.
pub struct BoundValues<'a, P: Parameters> {
    slots: &'a [Slot],
    ids: &'a [ScopeId],
    lent: P::Lent<'a>,
}

impl<P: Parameters> fmt::Debug for BoundValues<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<P: Parameters> BoundValues<'_, P> {
    /// The values, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = ValueRef<'_>> {
        self.slots.iter().map(|slot| {
            let value = self.value(slot);
            debug_assert!(
                value.is_some(),
                "`new` and `values` have checked every slot"
            );

            // A tenant column equals no null, so this would have no rows.
            value.unwrap_or(ValueRef::Null(ValueKind::Integer))
        })
    }

    #[inline]
    fn value<'b>(&'b self, slot: &'b Slot) -> Option<ValueRef<'b>> {
        match slot {
            Slot::Value(value) => ValueRef::of(value),
            Slot::Parameter { index, .. } => self.lent.as_ref().get(*index).copied(),
            Slot::Tenant(TenantSlot { level, kind }) => self.ids.get(*level)?.lend(*kind),
        }
    }
}
