//! Prepared statements: the text is made once, and bound to a scope and to values as often as one
//! likes.

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
/// It grants nothing: to run it takes a scope, which says whose rows they are.
///
/// ```
/// use std::sync::LazyLock;
/// use bailiwick::Scope;
/// use bailiwick::scope::{BuildError, Dialect, Prepared, Statement};
/// use bailiwick::scope::state::Read;
/// use bailiwick::tenant::Site;
/// # bailiwick::table! {
/// #     pub struct Sites: Account in "sites" { tenant "account_id" Int; key ID = "id" i64 generated; }
/// # }
/// bailiwick::table! {
///     /// Articles of a site.
///     pub struct Article: Site in "articles" {
///         tenant "account_id" Int, "site_id" Int of Sites;
///         key ID = "id" i64 generated;
///         column TITLE = "title" String;
///     }
/// }
///
/// static BY_TITLE: LazyLock<Prepared<Site, Read, (String, u32)>> = LazyLock::new(|| {
///     Prepared::new(Dialect::Sqlite, |site, (title, rows)| {
///         site.select::<Article>().filter(Article::TITLE.starts_with(title)).limit(rows)
///     }).expect("the statement is sound")
/// });
///
/// fn find(site: &Scope<Site, Read>, title: &str) -> Result<Statement, BuildError> {
///     BY_TITLE.bind(site, (title, 20))
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
/// # let access = validate_account_and_plan(&person, Some(&tenant), "2026-01-01T00:00:00Z".parse()?)?;
/// let site = access.read().site(12.into())?;
/// let statement = find(&site, "Bread")?;
/// assert_eq!(statement.sql(), BY_TITLE.sql().as_ref());
/// assert_eq!(statement.values().0.len(), 4, "the account, the site, the title, and how many");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Prepared<L, M, P> {
    sql: Arc<str>,
    slots: Box<[Slot]>,
    /// Each once, to be looked at before anything is bound.
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
    /// Prepares what the closure makes of the template and the parameters.
    ///
    /// # Errors
    /// [`BuildError`], as building the statement in full has it, but for the kinds of identifiers
    /// and for the arguments, which are looked at when the statement is bound.
    pub fn new<S: Shape<L, M>>(
        dialect: Dialect,
        shape: impl FnOnce(Scope<L, Write, Unbound>, P::Placeholders) -> S,
    ) -> Result<Self, BuildError> {
        let bounds = Bounds::Later(L::DEPTH);
        let Rendered {
            sql,
            numbers,
            mut slots,
        } = shape(Scope::within(bounds), P::placeholders()).shape(dialect)?;
        let slots = numbers
            .iter()
            .map(|number| take(&mut slots, number))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tenant = Vec::new();
        for slot in &slots {
            match slot {
                Slot::Tenant(slot) if !tenant.contains(slot) => tenant.push(*slot),
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

    /// The statement of this scope with these values. The text is shared, not copied.
    ///
    /// # Errors
    /// [`BuildError::IdKindMismatch`]; and for a value that the database cannot hold
    /// [`BuildError::NulInText`] or [`BuildError::InstantOutOfRange`].
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

    /// The same values, borrowed: for drivers that bind one value after the other. Nothing is
    /// allocated.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn values<'a, N: Permits<M>>(
        &'a self,
        scope: &'a Scope<L, N>,
        arguments: P::Arguments<'a>,
    ) -> Result<BoundValues<'a, P>, BuildError> {
        let Bounds::One(ids) = &scope.bounds else {
            return Err(BuildError::Rendering);
        };
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
        // What `new` and `values` have looked at is there, and fits.
        self.slots.iter().map(|slot| {
            self.value(slot)
                .unwrap_or(ValueRef::Null(ValueKind::Integer))
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
