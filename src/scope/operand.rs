//! Operands: what stands for a value in a statement.

use std::marker::PhantomData;

use sea_query::Value;

use super::marker::Of;
use super::value::{ColumnValue, ParameterValue, ValueKind};

/// A value in a statement: one that is known, or a [`Parameter`] of a prepared statement.
///
/// A host seldom names it. Methods take an `impl Into<Operand<V>>`, so a `&str` serves for a
/// `String` and an `i32` for an `i64`. A host's own types serve as well, once they convert:
///
/// ```
/// use bailiwick::scope::{Filter, Operand};
/// use bailiwick::{Account, table};
///
/// struct Slug(String);
///
/// impl From<Slug> for Operand<String> {
///     fn from(slug: Slug) -> Self {
///         Self::value(slug.0)
///     }
/// }
///
/// table! {
///     pub struct Page: Account in "pages" {
///         tenant "account_id" Int;
///         key ID = "id" i64 generated;
///         column SLUG = "slug" String;
///     }
/// }
///
/// fn by_slug(slug: Slug) -> Filter<Page, Account> {
///     Page::SLUG.equals(slug)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Operand<V> {
    pub(super) term: Term,
    of: Of<V>,
}

/// A value, or the number of the parameter that will be given.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "no host can name it")]
pub enum Term {
    Value(Value),
    Parameter { index: usize, kind: ValueKind },
}

impl<V: ColumnValue> Operand<V> {
    /// Creates an operand from a value, for hosts that convert types of their own.
    pub fn value(value: V) -> Self {
        Self {
            term: Term::Value(value.into()),
            of: PhantomData,
        }
    }
}

impl From<u32> for Operand<u32> {
    fn from(number: u32) -> Self {
        Self {
            term: Term::Value(i64::from(number).into()),
            of: PhantomData,
        }
    }
}

/// A value that a prepared statement is given each time that it is bound; see
/// [`Prepared`](crate::scope::Prepared).
#[derive(Debug)]
pub struct Parameter<V> {
    index: usize,
    of: Of<V>,
}

impl<V> Clone for Parameter<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Parameter<V> {}

impl<V: ParameterValue> Parameter<V> {
    pub(super) const fn new(index: usize) -> Self {
        Self {
            index,
            of: PhantomData,
        }
    }

    /// The parameter as an operand of another type, such as `Option<V>` for a `V`. The callers see
    /// to it that the types belong together.
    pub(super) fn operand<W>(self) -> Operand<W> {
        Operand {
            term: Term::Parameter {
                index: self.index,
                kind: V::KIND,
            },
            of: PhantomData,
        }
    }
}

impl<V: ParameterValue> From<Parameter<V>> for Operand<V> {
    fn from(parameter: Parameter<V>) -> Self {
        parameter.operand()
    }
}
