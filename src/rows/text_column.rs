//! Strings of a column in one buffer: bytes end to end, and where each one ends.
//!
//! Owns the layout. Promises that every value is UTF-8 (checked when pushed by the builders)
//! and that pushing allocates only when the buffers grow. Never holds more than 4 GiB.

/// A column of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    /// End offset of value i in `bytes`.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl TextColumn {
    /// Appends a value. The caller has checked that it is UTF-8.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
    }

    /// The bytes of value `index`.
    #[inline]
    pub fn bytes(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        &self.bytes[start..self.ends[index] as usize]
    }

    /// Value `index` as a string; a value that is not UTF-8 reads as empty, which no builder makes.
    pub fn text(&self, index: usize) -> &str {
        std::str::from_utf8(self.bytes(index)).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all values together.
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The end of each value in [`TextColumn::all_bytes`].
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The bytes of all values, end to end.
    pub fn all_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A column of these parts; `None` unless the ends ascend to the end of `bytes` and every
    /// value is UTF-8.
    pub fn from_parts(ends: Vec<u32>, bytes: Vec<u8>) -> Option<Self> {
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut before = 0;
        for end in &ends {
            let end = *end as usize;
            if end < before || !text.is_char_boundary(end) {
                return None;
            }
            before = end;
        }
        (before == bytes.len()).then_some(TextColumn { ends, bytes })
    }

    /// Keeps the first `rows` values: how a half-read row is taken back.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let end = self.ends.last().map_or(0, |end| *end as usize);
        self.bytes.truncate(end);
    }

    /// Makes room for `values` more values, not for their bytes.
    pub fn reserve(&mut self, values: usize) {
        self.ends.reserve(values);
    }

    /// Bytes that the buffers occupy.
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// Empties the column and keeps its buffers.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }
}
