//! The trait of every error of this crate, and its way into a problem.

use super::body::Problem;
use super::code::Code;

/// The loudness of a refusal in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a closed domain")]
pub enum Severity {
    /// Expected in daily business: no credential, a quota that is used up.
    Info,
    /// Worth a look when it repeats: a rejected credential, a missing privilege.
    Warning,
    /// A fault in the service's own data or code.
    Error,
}

/// An error with a stable [`Code`], which therefore converts into a [`Problem`].
///
/// Every error of this crate is one. A host may implement it for errors of its own:
///
/// ```
/// use std::fmt;
///
/// use bailiwick::{Code, Problem, problem};
///
/// #[derive(Debug)]
/// struct NoSuchArticle(i64);
///
/// impl fmt::Display for NoSuchArticle {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "there is no article {}", self.0)
///     }
/// }
///
/// impl std::error::Error for NoSuchArticle {}
///
/// impl problem::Explained for NoSuchArticle {
///     fn code(&self) -> Code {
///         Code::NotFound
///     }
/// }
///
/// assert_eq!(Problem::from(NoSuchArticle(7)).detail(), "There is no article 7.");
/// ```
pub trait Explained: std::error::Error {
    /// Returns the stable code of this error.
    fn code(&self) -> Code;

    /// Adds to the problem what only this error knows, such as the time to wait or a remedy of its
    /// own. By default it adds nothing.
    fn decorate(&self, problem: Problem) -> Problem {
        problem
    }
}

/// The error's message becomes the detail. For a fault on the host's side (status 500), the client
/// is told the code's title and nothing else.
impl<E: Explained> From<E> for Problem {
    fn from(error: E) -> Self {
        let code = error.code();

        // The message of such a fault may name rows or columns, which are not for a client.
        let detail = if code.status() == 500 {
            code.title().to_owned()
        } else {
            error.to_string()
        };

        error.decorate(Self::new(code, sentence(&detail)))
    }
}

/// Turns an error's message, which by Rust's custom has neither capital nor full stop, into a
/// sentence.
fn sentence(message: &str) -> String {
    let mut rest = message.chars();
    let first = rest
        .next()
        .map(|first| first.to_uppercase())
        .into_iter()
        .flatten();
    let stop = if message.ends_with('.') { "" } else { "." };

    first.chain(rest).chain(stop.chars()).collect()
}
