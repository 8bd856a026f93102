//! Numbers as bytes and back, with a version and a checksum around them.

/// Why bytes are no state that can be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Something else altogether.
    #[error("these bytes are not the state of a forecast model")]
    Foreign,
    /// Written by another version of the program.
    #[error("the model state has format version {got}, this program reads version {want}")]
    Version {
        /// The version found.
        got: u16,
        /// The version that is understood.
        want: u16,
    },
    /// Cut short or altered.
    #[error("the model state is damaged: its checksum does not match")]
    Damaged,
    /// The checksum is right, but what it covers cannot be.
    #[error("the model state holds impossible values: {0}")]
    Impossible(&'static str),
    /// Fitted for other settings or another step.
    #[error("the model state was made for other settings")]
    OtherSettings,
}

/// What every state begins with.
const MAGIC: [u8; 4] = *b"fsm\x1a";

/// Grows when the layout changes.
const VERSION: u16 = 1;

/// Bytes before the content: magic, version.
const HEAD: usize = MAGIC.len() + 2;

/// Bytes after the content: the checksum of all before.
const TAIL: usize = 4;

/// Collects numbers, little-endian.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        Self(bytes)
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.0.extend(value.to_le_bytes());
    }

    /// The bytes with their checksum.
    pub(crate) fn seal(mut self) -> Vec<u8> {
        let sum = crc32c::crc32c(&self.0);
        self.0.extend(sum.to_le_bytes());
        self.0
    }
}

/// Takes numbers off bytes whose checksum has been verified.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks what surrounds the content.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, StateError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(StateError::Foreign);
        }
        let Some(version) = bytes[MAGIC.len()..].first_chunk() else {
            return Err(StateError::Damaged);
        };
        let got = u16::from_le_bytes(*version);
        if got != VERSION {
            return Err(StateError::Version { got, want: VERSION });
        }
        let Some((covered, sum)) = bytes.split_last_chunk::<TAIL>() else {
            return Err(StateError::Damaged);
        };
        let content = covered.get(HEAD..).ok_or(StateError::Damaged)?;
        if crc32c::crc32c(covered) != u32::from_le_bytes(*sum) {
            return Err(StateError::Damaged);
        }
        Ok(Self(content))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let short = StateError::Impossible("it ends too early");
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StateError> {
        self.take().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StateError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, StateError> {
        self.take().map(i64::from_le_bytes)
    }

    pub(crate) fn f32(&mut self) -> Result<f32, StateError> {
        self.take().map(f32::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, StateError> {
        self.take().map(f64::from_le_bytes)
    }

    /// A 32-bit number that must be finite.
    pub(crate) fn finite(&mut self) -> Result<f32, StateError> {
        let value = self.f32()?;
        check(value.is_finite(), "a number is not finite")?;
        Ok(value)
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// Nothing may be left over.
    pub(crate) fn end(self) -> Result<(), StateError> {
        check(self.0.is_empty(), "something is left over")
    }
}

/// Refuses what is not so.
pub(crate) fn check(is_so: bool, otherwise: &'static str) -> Result<(), StateError> {
    if is_so {
        Ok(())
    } else {
        Err(StateError::Impossible(otherwise))
    }
}
