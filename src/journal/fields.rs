//! Numbers, strings and columns of numbers as bytes, and back.
//!
//! Owns the byte order (little endian) and the checks of a reader. Promises that reading never
//! goes beyond the bytes and never reserves memory for more than they hold. Never knows what
//! the fields mean.

/// Bytes that are not what they should be, though their checksum is right: written by another
/// version, or by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be understood: {0}")]
pub struct Unreadable(pub &'static str);

pub fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_bytes(bytes, text.as_bytes());
}

pub fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    bytes.extend_from_slice(value);
}

/// A column of numbers that are `WIDTH` bytes each.
pub fn put_column<const WIDTH: usize>(
    bytes: &mut Vec<u8>,
    values: impl ExactSizeIterator<Item = [u8; WIDTH]>,
) {
    let start = bytes.len();
    bytes.resize(start + values.len() * WIDTH, 0);
    let (places, _) = bytes[start..].as_chunks_mut::<WIDTH>();
    for (place, value) in places.iter_mut().zip(values) {
        *place = value;
    }
}

/// Takes fields from the front.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Fields { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that are left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(Unreadable("it ends too early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn array<const WIDTH: usize>(&mut self) -> Result<[u8; WIDTH], Unreadable> {
        let (taken, rest) = self
            .bytes
            .split_first_chunk::<WIDTH>()
            .ok_or(Unreadable("it ends too early"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, Unreadable> {
        self.array().map(i64::from_le_bytes)
    }

    pub fn length(&mut self) -> Result<usize, Unreadable> {
        self.u32().map(|length| length as usize)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let length = self.length()?;
        self.take(length)
    }

    pub fn text(&mut self) -> Result<&'a str, Unreadable> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Unreadable("a name is not UTF-8"))
    }

    /// A column of `count` numbers of `WIDTH` bytes.
    pub fn column<const WIDTH: usize>(
        &mut self,
        count: usize,
    ) -> Result<&'a [[u8; WIDTH]], Unreadable> {
        let length = count
            .checked_mul(WIDTH)
            .ok_or(Unreadable("a column is too long"))?;
        Ok(self.take(length)?.as_chunks::<WIDTH>().0)
    }
}
