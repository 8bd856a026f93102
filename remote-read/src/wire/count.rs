//! The parts of a message are counted before memory is taken for them.
//!
//! An empty message costs two bytes on the wire and dozens in memory: a limit on bytes alone would let a body
//! grow many times over once it is decoded.

use super::{Value, next_field};
use crate::BodyError;

/// A message that names itself in errors.
pub(crate) trait Named: prost::Message + Default {
    /// Its name in the Prometheus protocol files.
    const NAME: &'static str;
}

/// Decodes a message whose parts were counted.
pub(crate) fn decode<M: Named>(bytes: &[u8]) -> Result<M, BodyError> {
    M::decode(bytes).map_err(|error| BodyError::NotProtobuf {
        message: M::NAME,
        reason: error.to_string(),
    })
}

/// How often the field at the end of `path` occurs in a message `M`; the path names fields from the outside in.
pub(crate) fn count<M: Named>(bytes: &[u8], path: &[u64]) -> Result<usize, BodyError> {
    let mut total = 0;
    walk(bytes, path, &mut |_| total += 1).ok_or_else(torn::<M>)?;
    Ok(total)
}

/// How many numbers a repeated field of a message `M` can hold at most, written one by one or packed.
pub(crate) fn count_numbers<M: Named>(bytes: &[u8], field: u64) -> Result<usize, BodyError> {
    let mut total = 0;
    walk(bytes, &[field], &mut |value| {
        total += match value {
            Value::Bytes(packed) => packed.len(),
            _ => 1,
        };
    })
    .ok_or_else(torn::<M>)?;
    Ok(total)
}

fn torn<M: Named>() -> BodyError {
    BodyError::torn(M::NAME)
}

/// Visits the fields at the end of a path; `None` when a message on the way is torn.
fn walk<'a>(bytes: &'a [u8], path: &[u64], visit: &mut impl FnMut(Value<'a>)) -> Option<()> {
    let (wanted, inner) = path.split_first()?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (field, value) = next_field(&mut rest)?;
        match value {
            _ if field != *wanted => {}
            Value::Bytes(message) if !inner.is_empty() => walk(message, inner, visit)?,
            value => visit(value),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{LabelMatcher, Query, ReadRequest};
    use prost::Message;

    fn request() -> Vec<u8> {
        let matchers = vec![LabelMatcher::default(); 3];
        let query = Query {
            matchers,
            ..Query::default()
        };
        let request = ReadRequest {
            queries: vec![query; 2],
            accepted_response_types: vec![1, 0, 7],
        };
        request.encode_to_vec()
    }

    #[test]
    fn parts_are_counted_at_every_depth() {
        let bytes = request();
        assert_eq!(count::<ReadRequest>(&bytes, &[1]).unwrap(), 2);
        assert_eq!(count::<ReadRequest>(&bytes, &[1, 3]).unwrap(), 6);
        assert_eq!(count::<ReadRequest>(&bytes, &[9]).unwrap(), 0);
        assert_eq!(count_numbers::<ReadRequest>(&bytes, 2).unwrap(), 3);
    }

    #[test]
    fn a_torn_message_is_refused() {
        let bytes = request();
        let error = count::<ReadRequest>(&bytes[..bytes.len() - 1], &[1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "body is not a protobuf ReadRequest: a field is cut off or of no known wire type"
        );
        assert!(count::<ReadRequest>(&[0x0b], &[1]).is_err(), "a group");
    }
}
