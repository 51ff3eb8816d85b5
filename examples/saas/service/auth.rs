//! Authentication, which is the service's own: a bearer token becomes evidence for the gate, never
//! less, never more.

use axum::http::{HeaderMap, header};
use bailiwick::Evidence;
use bailiwick::gate::CredentialFailure;
use bailiwick::id::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::Store;

/// API keys look like `bw_<identifier>_<secret>`.
const KEY_PREFIX: &str = "bw_";

/// Signs and checks session tokens, by a secret that lives as long as the process.
pub struct Auth {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
}

impl Auth {
    pub fn new() -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Ok(Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
        })
    }

    /// A session token, as an identity provider would issue it after a log-in.
    pub fn issue(
        &self,
        user: &UserId,
        now: DateTime<Utc>,
        life: TimeDelta,
    ) -> anyhow::Result<String> {
        let claims = Claims {
            sub: user.to_string(),
            exp: (now + life).timestamp(),
        };
        Ok(jsonwebtoken::encode(
            &Header::default(),
            &claims,
            &self.encoding,
        )?)
    }

    /// What a request presented. Only a request without any `Authorization` header presents
    /// nothing.
    pub async fn evidence(
        &self,
        headers: &HeaderMap,
        store: &Store,
    ) -> Result<Evidence, sqlx::Error> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let bearer = match (values.next(), values.next()) {
            (None, _) => return Ok(Evidence::Nothing),
            (Some(value), None) => value.to_str().ok().and_then(bearer),
            (Some(_), Some(_)) => None,
        };
        let Some(token) = bearer else {
            return Ok(Evidence::Failed(CredentialFailure::Malformed));
        };
        let principal = match token
            .strip_prefix(KEY_PREFIX)
            .and_then(|key| key.split_once('_'))
        {
            Some((id, secret)) => store.principal_of_key(id, secret).await?,
            None => match self.user(token) {
                Ok(user) => store.principal_of_user(&user).await?,
                Err(failure) => Err(failure),
            },
        };
        Ok(principal.map_or_else(Evidence::Failed, Evidence::Verified))
    }

    fn user(&self, token: &str) -> Result<UserId, CredentialFailure> {
        let validation = Validation {
            leeway: 0,
            ..Validation::default()
        };
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).map_err(
            |error| match error.kind() {
                ErrorKind::ExpiredSignature => CredentialFailure::Expired,
                ErrorKind::ImmatureSignature => CredentialFailure::NotYetValid,
                ErrorKind::InvalidSignature => CredentialFailure::BadSignature,
                _ => CredentialFailure::Malformed,
            },
        )?;
        token
            .claims
            .sub
            .parse()
            .map_err(|_| CredentialFailure::Malformed)
    }
}

/// The token of `Bearer <token>`; the scheme's name is not case-sensitive (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_matches(' '))
        .filter(|token| !token.is_empty())
}
