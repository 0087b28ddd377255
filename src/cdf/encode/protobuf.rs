//! Protobuf's wire format, as far as datapoint inserts need it.
//!
//! Owns varints and the field numbers of `com.cognite.v1.timeseries.proto`. Promises that
//! lengths computed are lengths written. Never reads protobuf.

/// Varint field 1: `DataPointInsertionItem.id`, `…Datapoint.timestamp`, `Status.code`.
pub const VARINT_1: u8 = 1 << 3;
/// Fixed 64-bit field 2: `NumericDatapoint.value`.
pub const FIXED64_2: u8 = (2 << 3) | 1;
/// Length-delimited field 1: `items`, `datapoints`, `InstanceId.space`.
pub const BYTES_1: u8 = (1 << 3) | 2;
/// Length-delimited field 2: `externalId` (of an item, and of an `InstanceId`),
/// `StringDatapoint.value`.
pub const BYTES_2: u8 = (2 << 3) | 2;
/// Length-delimited field 3: `numericDatapoints`, `…Datapoint.status`.
pub const BYTES_3: u8 = (3 << 3) | 2;
/// Length-delimited field 4: `stringDatapoints`.
pub const BYTES_4: u8 = (4 << 3) | 2;
/// Length-delimited field 5: `instanceId`.
pub const BYTES_5: u8 = (5 << 3) | 2;
/// Varint field 4: `…Datapoint.nullValue`.
pub const VARINT_4: u8 = 4 << 3;

/// Bytes of `value` as a varint, 1 to 10.
#[inline]
pub fn varint_bytes(value: u64) -> usize {
    // 7 bits a byte: ceil(bits / 7) without a division, for 1 to 64 bits.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) / 64
}

/// Appends `value` as a varint.
#[inline]
pub fn push_varint(body: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        body.push(value as u8 | 0x80);
        value >>= 7;
    }
    body.push(value as u8);
}

/// Bytes of a length-delimited field with a one-byte tag and `length` bytes in it.
#[inline]
pub fn field_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

/// Appends tag and length of a length-delimited field.
#[inline]
pub fn push_field_head(body: &mut Vec<u8>, tag: u8, length: usize) {
    body.push(tag);
    push_varint(body, length as u64);
}

/// The few bytes before a value, put together on the stack: one append for all of them.
pub struct Head {
    buffer: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Default for Head {
    #[inline]
    fn default() -> Self {
        Head {
            buffer: [0; Self::BYTES_MAX],
            length: 0,
        }
    }
}

impl Head {
    /// Three fields of a tag and the longest varint.
    const BYTES_MAX: usize = 3 * 11;

    /// Adds a varint field. At most three fields fit.
    #[inline]
    pub fn varint(&mut self, tag: u8, mut value: u64) {
        self.buffer[self.length] = tag;
        self.length += 1;
        while value >= 0x80 {
            self.buffer[self.length] = value as u8 | 0x80;
            self.length += 1;
            value >>= 7;
        }
        self.buffer[self.length] = value as u8;
        self.length += 1;
    }

    /// Adds tag and length of a length-delimited field.
    #[inline]
    pub fn field(&mut self, tag: u8, length: usize) {
        self.varint(tag, length as u64);
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}
