//! A refusal as a response body.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::code::Code;

/// A refusal as a response body in the form of RFC 9457, to be sent as `application/problem+json`.
///
/// Every error of this crate converts into one. A host makes its own with [`Problem::new`].
///
/// ```
/// use bailiwick::{Code, Problem};
///
/// let problem = Problem::new(Code::NotFound, "There is no article 7.");
/// assert_eq!(problem.status(), 404);
/// assert_eq!(problem.remedy(), "Check the address and the identifier.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    remedy: Cow<'static, str>,
    violated_policies: Vec<String>,
    headers: Vec<(&'static str, String)>,
}

/// The members of the body, in their order.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    remedy: &'a str,
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    violated_policies: &'a [String],
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = Body {
            kind: self.code.problem_type(),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.as_str(),
            remedy: &self.remedy,
            violated_policies: &self.violated_policies,
        };

        body.serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// The media type of the body (RFC 9457 section 3).
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// Creates a problem of this code. The detail is for a person: it says what happened this time.
    /// The remedy is the code's until [`with_remedy`](Self::with_remedy) replaces it.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            remedy: Cow::Borrowed(code.remedy()),
            violated_policies: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Creates the problem for a fault on the host's side, such as a lost database or a bug. A
    /// client learns that it happened, and nothing else: the cause belongs in the log.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "Something went wrong on our side. The cause was logged.",
        )
    }

    /// Replaces the remedy of the code by a more specific one.
    ///
    /// ```
    /// use bailiwick::{Code, Problem};
    ///
    /// let problem = Problem::new(Code::QuotaMissing, "Exports are not in the plan.")
    ///     .with_remedy("Choose the plan Team on the billing page.");
    /// assert!(problem.remedy().contains("Team"));
    /// ```
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Adds a response header, such as `Retry-After`.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names a quota policy that was violated (draft-ietf-httpapi-ratelimit-headers-10,
    /// `violated-policies`).
    pub fn with_violated_policy(mut self, name: impl Into<String>) -> Self {
        self.violated_policies.push(name.into());
        self
    }

    /// Returns the HTTP status, which the body repeats.
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// Returns the stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the sentence that says what happened this time, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the next step, for a person.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// Returns the headers that go with the response, beside its content type.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }
}
