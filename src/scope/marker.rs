//! The markers that have no values: modes, and the states of statements.

use std::marker::PhantomData;

/// What a type is of, without having one.
pub(super) type Of<T> = PhantomData<fn() -> T>;

pub(super) mod sealed {
    use crate::scope::render::Rendered;
    use crate::scope::statement::{BuildError, Dialect};

    pub trait Mode {}
    pub trait Level {}
    pub trait Value {}
    pub trait Parameters {}
    pub trait UniqueValues {}
    pub trait Shape {
        fn shape(self, dialect: Dialect) -> Result<Rendered, BuildError>;
    }
}

/// The state of a statement that can be built.
#[derive(Clone, Copy, Debug)]
pub enum Ready {}

/// The state of an update or a delete that was told neither a filter nor `.all_in_scope()`.
#[derive(Clone, Copy, Debug)]
pub enum NoFilter {}

/// The state of an insert whose key is supplied, and was not yet.
#[derive(Clone, Copy, Debug)]
pub enum NoKey {}

/// The state of an aggregate that was not told what to find out.
#[derive(Clone, Copy, Debug)]
pub enum NoOutput {}

/// What a scope may do with its rows: [`Read`] or [`Write`]. Sealed: there are no others.
pub trait Mode: sealed::Mode + 'static {}

/// The mode that reads.
#[derive(Clone, Copy, Debug)]
pub enum Read {}

/// The mode that reads and writes.
#[derive(Clone, Copy, Debug)]
pub enum Write {}

impl sealed::Mode for Read {}
impl sealed::Mode for Write {}
impl Mode for Read {}
impl Mode for Write {}
