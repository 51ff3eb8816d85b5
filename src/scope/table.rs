//! Tables: what a declaration says, and what is wrong with it. Every identifier in a statement
//! comes from here.

use super::level::{Level, Within};
use super::value::{ColumnValue, KeyValue, ValueKind};
use crate::id::IdKind;

/// A table of the host's database, declared with [`table!`](crate::table).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    note = "declare it with `bailiwick::table!`"
)]
pub trait Table: 'static {
    /// To whom its rows belong.
    type Level: Level;
    /// How an insert begins: [`NoKey`](crate::scope::state::NoKey) if the key is supplied, else
    /// [`Ready`](crate::scope::state::Ready).
    type Insertion;

    #[doc(hidden)]
    const SCHEMA: &'static Schema;
}

/// What a table's declaration says. A table that was not declared soundly does not compile.
pub(super) const fn schema_of<T: Table>() -> &'static Schema {
    const { assert!(T::SCHEMA.fault::<T::Level>().is_none()) };
    T::SCHEMA
}

/// A table whose rows have a key of their own, generated or supplied.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table with a key of its own",
    note = "a table whose `key` is `tenant` has one row for each tenant, and its scope is the key"
)]
pub trait Keyed: Table {
    /// What its key holds.
    type Key: KeyValue;
}

/// A table whose key alone tells its rows apart in a scope of level `L`: a generated key does
/// everywhere, a supplied one at the table's own level, since another site may have supplied the
/// same.
#[diagnostic::on_unimplemented(
    message = "the key of `{Self}` does not tell its rows apart in a scope of level `{L}`",
    note = "a supplied key is unique within the table's own level only: open one scope of it"
)]
pub trait KeyedIn<L>: Keyed {}

/// A table whose key is the tenant: it has one row for each, as accounts and wallets do.
pub trait TenantKeyed: Table {}

/// That `T` can refer to `P`; else it does not compile.
#[doc(hidden)]
pub const fn assert_reference<T: Table, P: Keyed>()
where
    T::Level: Within<P::Level>,
{
    assert!(
        T::SCHEMA.can_refer_to(P::SCHEMA),
        "the tenant columns of a table and of the one it refers to are of the same kinds"
    );
}

/// A column that holds an identifier: a tenant column or a key.
#[doc(hidden)]
#[derive(Debug)]
pub struct IdColumn {
    pub(super) name: &'static str,
    pub(super) kind: IdKind,
}

impl IdColumn {
    pub const fn new(name: &'static str, kind: IdKind) -> Self {
        Self { name, kind }
    }
}

/// What tells a table's rows apart.
#[doc(hidden)]
#[derive(Debug)]
pub enum KeyColumn {
    /// A column of its own, which the database generates or the insert supplies.
    Own { column: IdColumn, generated: bool },
    /// The tenant columns: one row for each tenant.
    Tenant,
}

impl KeyColumn {
    pub const fn generated<K: KeyValue>(name: &'static str) -> Self {
        Self::Own {
            column: IdColumn::new(name, K::ID_KIND),
            generated: true,
        }
    }

    pub const fn supplied<K: KeyValue>(name: &'static str) -> Self {
        Self::Own {
            column: IdColumn::new(name, K::ID_KIND),
            generated: false,
        }
    }
}

/// A column that holds data, or the key of another row.
#[doc(hidden)]
#[derive(Debug)]
pub struct DataColumn {
    pub(super) name: &'static str,
    pub(super) kind: ValueKind,
    pub(super) nullable: bool,
}

impl DataColumn {
    pub const fn new<V: ColumnValue>(name: &'static str) -> Self {
        Self {
            name,
            kind: V::KIND,
            nullable: V::NULLABLE,
        }
    }
}

/// A column that holds the key of a row of another table, or of the same one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reference {
    pub(super) column: &'static str,
    /// A function, since tables may refer to each other in a ring.
    pub(super) target: fn() -> &'static Schema,
}

impl Reference {
    pub const fn new<P: Table>(column: &'static str) -> Self {
        Self {
            column,
            target: || P::SCHEMA,
        }
    }
}

/// What a table's declaration says.
#[doc(hidden)]
#[derive(Debug)]
pub struct Schema {
    pub(super) name: &'static str,
    /// The tenant columns, outermost first.
    pub(super) tenant: &'static [IdColumn],
    /// The table one level up whose key the last tenant column refers to.
    pub(super) parent: Option<&'static Schema>,
    pub(super) key: KeyColumn,
    pub(super) columns: &'static [DataColumn],
    pub(super) references: &'static [Reference],
    pub(super) uniques: &'static [&'static [&'static str]],
}

impl Schema {
    pub const fn new(
        name: &'static str,
        tenant: &'static [IdColumn],
        parent: Option<&'static Schema>,
        key: KeyColumn,
        columns: &'static [DataColumn],
        references: &'static [Reference],
        uniques: &'static [&'static [&'static str]],
    ) -> Self {
        Self {
            name,
            tenant,
            parent,
            key,
            columns,
            references,
            uniques,
        }
    }

    /// The schema of a table that tables of the next level name as their parent.
    pub const fn parent<P: Keyed<Level = L>, L: Level>() -> Option<&'static Self> {
        Some(P::SCHEMA)
    }

