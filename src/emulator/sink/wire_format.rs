//! The protobuf wire format, as far as reading needs it.
//!
//! Owns varints, field headers and the walk over the fields of a whole message. A message
//! that is cut off is told apart from one that is broken. Allocates nothing.

/// The bytes are no protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// Something that was read and how many bytes it took; `None` when the input ends first.
pub type Read<T> = Result<Option<(T, usize)>, Broken>;

/// A varint.
#[inline]
pub fn varint(input: &[u8]) -> Read<u64> {
    let mut value = 0_u64;
    for (index, byte) in input.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == 9 && *byte > 1 {
            return Err(Broken);
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    if input.len() >= 10 {
        Err(Broken)
    } else {
        Ok(None)
    }
}

/// The wire type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    Varint,
    Fixed64,
    Length,
    Fixed32,
}

/// A field number and a wire type.
#[inline]
pub fn header(input: &[u8]) -> Read<(u32, WireType)> {
    let Some((key, used)) = varint(input)? else {
        return Ok(None);
    };
    let wire_type = match key & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Length,
        5 => WireType::Fixed32,
        // Groups are long gone from the language, 6 and 7 never were.
        _ => return Err(Broken),
    };
    match u32::try_from(key >> 3) {
        Ok(field) if (1..1 << 29).contains(&field) => Ok(Some(((field, wire_type), used))),
        _ => Err(Broken),
    }
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Walks over the fields of a whole message.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        Ok(taken)
    }

    fn read(&mut self) -> Result<(u32, Value<'a>), Broken> {
        let ((field, wire_type), used) = header(self.rest)?.ok_or(Broken)?;
        self.take(used)?;
        let value = match wire_type {
            WireType::Varint => {
                let (value, used) = varint(self.rest)?.ok_or(Broken)?;
                self.take(used)?;
                Value::Varint(value)
            }
            WireType::Fixed64 => {
                let bytes = self.take(8)?.first_chunk().ok_or(Broken)?;
                Value::Fixed64(u64::from_le_bytes(*bytes))
            }
            WireType::Length => {
                let (length, used) = varint(self.rest)?.ok_or(Broken)?;
                self.take(used)?;
                let length = usize::try_from(length).map_err(|_| Broken)?;
                Value::Bytes(self.take(length)?)
            }
            WireType::Fixed32 => {
                self.take(4)?;
                Value::Fixed32
            }
        };
        Ok((field, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_varint_is_not_a_broken_one() {
        assert_eq!(varint(&[0x80]), Ok(None));
        assert_eq!(varint(&[0xff; 10]), Err(Broken));
        assert_eq!(varint(&[0x96, 0x01, 0x7f]), Ok(Some((150, 2))));
    }

    #[test]
    fn the_largest_varint_fits() {
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(varint(&bytes), Ok(Some((u64::MAX, 10))));
    }

    #[test]
    fn a_field_that_overruns_its_message_is_broken() {
        assert_eq!(Fields::new(&[0x12, 0x05, b'a']).next(), Some(Err(Broken)));
    }
}
