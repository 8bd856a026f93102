//! Protobuf by hand, field by field: what is read is counted as it comes, what is written is written once.

mod count;
mod read;
mod write;

pub(crate) use count::{Named, count, count_numbers, decode};
pub(crate) use read::Message;
pub(crate) use write::{bytes_len, put_bytes, put_header, put_int, put_uvarint};

use crate::uvarint;

/// What stands in a field.
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32,
    Bytes(&'a [u8]),
}

/// Takes one field off the front. Groups, long deprecated and in none of our messages, are refused.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = uvarint::take(rest)?;
    let value = match key & 7 {
        0 => Value::Varint(uvarint::take(rest)?),
        1 => Value::Fixed64(rest.split_off(..8)?.try_into().ok()?),
        2 => {
            let length = usize::try_from(uvarint::take(rest)?).ok()?;
            Value::Bytes(rest.split_off(..length)?)
        }
        5 => rest.split_off(..4).map(|_| Value::Fixed32)?,
        _ => return None,
    };
    Some((key >> 3, value))
}
