//! Data in LATIN1: to UTF-8 before anything else looks at it.
//!
//! Owns the transcoding and what of it no builder has taken yet. Promises that pure ASCII
//! costs one pass and a copy. Never fails: every byte is a character in LATIN1.

/// Transcoded data on its way to a decoder.
#[derive(Debug, Default)]
pub struct Latin1 {
    utf8: Vec<u8>,
    taken: usize,
}

impl Latin1 {
    /// Transcodes `data`; what was there must have been taken.
    pub fn fill(&mut self, data: &[u8]) {
        self.utf8.clear();
        self.taken = 0;
        self.utf8.reserve(data.len());
        let mut rest = data;
        while !rest.is_empty() {
            let ascii = rest.iter().position(|byte| !byte.is_ascii());
            let ascii = ascii.unwrap_or(rest.len());
            self.utf8.extend_from_slice(&rest[..ascii]);
            rest = &rest[ascii..];
            if let Some((byte, after)) = rest.split_first() {
                // U+0080 to U+00FF have two bytes in UTF-8.
                self.utf8.extend([0xc0 | byte >> 6, 0x80 | byte & 0x3f]);
                rest = after;
            }
        }
    }

    /// What has not been taken.
    pub fn rest(&self) -> &[u8] {
        &self.utf8[self.taken..]
    }

    /// Marks the next `bytes` bytes as taken.
    pub fn take(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_becomes_its_character() {
        let all: Vec<u8> = (0..=255).collect();
        let mut latin1 = Latin1::default();
        latin1.fill(&all);
        let expected: String = all.iter().map(|byte| char::from(*byte)).collect();
        assert_eq!(latin1.rest(), expected.as_bytes());
        latin1.take(5);
        assert_eq!(latin1.rest(), &expected.as_bytes()[5..]);
    }
}
