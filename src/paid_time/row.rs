//! The row of paid time: the facts of one subscription, a set that only grows.

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::fact::Fact;
use super::schedule::Schedule;
use crate::change::{RowChange, RowError};
use crate::id::{AccountId, SubscriptionId};
use crate::problem::{Code, Explained};

/// The most facts of one subscription. Each reading looks at all of them.
pub(super) const MAX_FACTS: usize = 4096;

/// The facts of a subscription's paid time: a row that the host stores.
///
/// The order in which facts are recorded, and how often, makes no difference. A row that nobody has
/// written yet is [`PaidTime::new`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaidTime {
    account: AccountId,
    subscription: SubscriptionId,
    version: u64,
    /// Sorted by key.
    facts: Vec<Fact>,
}

/// The error of a fact that cannot be recorded. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The key names another fact already.
    #[error("the fact {key:?} was recorded before with other contents")]
    Conflict {
        /// The key.
        key: String,
    },
    /// The time that a fact tells is empty or runs backwards.
    #[error(
        "the fact {key:?} tells no time: a period must end after it starts, and the time must lie within it"
    )]
    TimeInvalid {
        /// The key.
        key: String,
    },
    /// The subscription has as many facts as it can hold.
    #[error(
        "the subscription has {MAX_FACTS} facts of paid time, which is the most that it can hold"
    )]
    TooManyFacts,
    /// The row cannot take part.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Explained for RecordError {
    fn code(&self) -> Code {
        match self {
            Self::Conflict { .. } => Code::PaymentConflict,
            Self::TimeInvalid { .. } | Self::TooManyFacts => Code::PaidTimeInvalid,
            Self::Row(error) => error.code(),
        }
    }
}

impl PaidTime {
    /// Creates the row of an account's subscription for which nothing was paid yet, in version 0:
    /// it is not stored.
    pub fn new(account: AccountId, subscription: SubscriptionId) -> Self {
        Self {
            account,
            subscription,
            version: 0,
            facts: Vec::new(),
        }
    }

    /// Returns the account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the subscription.
    pub fn subscription(&self) -> &SubscriptionId {
        &self.subscription
    }

    /// Returns the row's version; 0 if it is not stored yet.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the facts, sorted by key.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Records facts, all of them or none. Returns `None` if all of them are known: there is
    /// nothing to write.
    ///
    /// # Errors
    /// For the first fact that is refused: [`RecordError::TimeInvalid`], [`RecordError::Conflict`],
    /// [`RecordError::TooManyFacts`]; at last [`RecordError::Row`].
    pub fn record(
        mut self,
        facts: impl IntoIterator<Item = Fact>,
    ) -> Result<Option<RowChange<Self>>, RecordError> {
        let known = self.facts.len();
        for fact in facts {
            self.insert(fact)?;
        }
        if self.facts.len() == known {
            return Ok(None);
        }

        let change = RowChange::next(self.version, "paid time", |version| Self {
            version,
            ..self
        })?;
        Ok(Some(change))
    }

    fn insert(&mut self, fact: Fact) -> Result<(), RecordError> {
        let key = || fact.key().as_ref().to_owned();
        if !fact.is_sound() {
            return Err(RecordError::TimeInvalid { key: key() });
        }

        match self
            .facts
            .binary_search_by(|known| known.key().cmp(fact.key()))
        {
            Ok(place) if self.facts.get(place) == Some(&fact) => Ok(()),
            Ok(_) => Err(RecordError::Conflict { key: key() }),
            Err(_) if self.facts.len() >= MAX_FACTS => Err(RecordError::TooManyFacts),
            Err(place) => {
                self.facts.insert(place, fact);
                Ok(())
            }
        }
    }

    /// Returns what was paid: the pieces of time that the facts leave, each with its windows.
    pub fn schedule(&self) -> Schedule {
        Schedule::of(self.account.clone(), self.subscription.clone(), &self.facts)
    }

    /// Returns the end of the time that was paid, or of service where that ended before; `None` if
    /// nothing was paid.
    pub fn paid_until(&self) -> Option<DateTime<Utc>> {
        self.schedule().paid_until()
    }
}

/// Reads a stored row, and refuses one whose facts are unsound or have one key twice.
impl<'de> Deserialize<'de> for PaidTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Stored {
            account: AccountId,
            subscription: SubscriptionId,
            version: u64,
            facts: Vec<Fact>,
        }

        let Stored {
            account,
            subscription,
            version,
            facts,
        } = Stored::deserialize(deserializer)?;
        let count = facts.len();

        let mut row = Self {
            version,
            ..Self::new(account, subscription)
        };
        for fact in facts {
            row.insert(fact).map_err(D::Error::custom)?;
        }
        if row.facts.len() != count {
            return Err(D::Error::custom("two facts of paid time have one key"));
        }

        Ok(row)
    }
}
