//! The parameters of a prepared statement.

use super::dialect::Dialect;
use super::error::BuildError;
use super::operand::Parameter;
use super::value::{ParameterValue, ValueKind, ValueRef};

mod sealed {
    pub trait Parameters {}
}

/// The types of a prepared statement's parameters: a tuple of up to eight [`ParameterValue`]s, of
/// one as `(String,)`.
///
/// Sealed: there are no others.
pub trait Parameters: sealed::Parameters + 'static {
    /// A [`Parameter`] for each of them, which the statement's closure is given.
    type Placeholders;
    /// A borrowed value for each of them, which binding the statement takes.
    type Arguments<'a>: Copy;
    #[doc(hidden)]
    type Lent<'a>: AsRef<[ValueRef<'a>]> + Copy;

    #[doc(hidden)]
    const KINDS: &'static [ValueKind];

    #[doc(hidden)]
    fn placeholders() -> Self::Placeholders;

    #[doc(hidden)]
    fn lend(arguments: Self::Arguments<'_>, dialect: Dialect)
    -> Result<Self::Lent<'_>, BuildError>;
}

/// Implements [`Parameters`] for tuples. A line has the length, and for each type a name and its
/// position in the tuple: `2: A 0, B 1;` stands for `(A, B)`.
macro_rules! parameters {
    ($($count:literal: $($type:ident $number:tt),*;)*) => {$(
        impl<$($type: ParameterValue),*> sealed::Parameters for ($($type,)*) {}
        impl<$($type: ParameterValue),*> Parameters for ($($type,)*) {
            type Placeholders = ($(Parameter<$type>,)*);
            type Arguments<'a> = ($($type::Borrowed<'a>,)*);
            type Lent<'a> = [ValueRef<'a>; $count];
            const KINDS: &'static [ValueKind] = &[$($type::KIND),*];

            #[allow(clippy::unused_unit, reason = "the tuple may be empty")]
            fn placeholders() -> Self::Placeholders {
                ($(Parameter::<$type>::new($number),)*)
            }

            #[inline]
            fn lend(_arguments: Self::Arguments<'_>, _dialect: Dialect) -> Result<Self::Lent<'_>, BuildError> {
                Ok([$($type::lend(_arguments.$number, _dialect)?),*])
            }
        }
    )*};
}

parameters! {
    0: ;
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
    7: A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
