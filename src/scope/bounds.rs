//! Bounds: the identifiers that a statement's rows are held to, or those that it will be bound to.

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
    /// This number of levels, whose identifiers are known when the statement is bound.
    Later(usize),
}

/// The knowledge of a scope's identifiers at a level.
pub(super) enum Known {
    /// One identifier.
    One,
    /// A list of identifiers, which may be empty.
    Several,
    /// One identifier, but not yet which.
    Later,
    /// Nothing: the scope reaches everything at this level.
    Absent,
}

impl Bounds {
    /// One identifier at each level.
    pub(super) fn one<const LEVELS: usize>(ids: [&Identifier; LEVELS]) -> Self {
        const {
            assert!(
                LEVELS > 0,
                "a scope without an account would reach everything"
            )
        };

        Self::One(ids.map(ScopeId::from).into())
    }

    /// Some sites of an account.
    pub(super) fn sites<'a>(
        account: &'a Identifier,
        sites: impl Iterator<Item = &'a Identifier>,
    ) -> Self {
        let ids = [account].into_iter().chain(sites);
        Self::Sites(ids.map(ScopeId::from).collect())
    }

    /// The bounds one level further down, by the identifier there.
    pub(super) fn below(&self, id: &Identifier) -> Self {
        let Self::One(outer) = self else {
            debug_assert!(false, "only a scope of one site has sectors");
            // Without an account in it this is nobody's scope, and no statement is built from it.
            return Self::Sites([].into());
        };

        let outer = outer.iter().map(|outer| &outer.id);
        Self::One(outer.chain([id]).map(ScopeId::from).collect())
    }

    /// Says what is known at a level; the account's is 0.
    pub(super) fn at(&self, level: usize) -> Known {
        match self {
            Self::One(ids) if level < ids.len() => Known::One,
            Self::Sites(_) if level == 0 => Known::One,
            Self::Sites(_) if level == 1 => Known::Several,
            Self::Later(levels) if level < *levels => Known::Later,
            _ => Known::Absent,
        }
    }

    /// The one identifier at a level. Of several sites it is asked for the account only.
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

/// An identifier of a scope, and its text, for the tables that hold it as a text.
pub(super) struct ScopeId {
    id: Identifier,
    /// Made when a statement first needs it, and then shared by all statements of the scope.
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
    /// The identifier as a column of this kind holds it; `None` if such a column cannot. A text
    /// column holds every identifier, since each has one text and no two have the same; the other
    /// columns hold only identifiers of their own kind.
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

/// A text that is nobody's identifier, since none has a brace.
const NOBODY: &str = "{}";

/// The text of an integer or a UUID, without an allocation.
struct IdText {
    /// A hyphenated UUID has 36 bytes, an integer at most 20.
    bytes: [u8; 36],
    length: usize,
}

impl IdText {
    fn of(id: &Identifier) -> Self {
        let mut text = Self {
            bytes: [0; 36],
            length: 0,
        };

        let written = fmt::write(&mut text, format_args!("{id}"));
        // A text that is cut short would be another identifier's, perhaps another tenant's.
        debug_assert!(
            written.is_ok(),
            "there is room for an integer and for a UUID"
        );
        if written.is_err() {
            text.length = usize::MAX;
        }
        text
    }

    /// The text, or nobody's if it had no room.
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

/// A table and the bounds of its rows. The tenant predicate is made of these two and nothing else.
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
