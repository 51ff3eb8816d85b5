//! The two things that a statement which is ready can do: be built, and be prepared.

use super::aggregate::Aggregate;
use super::dialect::Dialect;
use super::error::BuildError;
use super::insert::Insert;
use super::level::ScopeLevel;
use super::marker::{Read, Ready, Unbound, Write};
use super::render::Rendered;
use super::select::{Count, Exists, Select};
use super::statement::Statement;
use super::table::Table;
use super::update::{Delete, Update};
use super::upsert::Upsert;

mod sealed {
    use super::{BuildError, Dialect, Rendered};

    pub trait Shape {
        fn shape(self, dialect: Dialect) -> Result<Rendered, BuildError>;
    }
}

/// A statement that can be prepared for scopes of level `L` and mode `M`: what the methods of a
/// [`Scope`] that is [`Unbound`] give, once it is ready. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be prepared for a scope of level `{L}` and mode `{M}`",
    note = "it is made by the methods of the template, and is ready: with a filter or `.all_in_scope()`, with its key"
)]
pub trait Shape<L, M>: sealed::Shape {}

/// What a statement has once it is ready: `build`, if it is a scope's, and a shape, if it is a
/// template's.
macro_rules! statements {
    ($($statement:ident [$($state:ident)?] $mode:ident;)*) => {$(
        impl<T: Table, L: ScopeLevel> $statement<T, L> {
            /// The statement's text and values.
            ///
            /// # Errors
            /// [`BuildError`] says which, and when.
            pub fn build(self, dialect: Dialect) -> Result<Statement, BuildError> {
                Statement::of(self.render(dialect)?)
            }
        }

        impl<T: Table, L: ScopeLevel> sealed::Shape for $statement<T, L, $($state,)? Unbound> {
            fn shape(self, dialect: Dialect) -> Result<Rendered, BuildError> {
                self.render(dialect)
            }
        }

        impl<T: Table, L: ScopeLevel> Shape<L, $mode> for $statement<T, L, $($state,)? Unbound> {}
    )*};
}

statements! {
    Select [] Read;
    Count [] Read;
    Exists [] Read;
    Aggregate [Ready] Read;
    Insert [Ready] Write;
    Upsert [Ready] Write;
    Update [Ready] Write;
    Delete [Ready] Write;
}
