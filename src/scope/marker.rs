//! Markers: types without values that say what a scope may do, and what a statement still lacks.
#![allow(
    clippy::exhaustive_enums,
    reason = "markers have no values, and grow none"
)]

use std::marker::PhantomData;

/// A type parameter that a struct has no value of. It owns nothing, so the struct is `Send` and
/// `Sync` whatever the parameter is.
pub(super) type Of<T> = PhantomData<fn() -> T>;

mod sealed {
    pub trait Mode {}
}

/// The state of a statement that can be built.
#[derive(Clone, Copy, Debug)]
pub enum Ready {}

/// The state of an update or a delete that has neither a filter nor `.all_in_scope()` yet.
#[derive(Clone, Copy, Debug)]
pub enum NoFilter {}

/// The state of an insert that still needs its key, because the table's key is supplied.
#[derive(Clone, Copy, Debug)]
pub enum NoKey {}

/// The state of an aggregate that has neither an output nor a group yet.
#[derive(Clone, Copy, Debug)]
pub enum NoOutput {}

/// The state of a scope, and of its statements, whose tenant is known. Only the gate leads to such
/// a scope; a host never writes this marker, since it is the default.
#[derive(Clone, Copy, Debug)]
pub enum Bound {}

/// The state of the template that [`Prepared::new`](crate::scope::Prepared::new) lends to its
/// closure, and of its statements. No tenant is known yet, so none of them can be built or run.
#[derive(Clone, Copy, Debug)]
pub enum Unbound {}

/// The mode of a scope, which says what it may do with its rows: [`Read`] or [`Write`].
///
/// Sealed: there are no other modes.
pub trait Mode: sealed::Mode + 'static {}

/// The mode of a scope that only reads.
#[derive(Clone, Copy, Debug)]
pub enum Read {}

/// The mode of a scope that reads and writes.
#[derive(Clone, Copy, Debug)]
pub enum Write {}

impl sealed::Mode for Read {}
impl sealed::Mode for Write {}
impl Mode for Read {}
impl Mode for Write {}

/// A mode that may run a statement of mode `M`. A scope that writes may also read.
#[diagnostic::on_unimplemented(
    message = "a scope of mode `{Self}` cannot run a statement of mode `{M}`"
)]
pub trait Permits<M>: Mode {}

impl Permits<Read> for Read {}
impl Permits<Read> for Write {}
impl Permits<Write> for Write {}
