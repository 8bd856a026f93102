//! A message read field by field, with nothing taken for what nobody asks for.

use super::{Value, next_field};
use crate::{BodyError, uvarint};

/// The rest of a message, and its name for errors.
pub(crate) struct Message<'a> {
    name: &'static str,
    rest: &'a [u8],
}

/// One field of it.
pub(crate) struct Field<'a> {
    message: &'static str,
    /// Its number in the Prometheus protocol files.
    pub(crate) number: u64,
    value: Value<'a>,
}

impl<'a> Message<'a> {
    /// Starts at the first field.
    pub(crate) fn new(name: &'static str, bytes: &'a [u8]) -> Self {
        Self { name, rest: bytes }
    }

    /// The next field; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, BodyError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match next_field(&mut self.rest) {
            Some((number, value)) if number > 0 => Ok(Some(Field {
                message: self.name,
                number,
                value,
            })),
            _ => Err(BodyError::torn(self.name)),
        }
    }
}

impl<'a> Field<'a> {
    /// The bytes of a message, or of a field of bytes.
    pub(crate) fn bytes(self) -> Result<&'a [u8], BodyError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.of_wrong_type("bytes")),
        }
    }

    /// A message within.
    pub(crate) fn message(self, name: &'static str) -> Result<Message<'a>, BodyError> {
        self.bytes().map(|bytes| Message::new(name, bytes))
    }

    /// A text.
    pub(crate) fn text(self) -> Result<&'a str, BodyError> {
        let (message, number) = (self.message, self.number);
        std::str::from_utf8(self.bytes()?).map_err(|_| BodyError::NotProtobuf {
            message,
            reason: format!("field {number} is not UTF-8"),
        })
    }

    /// An integer; the wire does not tell signed from unsigned.
    pub(crate) fn int(self) -> Result<i64, BodyError> {
        match self.value {
            Value::Varint(number) => Ok(number.cast_signed()),
            _ => Err(self.of_wrong_type("an integer")),
        }
    }

    /// A number of 64 bits with a fraction, bit by bit.
    pub(crate) fn double(self) -> Result<f64, BodyError> {
        match self.value {
            Value::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(self.of_wrong_type("a double")),
        }
    }

    /// Integers written one by one or packed; visits each.
    pub(crate) fn ints(
        self,
        mut visit: impl FnMut(u64) -> Result<(), BodyError>,
    ) -> Result<(), BodyError> {
        match self.value {
            Value::Varint(number) => visit(number),
            Value::Bytes(mut packed) => {
                while !packed.is_empty() {
                    let number = uvarint::take(&mut packed);
                    visit(number.ok_or_else(|| BodyError::torn(self.message))?)?;
                }
                Ok(())
            }
            _ => Err(self.of_wrong_type("integers")),
        }
    }

    fn of_wrong_type(&self, expected: &str) -> BodyError {
        BodyError::NotProtobuf {
            message: self.message,
            reason: format!("field {} is not {expected}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(bytes: &[u8]) -> Field<'_> {
        Message::new("M", bytes).next().unwrap().unwrap()
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: Result<T, BodyError>, reason: &str) {
        let expect = format!("body is not a protobuf M: {reason}");
        assert_eq!(result.unwrap_err().to_string(), expect);
    }

    #[test]
    fn fields_are_read_as_what_they_are() {
        assert_eq!(field(&[0x0a, 1, b'x']).text().unwrap(), "x");
        assert_eq!(field(&[0x08, 0xac, 0x02]).int().unwrap(), 300);
        let minus_one = [&[0x10][..], &[0xff; 9], &[1]].concat();
        assert_eq!(field(&minus_one).int().unwrap(), -1);
        let double = [&[0x09][..], &1.5_f64.to_le_bytes()].concat();
        assert_eq!(
            field(&double).double().unwrap().to_bits(),
            1.5_f64.to_bits()
        );
    }

    #[test]
    fn integers_come_packed_or_one_by_one() {
        for bytes in [&[0x08, 5][..], &[0x0a, 1, 5]] {
            let mut seen = Vec::new();
            let visit = |number| {
                seen.push(number);
                Ok(())
            };
            field(bytes).ints(visit).unwrap();
            assert_eq!(seen, [5]);
        }
        refused(
            field(&[0x0a, 1, 0x80]).ints(|_| Ok(())),
            "a field is cut off or of no known wire type",
        );
    }

    #[test]
    fn what_is_something_else_is_refused() {
        refused(field(&[0x08, 1]).text(), "field 1 is not bytes");
        refused(field(&[0x0a, 1, 0xff]).text(), "field 1 is not UTF-8");
        refused(field(&[0x0a, 0]).int(), "field 1 is not an integer");
        refused(field(&[0x10, 0]).double(), "field 2 is not a double");
        refused(
            field(&[0x0d, 0, 0, 0, 0]).ints(|_| Ok(())),
            "field 1 is not integers",
        );
        let torn = "a field is cut off or of no known wire type";
        refused(Message::new("M", &[0x0a, 2, 0]).next().map(drop), torn);
        refused(Message::new("M", &[0x00, 0]).next().map(drop), torn);
    }
}
