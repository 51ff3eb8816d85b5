//! The faults of a policy.

use std::fmt;

use thiserror::Error;

use crate::problem::{Code, Explained};

/// Everything that is wrong with a policy, each fault with the field that it is about.
///
/// [`Policy::load`](super::Policy::load) returns it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct PolicyError(pub(super) Vec<(String, &'static str)>);

impl PolicyError {
    /// Returns each fault as the field's path, such as `credit.overage`, and a description.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, fault)| (field.as_str(), *fault))
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy has faults")?;
        self.faults()
            .try_for_each(|(field, fault)| write!(f, "; {field}: {fault}"))
    }
}

impl Explained for PolicyError {
    fn code(&self) -> Code {
        Code::InputInvalid
    }
}
