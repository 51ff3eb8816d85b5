//! What bounds the rows of a statement: the identifiers of its scope, or those that it will be
//! bound to.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::table::{Schema, Table, schema_of};
use super::value::ValueRef;
use crate::id::{IdKind, Identifier};

/// The identifiers that bound a scope, outermost first: the account, then the site, then the
/// sector.
#[derive(Clone)]
pub(super) enum Bounds {
    /// One at each level.
    One(Arc<[ScopeId]>),
    /// The account, and then any number of its sites.
    Sites(Arc<[ScopeId]>),
    /// So many levels, to be known when the statement is bound.
    Later(usize),
}

/// What is known of the scope's identifier at a level.
pub(super) enum Known {
    One,
    Several,
    Later,
    /// The scope leaves the level open: it has all of it.
    Absent,
}

impl Bounds {
    /// One identifier at each level.
    pub(super) fn one<const LEVELS: usize>(ids: [&Identifier; LEVELS]) -> Self {
        Self::One(ids.map(ScopeId::from).into())
    }

    /// Some sites of an account.
    pub(super) fn sites<'a>(
        account: &'a Identifier,
        sites: impl Iterator<Item = &'a Identifier>,
    ) -> Self {
        Self::Sites(
            [account]
                .into_iter()
                .chain(sites)
                .map(ScopeId::from)
                .collect(),
        )
    }

    /// One level further down.
    pub(super) fn below(&self, id: &Identifier) -> Self {
        match self {
            Self::One(ids) => Self::One(
                ids.iter()
                    .map(|outer| &outer.id)
                    .chain([id])
                    .map(ScopeId::from)
                    .collect(),
            ),
            // There is none: a scope that knows no account builds no statement.
            _ => Self::Sites([].into()),
        }
    }

    pub(super) fn at(&self, level: usize) -> Known {
        match self {
            Self::One(ids) if level < ids.len() => Known::One,
            Self::Sites(_) if level == 0 => Known::One,
            Self::Sites(_) if level == 1 => Known::Several,
            Self::Later(levels) if level < *levels => Known::Later,
            _ => Known::Absent,
        }
    }

    pub(super) fn id(&self, level: usize) -> Option<&ScopeId> {
        match self {
            Self::One(ids) | Self::Sites(ids) => ids.get(level),
            Self::Later(_) => None,
        }
    }

    /// The sites of a scope over several.
    pub(super) fn several(&self) -> &[ScopeId] {
        match self {
            Self::Sites(ids) => ids.get(1..).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl fmt::Debug for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(ids) | Self::Sites(ids) => f
                .debug_list()
                .entries(ids.iter().map(ScopeId::text))
                .finish(),
            Self::Later(_) => f.write_str("[to be bound]"),
        }
    }
}

/// An identifier of a scope, and its text, for those tables that hold it as one.
pub(super) struct ScopeId {
    id: Identifier,
    text: OnceLock<IdText>,
}

impl From<&Identifier> for ScopeId {
    fn from(id: &Identifier) -> Self {
        Self {
            id: id.clone(),
            text: OnceLock::new(),
        }
    }
}

impl ScopeId {
    /// As a column of that kind holds it. A text and an identifier are a bijection, so every
    /// identifier has one text; the other kinds hold their own identifiers alone.
    #[inline]
    pub(super) fn lend(&self, kind: IdKind) -> Option<ValueRef<'_>> {
        match (kind, &self.id) {
            (IdKind::Int, Identifier::Integer(integer)) => Some(ValueRef::Integer(*integer)),
            #[cfg(feature = "uuid")]
            (IdKind::Uuid, Identifier::Uuid(bytes)) => {
                Some(ValueRef::Uuid(uuid::Uuid::from_bytes(*bytes)))
            }
            (IdKind::Text, _) => Some(ValueRef::Text(self.text())),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> &str {
        match &self.id {
            Identifier::Text(text) => text,
            id => self.text.get_or_init(|| IdText::of(id)).as_str(),
        }
    }
}

/// No identifier has a brace.
const NOBODY: &str = "{}";

/// The text of an integer or a UUID, without an allocation.
struct IdText {
    /// A hyphenated UUID has 36; an integer has 20 at the most.
    bytes: [u8; 36],
    length: usize,
}

impl IdText {
    fn of(id: &Identifier) -> Self {
        let mut text = Self {
            bytes: [0; 36],
            length: 0,
        };
        // It has room for both; were it not so, a text that is cut short is nobody's.
        let _ = fmt::write(&mut text, format_args!("{id}"));
        text
    }

    fn as_str(&self) -> &str {
        self.bytes
            .get(..self.length)
            .and_then(|bytes| str::from_utf8(bytes).ok())
            .unwrap_or(NOBODY)
    }
}

impl fmt::Write for IdText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length.saturating_add(part.len());
        self.bytes
            .get_mut(self.length..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A table, and what bounds its rows. The tenant predicate is made of these two alone.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) schema: &'static Schema,
    pub(super) bounds: Bounds,
}

impl Target {
    pub(super) fn of<T: Table>(bounds: &Bounds) -> Self {
        Self {
            schema: schema_of::<T>(),
            bounds: bounds.clone(),
        }
    }
}