    /// What is wrong with the declaration of a table of level `L`. It is asked at compile time, of
    /// every table that a statement names.
    pub const fn fault<L: Level>(&self) -> Option<&'static str> {
        if self.tenant.len() != L::DEPTH || self.parent.is_some() != (L::DEPTH > 1) {
            return Some("the tenant columns do not fit the table's level");
        }
        if L::DEPTH == 0 && matches!(self.key, KeyColumn::Tenant) {
            return Some("a global table has no tenant to be its key");
        }
        if self.references.len() >= MAX_REFERENCES {
            return Some("a table has no more than 254 references");
        }
        if !is_plain(self.name) || !self.names_are_sound() {
            return Some(
                "the names of a table and its columns have 1 to 63 characters a-z, A-Z, 0-9 and _, begin with no digit, \
                 and no two columns, tenant columns and key included, have the same name but for case",
            );
        }
        None
    }

    /// Whether tables of this schema can refer to the target: then their common tenant columns are
    /// compared.
    pub(super) const fn can_refer_to(&self, target: &Self) -> bool {
        let (mut own, mut theirs) = (self.tenant, target.tenant);
        while let ([column, own_rest @ ..], [other, their_rest @ ..]) = (own, theirs) {
            if !ValueKind::of_id(column.kind).is(ValueKind::of_id(other.kind)) {
                return false;
            }
            (own, theirs) = (own_rest, their_rest);
        }
        theirs.is_empty()
    }

    const fn names_are_sound(&self) -> bool {
        let mut tenant = self.tenant;
        while let [column, rest @ ..] = tenant {
            if !self.is_sound(column.name) {
                return false;
            }
            tenant = rest;
        }
        let mut columns = self.columns;
        while let [column, rest @ ..] = columns {
            if !self.is_sound(column.name) {
                return false;
            }
            columns = rest;
        }
        self.is_sound(self.key_name())
    }

    /// A second column of the name of a tenant column would be a way to set it; databases that
    /// ignore case would take `Account_ID` for `account_id`.
    const fn is_sound(&self, name: &str) -> bool {
        let mut columns: u32 = 0;
        if let KeyColumn::Own { column, .. } = &self.key
            && is_same(name, column.name)
        {
            columns = columns.saturating_add(1);
        }
        let mut tenant = self.tenant;
        while let [column, rest @ ..] = tenant {
            if is_same(name, column.name) {
                columns = columns.saturating_add(1);
            }
            tenant = rest;
        }
        let mut others = self.columns;
        while let [column, rest @ ..] = others {
            if is_same(name, column.name) {
                columns = columns.saturating_add(1);
            }
            others = rest;
        }
        columns == 1 && is_plain(name)
    }

    /// The column that tells rows apart: its own key, or the innermost tenant column.
    pub(super) const fn key_name(&self) -> &'static str {
        match &self.key {
            KeyColumn::Own { column, .. } => column.name,
            KeyColumn::Tenant => match self.tenant {
                [.., column] => column.name,
                [] => "",
            },
        }
    }

    /// The column of that name and type that is neither a tenant column nor the key.
    pub(super) const fn column(
        &self,
        name: &str,
        kind: ValueKind,
        nullable: bool,
    ) -> Option<&'static str> {
        let mut columns = self.columns;
        while let [column, rest @ ..] = columns {
            if is_exactly(name, column.name) && column.kind.is(kind) && column.nullable == nullable
            {
                return Some(column.name);
            }
            columns = rest;
        }
        None
    }

    /// The number of a reference in its table, from 1; 0 if it is none.
    pub(super) const fn reference_number(&self, name: &str) -> u8 {
        let (mut references, mut number) = (self.references, 1_u8);
        while let [reference, rest @ ..] = references {
            if is_exactly(name, reference.column) {
                return number;
            }
            (references, number) = (rest, number.saturating_add(1));
        }
        0
    }

    pub(super) fn reference_at(&self, number: u8) -> Option<&'static Reference> {
        self.references.get(usize::from(number.checked_sub(1)?))
    }

    pub(super) fn reference(&self, name: &str) -> Option<&'static Reference> {
        self.reference_at(self.reference_number(name))
    }

    /// All its columns, in the order of their declaration.
    pub(super) fn all_columns(&self) -> impl Iterator<Item = &'static str> {
        let tenant = self.tenant.iter().map(|column| column.name);
        let key = match &self.key {
            KeyColumn::Own { column, .. } => Some(column.name),
            KeyColumn::Tenant => None,
        };
        tenant
            .chain(key)
            .chain(self.columns.iter().map(|column| column.name))
    }
}

const fn is_exactly(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let ([one, left_tail @ ..], [other, right_tail @ ..]) = (left, right) {
        if *one != *other {
            return false;
        }
        (left, right) = (left_tail, right_tail);
    }
    left.is_empty() && right.is_empty()
}

/// The same name but for case.
const fn is_same(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let ([one, left_tail @ ..], [other, right_tail @ ..]) = (left, right) {
        if !one.eq_ignore_ascii_case(other) {
            return false;
        }
        (left, right) = (left_tail, right_tail);
    }
    left.is_empty() && right.is_empty()
}

/// Their numbers fit a byte, and 255 would be all the rest.
const MAX_REFERENCES: usize = 255;

/// PostgreSQL cuts longer names, so two of them could mean the same column.
const MAX_NAME: usize = 63;

const fn is_plain(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if rest.len() > MAX_NAME || !matches!(rest, [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..]) {
        return false;
    }
    while let [character, tail @ ..] = rest {
        if !matches!(character, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') {
            return false;
        }
        rest = tail;
    }
    true
}
