//! Reading single records again, in the order of one stream.
//!
//! Owns the file that is read and the place in it. Promises to give out only records whose
//! checksum is right, and to pass over damage to the next sound record. Never reads what is not
//! safe on disk yet.

use super::record::{ALIGNMENT, HEADER_BYTES, Header};
use super::segment::path;
use super::segment_list::Place;
use super::store::Store;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What was found where a record should be.
#[derive(Debug)]
pub enum Read<'a> {
    Record {
        header: Header,
        record: &'a [u8],
        segment: u64,
        offset: u64,
    },
    /// It is not there any more: its bytes are damaged.
    Damaged { segment: u64, bytes: Range<u64> },
    /// No segment holds it.
    Absent,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    open: Option<Open>,
    window: Vec<u8>,
    /// Where the window starts in the file.
    window_at: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    place: Place,
    /// Where the next header is.
    at: u64,
    /// The record that was given out last, and where it is.
    last: Option<(u64, u64)>,
}

impl StreamReader {
    /// Record `sequence` of `stream`. Fast when the sequences asked for ascend.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&mut self, store: &Store, stream: u32, sequence: u64) -> io::Result<Read<'_>> {
        let Some(place) = store.find(stream, sequence..sequence + 1) else {
            return Ok(Read::Absent);
        };
        let goes_on = self
            .open
            .as_ref()
            .is_some_and(|open| open.place.segment == place.segment);
        if !goes_on {
            self.open_at(store, place)?;
        }
        let mut rewound = !goes_on;
        if let Some(open) = &mut self.open
            && let Some((last, at)) = open.last
            && last == sequence
        {
            // There was no memory for it the first time.
            open.at = at;
        }
        loop {
            match self.step(place.end, stream, sequence)? {
                Step::Found(header) => {
                    let record = self.window(place.end, header.record_bytes())?;
                    let Some(start) = record else {
                        return Ok(self.damaged(place, 0));
                    };
                    let length = header.record_bytes();
                    let fits = header.fits(&self.window[start..start + length]);
                    if let Some(open) = &mut self.open {
                        open.last = Some((sequence, open.at));
                    }
                    self.advance(length as u64);
                    if fits {
                        return Ok(Read::Record {
                            header,
                            record: &self.window[start..start + length],
                            segment: place.segment,
                            offset: self.window_at + start as u64,
                        });
                    }
                    return Ok(self.damaged(place, length as u64));
                }
                Step::Passed => {}
                // Asked for something before: start over once.
                Step::Beyond | Step::End if !rewound => {
                    self.open_at(store, place)?;
                    rewound = true;
                }
                Step::Beyond | Step::End => return Ok(self.damaged(place, 0)),
            }
        }
    }

    fn open_at(&mut self, store: &Store, place: Place) -> io::Result<()> {
        let file = File::open(path(store.directory(), place.segment))?;
        self.open = Some(Open {
            file,
            place,
            at: place.offset,
            last: None,
        });
        self.window.clear();
        self.window_at = place.offset;
        Ok(())
    }

    /// Looks at the header at hand and passes over records of other streams.
    fn step(&mut self, end: u64, stream: u32, sequence: u64) -> io::Result<Step> {
        let Some(start) = self.window(end, HEADER_BYTES)? else {
            return Ok(Step::End);
        };
        let Some(open) = &self.open else {
            return Ok(Step::End);
        };
        let Some(header) = Header::decode(&self.window[start..], open.place.key) else {
            self.advance(ALIGNMENT as u64);
            return Ok(Step::Passed);
        };
        if header.stream == stream && header.stream_sequence == sequence {
            return Ok(Step::Found(header));
        }
        if header.stream == stream && header.stream_sequence > sequence {
            return Ok(Step::Beyond);
        }
        self.advance(header.record_bytes() as u64);
        Ok(Step::Passed)
    }

    fn advance(&mut self, bytes: u64) {
        if let Some(open) = &mut self.open {
            open.at += bytes;
        }
    }

    fn damaged(&self, place: Place, length: u64) -> Read<'_> {
        let at = self.open.as_ref().map_or(place.end, |open| open.at);
        Read::Damaged {
            segment: place.segment,
            bytes: at - length..at,
        }
    }

    /// Sees to it that `bytes` bytes from the place at hand are in the window; where they start
    /// in it, or `None` if they would go beyond `end`.
    fn window(&mut self, end: u64, bytes: usize) -> io::Result<Option<usize>> {
        let Some(open) = &self.open else {
            return Ok(None);
        };
        let at = open.at;
        if at + bytes as u64 > end {
            return Ok(None);
        }
        let window_end = self.window_at + self.window.len() as u64;
        if at >= self.window_at && at + bytes as u64 <= window_end {
            return Ok(Some((at - self.window_at) as usize));
        }
        let wanted = (bytes.max(WINDOW_BYTES) as u64).min(end - at) as usize;
        self.window.resize(wanted, 0);
        self.window_at = at;
        open.file.read_exact_at(&mut self.window, at)?;
        Ok(Some(0))
    }
}

enum Step {
    Found(Header),
    Passed,
    /// A later record of the stream is here.
    Beyond,
    End,
}
