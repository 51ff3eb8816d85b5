//! The markers that have no values: modes, and the states of statements.

use std::marker::PhantomData;

/// What a type is of, without having one.
pub(super) type Of<T> = PhantomData<fn() -> T>;

mod sealed {
    pub trait Mode {}
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

/// The state of a scope and its statements: made by the gate, and ready to run.
#[derive(Clone, Copy, Debug)]
pub enum Bound {}

/// The state of a scope and its statements while they are prepared: no tenant is known, so nothing
/// can be run.
#[derive(Clone, Copy, Debug)]
pub enum Unbound {}

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

/// A mode that may do what a statement of mode `M` does: a scope that writes may also read.
#[diagnostic::on_unimplemented(
    message = "a scope of mode `{Self}` cannot run a statement of mode `{M}`"
)]
pub trait Permits<M>: Mode {}

impl Permits<Read> for Read {}
impl Permits<Read> for Write {}
impl Permits<Write> for Write {}
