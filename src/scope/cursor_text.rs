//! The text of a cursor. In hexadecimal digits, for each column: its number in 2 bytes, the length
//! of its value in 4, and the value. The length of a null is `u32::MAX`.

use std::fmt::{self, Display as _};

use chrono::{DateTime, Utc};
use sea_query::Value;

use super::table::Schema;
use super::value::{ValueKind, ValueRef};
use crate::digest::{Hex, read_hex_bytes};

/// The largest length of a cursor that is read, in characters.
const MAX_LENGTH: usize = 4096;

/// Writes the values of columns of a table.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    schema: &Schema,
    positions: &[(&'static str, Value)],
) -> fmt::Result {
    for (name, value) in positions {
        write!(f, "{:04x}", number(schema, name).ok_or(fmt::Error)?)?;

        match ValueRef::of(value).and_then(encode) {
            Some(bytes) => {
                write!(f, "{:08x}", bytes.len())?;
                Hex(&bytes).fmt(f)?;
            }
            None => write!(f, "{:08x}", u32::MAX)?,
        }
    }
    Ok(())
}

/// Reads what `write` has written; `None` for any other text.
pub(super) fn read(text: &str, schema: &'static Schema) -> Option<Vec<(&'static str, Value)>> {
    // A client chooses the length. An empty text would be a cursor of no order at all.
    if text.is_empty() || text.len() > MAX_LENGTH {
        return None;
    }

    let bytes = read_hex_bytes(text)?;
    let mut rest = bytes.as_slice();
    let mut positions = Vec::new();

    while !rest.is_empty() {
        let (number, tail) = rest.split_first_chunk()?;
        let (length, tail) = tail.split_first_chunk()?;
        let column = column(schema, u16::from_be_bytes(*number))?;

        // A null in a column that has none is no cursor, but a length that never fits.
        let (value, tail) = match u32::from_be_bytes(*length) {
            u32::MAX if column.nullable => (ValueRef::Null(column.kind).into(), tail),
            length => {
                let (value, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
                (decode(column.kind, value)?, tail)
            }
        };

        positions.push((column.name, value));
        rest = tail;
    }
    Some(positions)
}

/// A column as a cursor's text names it: by its number, the key first.
fn number(schema: &Schema, name: &str) -> Option<u16> {
    if name == schema.key_name() {
        return Some(0);
    }

    let position = schema
        .columns
        .iter()
        .position(|column| column.name == name)?;
    u16::try_from(position).ok()?.checked_add(1)
}

struct NumberedColumn {
    name: &'static str,
    kind: ValueKind,
    nullable: bool,
}

/// The column of a number. Tenant columns have none, so a cursor cannot name one.
fn column(schema: &'static Schema, number: u16) -> Option<NumberedColumn> {
    let Some(position) = number.checked_sub(1) else {
        let key = schema.key.own()?;
        return Some(NumberedColumn {
            name: key.name,
            kind: ValueKind::of_id(key.kind),
            nullable: false,
        });
    };

    let column = schema.columns.get(usize::from(position))?;
    Some(NumberedColumn {
        name: column.name,
        kind: column.kind,
        nullable: column.nullable,
    })
}

/// The bytes of a value; `None` for null, and for JSON, which no list is ordered by.
fn encode(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value {
        ValueRef::Integer(integer) => Some(integer.to_be_bytes().to_vec()),
        ValueRef::Text(text) => Some(text.as_bytes().to_vec()),
        ValueRef::Boolean(truth) => Some(vec![u8::from(truth)]),

        ValueRef::Timestamp(at) => {
            let seconds = at.timestamp().to_be_bytes();
            let nanos = at.timestamp_subsec_nanos().to_be_bytes();
            Some([seconds.as_slice(), nanos.as_slice()].concat())
        }

        ValueRef::Bytes(bytes) => Some(bytes.to_vec()),
        #[cfg(feature = "uuid")]
        ValueRef::Uuid(uuid) => Some(uuid.into_bytes().to_vec()),

        // The scale is the column's, so only the units are written.
        #[cfg(feature = "decimal")]
        ValueRef::Decimal(decimal) => {
            let units = i64::try_from(decimal.mantissa()).ok()?;
            Some(units.to_be_bytes().to_vec())
        }

        #[cfg(feature = "json")]
        ValueRef::Json(_) => None,
        ValueRef::Null(_) => None,
    }
}

fn decode(kind: ValueKind, bytes: &[u8]) -> Option<Value> {
    match kind {
        ValueKind::Integer => Some(i64::from_be_bytes(bytes.try_into().ok()?).into()),
        ValueKind::Text => Some(std::str::from_utf8(bytes).ok()?.into()),

        // Other bytes would be a second text of the same cursor.
        ValueKind::Boolean => match bytes {
            [0] => Some(false.into()),
            [1] => Some(true.into()),
            _ => None,
        },

        ValueKind::Timestamp => {
            let (seconds, nanos) = bytes.split_first_chunk()?;
            let nanos = u32::from_be_bytes(nanos.try_into().ok()?);
            let at: DateTime<Utc> = DateTime::from_timestamp(i64::from_be_bytes(*seconds), nanos)?;
            Some(at.into())
        }

        ValueKind::Bytes => Some(bytes.into()),
        #[cfg(feature = "uuid")]
        ValueKind::Uuid => Some(uuid::Uuid::from_slice(bytes).ok()?.into()),

        #[cfg(feature = "decimal")]
        ValueKind::Decimal(places) => {
            let units = i64::from_be_bytes(bytes.try_into().ok()?);
            let decimal = rust_decimal::Decimal::try_from_i128_with_scale(units.into(), places);
            Some(decimal.ok()?.into())
        }

        #[cfg(feature = "json")]
        ValueKind::Json => None,
    }
}
