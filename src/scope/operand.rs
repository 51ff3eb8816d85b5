//! Operands: what stands for a value in a statement.

use std::marker::PhantomData;

use sea_query::Value;

use super::marker::Of;
use super::value::{ColumnValue, ParameterValue, ValueKind};

/// What stands for a `V` in a statement: a value of its own, or a [`Parameter`] of a prepared one.
/// It is made of whatever converts into it: a `&str` serves for a `String`, an `i32` for an `i64`.
#[derive(Clone, Debug)]
pub struct Operand<V> {
    pub(super) term: Term,
    of: Of<V>,
}

/// A value, or the number of the parameter that will be given.
#[derive(Clone, Debug)]
pub enum Term {
    Value(Value),
    Parameter { index: usize, kind: ValueKind },
}

impl<V: ColumnValue> Operand<V> {
    /// A value, for hosts that convert types of their own: `impl From<Slug> for Operand<String>`.
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
