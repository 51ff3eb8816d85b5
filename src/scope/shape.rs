//! The two things that can be done with a statement that is ready: a scope's is built, a template's
//! is prepared.

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

/// A statement that can be prepared for scopes of level `L` and mode `M`. The methods of a
/// [`Scope`](super::Scope) that is [`Unbound`] make it, and it must be ready: with a filter or
/// `.all_in_scope()`, and with its key.
///
/// Sealed: there are no others.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be prepared for a scope of level `{L}` and mode `{M}`",
    note = "it is made by the methods of the template, and is ready: with a filter or `.all_in_scope()`, with its key"
)]
pub trait Shape<L, M>: sealed::Shape {}

/// Gives each statement, in its state `Ready`, a public `build` if it is a scope's, and a [`Shape`]
/// if it is a template's.
///
/// A line has the type, its state in brackets, if it has one, and the mode that it needs:
/// `Insert [Ready] Write;` gives `build` to `Insert<T, L, Ready, Bound>`, in short `Insert<T, L>`,
/// and makes `Insert<T, L, Ready, Unbound>` a `Shape<L, Write>`. There is no `build` for a
/// statement that is not ready, or whose tenant is not known.
macro_rules! statements {
    ($($statement:ident [$($state:ident)?] $mode:ident;)*) => {$(
        impl<T: Table, L: ScopeLevel> $statement<T, L> {
            /// Builds the statement's text and values.
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
