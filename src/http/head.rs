//! The head of a request, whichever framework received it.

use crate::credit::{IdempotencyKey, IdempotencyKeyError};
use crate::gate::CredentialFailure;
use crate::problem::{Code, Problem};

/// The head of a request: its method, path and headers, whichever framework received it. All of it
/// is the client's word.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Headers<'a>,
}

/// The headers as the framework has them. The two frameworks have different types for them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Headers<'a> {
    #[cfg(feature = "axum")]
    Axum(&'a ::axum::http::HeaderMap),
    #[cfg(feature = "actix")]
    Actix(&'a ::actix_web::http::header::HeaderMap),
}

impl<'a> RequestHead<'a> {
    /// Returns the method, such as `GET`.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// Returns the whole path, percent-encoded as it was sent, without the query.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Returns all values of a header, whatever bytes they hold. The name's case does not matter.
    pub fn headers(&self, name: &str) -> Vec<&'a [u8]> {
        match self.headers {
            #[cfg(feature = "axum")]
            Headers::Axum(headers) => headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes())
                .collect(),

            #[cfg(feature = "actix")]
            Headers::Actix(headers) => headers
                .get_all(name)
                .map(|value| value.as_bytes())
                .collect(),
        }
    }

    /// Returns the one value of a header that carries a credential; `None` if there is no such
    /// header.
    ///
    /// # Errors
    /// [`CredentialFailure::Malformed`] if the header was sent twice, since a server must not guess
    /// which of two credentials counts, or if it holds anything but visible ASCII, spaces and tabs.
    pub fn header(&self, name: &str) -> Result<Option<&'a str>, CredentialFailure> {
        match self.headers(name).as_slice() {
            [] => Ok(None),
            [value] if value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) => {
                std::str::from_utf8(value)
                    .map(Some)
                    .map_err(|_| CredentialFailure::Malformed)
            }
            _ => Err(CredentialFailure::Malformed),
        }
    }

    /// Returns the token of `Authorization: Bearer <token>`; `None` if there is no `Authorization`
    /// header. The scheme's case does not matter (RFC 9110 section 11.1).
    ///
    /// # Errors
    /// [`CredentialFailure::Malformed`] if the header was sent twice, names another scheme, or has
    /// no token.
    pub fn bearer(&self) -> Result<Option<&'a str>, CredentialFailure> {
        let Some(value) = self.header("authorization")? else {
            return Ok(None);
        };

        let (scheme, token) = value.split_once(' ').ok_or(CredentialFailure::Malformed)?;
        let token = token.trim_matches(' ');
        // A token has no spaces: a second word would be a credential that nobody checked.
        let is_token = scheme.eq_ignore_ascii_case("bearer")
            && !token.is_empty()
            && !token.contains([' ', '\t']);

        if is_token {
            Ok(Some(token))
        } else {
            Err(CredentialFailure::Malformed)
        }
    }

    /// Returns the request's one `Idempotency-Key` header, or the problem
    /// `idempotency_key_invalid`. The draft has it as a quoted string; many clients leave out the
    /// quotes, and both are the same key.
    pub(crate) fn idempotency_key(&self) -> Result<IdempotencyKey, Problem> {
        match self.header("idempotency-key") {
            Ok(Some(key)) => Ok(unquoted(key).ok_or(IdempotencyKeyError)?.parse()?),
            _ => Err(Problem::new(
                Code::KeyInvalid,
                "This needs exactly one Idempotency-Key header.",
            )),
        }
    }
}

/// Returns the text of a structured field's string (RFC 9651, 3.3.3), or a text without quotes as
/// it is; `None` for quotes that do not match.
fn unquoted(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };

    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => text.push(
                characters
                    .next()
                    .filter(|next| matches!(next, '"' | '\\'))?,
            ),
            other => text.push(other),
        }
    }

    Some(text)
}
