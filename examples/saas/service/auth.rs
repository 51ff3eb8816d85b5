//! Authentication, which is the service's own: it turns a bearer token into evidence for the gate,
//! and decides nothing itself.

use bailiwick::Evidence;
use bailiwick::gate::CredentialFailure;
use bailiwick::http::RequestHead;
use bailiwick::id::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::Store;

/// The first letters of an API key, which looks like `bw_<identifier>_<secret>`.
const KEY_PREFIX: &str = "bw_";

/// The signer of session tokens. Its secret lives as long as the process.
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
    /// Makes a secret at random.
    pub fn new() -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Ok(Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
        })
    }

    /// Issues a session token, as an identity provider would after a log-in.
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
        let token = jsonwebtoken::encode(&Header::default(), &claims, &self.encoding)?;
        Ok(token)
    }

    /// Finds out what a request presented. Only a request without any `Authorization` header
    /// presented nothing; a credential that cannot be accepted has failed.
    pub async fn evidence(
        &self,
        head: &RequestHead<'_>,
        store: &Store,
    ) -> Result<Evidence, sqlx::Error> {
        let token = match head.bearer() {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(Evidence::Nothing),
            Err(failure) => return Ok(Evidence::Failed(failure)),
        };

        let key = token.strip_prefix(KEY_PREFIX);
        match key.and_then(|key| key.split_once('_')) {
            Some((id, secret)) => store.evidence_of_key(id, secret).await,
            None => match self.user(token) {
                Ok(user) => store.evidence_of_user(user).await,
                Err(failure) => Ok(Evidence::Failed(failure)),
            },
        }
    }

    /// Reads the user out of a session token, if its signature and its times are good.
    fn user(&self, token: &str) -> Result<UserId, CredentialFailure> {
        let validation = Validation {
            leeway: 0,
            ..Validation::default()
        };
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation);
        let claims = token.map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => CredentialFailure::Expired,
            ErrorKind::ImmatureSignature => CredentialFailure::NotYetValid,
            ErrorKind::InvalidSignature => CredentialFailure::BadSignature,
            _ => CredentialFailure::Malformed,
        })?;

        let user = claims.claims.sub.parse();
        user.map_err(|_| CredentialFailure::Malformed)
    }
}
