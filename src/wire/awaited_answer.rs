//! An engine's answer to a change, which waits until CDF has the change.
//!
//! Owns the messages of the answer and which of them are rows. Promises that they go to the client as
//! they came, without the rows that were left out after all. Never keeps more than a bound in memory.

use super::cold::Wanted;
use super::encoding::ClientEncoding;
use super::relay::{put_message_in, put_row};
use super::session::Session;
use super::stamped_rows::{Fate, Stamps};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// What an answer takes of memory, at most, until it may go.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Messages that go to the client before the tag.
#[derive(Debug, Default)]
pub(super) struct AwaitedAnswer {
    /// The description, if the client gets one here.
    description: BytesMut,
    rows: BytesMut,
    /// Where each row ends.
    ends: Vec<usize>,
    /// What is put into the rows once CDF has told.
    pub(super) stamps: Option<Stamps>,
}

impl AwaitedAnswer {
    /// Takes an answer up to ReadyForQuery. Returns it with its tag. Notices go to the client at
    /// once.
    ///
    /// # Errors
    /// `Refused` with the statement's own error, `Stopped` with 53400 when it returns too much,
    /// `Broken` when the engine is gone.
    pub(super) async fn gather(
        session: &mut Session,
        link: &mut EngineLink,
        wanted: Wanted<'_>,
    ) -> Result<(Self, String), EngineFault> {
        let mut relayed = AwaitedAnswer::default();
        let mut tag = String::new();
        let mut refused = None;
        let encoding = session.encoding;
        loop {
            let frame = link.receive().await?;
            match frame.kind {
                b'Z' => break,
                b'E' => refused = Some(frame.diagnostic()?),
                b'T' => put_message_in(&mut relayed.description, encoding, &frame),
                b'D' => {
                    put_row(&mut relayed.rows, encoding, &frame, &wanted);
                    relayed.ends.push(relayed.rows.len());
                    if relayed.bytes() > ANSWER_BYTES_MAX {
                        return Err(too_much());
                    }
                }
                b'N' => put_message_in(&mut session.replies, encoding, &frame),
                b'C' => tag = frame.tag(),
                _ => {}
            }
        }
        match refused {
            Some(diagnostic) => Err(EngineFault::Refused(diagnostic)),
            None => Ok((relayed, tag)),
        }
    }

    fn bytes(&self) -> usize {
        self.description.len() + self.rows.len() + self.ends.len() * size_of::<usize>()
    }

    /// Whether there is something to send.
    pub(super) fn is_empty(&self) -> bool {
        self.description.is_empty() && self.ends.is_empty()
    }

    pub(super) fn has_rows(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Appends the messages, but for the rows with the numbers `left_out`, from 1 and ascending.
    pub(super) fn put(&self, output: &mut BytesMut, left_out: &[u64]) {
        output.extend_from_slice(&self.description);
        if left_out.is_empty() {
            output.extend_from_slice(&self.rows);
            return;
        }
        let mut start = 0;
        for (end, number) in self.ends.iter().zip(1_u64..) {
            if left_out.binary_search(&number).is_err() {
                output.extend_from_slice(&self.rows[start..*end]);
            }
            start = *end;
        }
    }

    /// Appends the messages with the times that CDF gives. `fate`: what became of a row of a part.
    ///
    /// # Errors
    /// As [`Stamps::put`].
    pub(super) fn put_stamped<'o>(
        &self,
        output: &mut BytesMut,
        encoding: ClientEncoding,
        stamps: &Stamps,
        fate: impl Fn(usize, u64) -> Fate<'o>,
    ) -> Result<(), Box<Diagnostic>> {
        output.extend_from_slice(&self.description);
        let mut start = 0;
        for (index, end) in self.ends.iter().enumerate() {
            stamps.put(output, encoding, index, &self.rows[start..*end], &fate)?;
            start = *end;
        }
        Ok(())
    }

    /// The rows one by one, for a portal that is fetched in parts.
    pub(super) fn into_rows(self) -> VecDeque<Bytes> {
        let rows = self.rows.freeze();
        let mut start = 0;
        self.ends
            .iter()
            .map(|end| {
                let row = rows.slice(start..*end);
                start = *end;
                row
            })
            .collect()
    }
}

/// `Stopped`: the answer takes too much memory.
fn too_much() -> EngineFault {
    EngineFault::Stopped(Box::new(
        Diagnostic::error(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "the statement returns too many rows",
        )
        .with_detail(format!(
            "They wait until CDF has what it changes, in {ANSWER_BYTES_MAX} bytes at most. Nothing \
             was sent."
        ))
        .with_hint("Return fewer columns, or change fewer rows at a time."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_left_out_are_not_sent() {
        let mut relayed = AwaitedAnswer::default();
        relayed.description.extend_from_slice(b"T");
        for row in [b"aa", b"bb", b"cc"] {
            relayed.rows.extend_from_slice(row);
            relayed.ends.push(relayed.rows.len());
        }
        let mut output = BytesMut::new();
        relayed.put(&mut output, &[2]);
        assert_eq!(&output[..], b"Taacc");
        output.clear();
        relayed.put(&mut output, &[]);
        assert_eq!(&output[..], b"Taabbcc");
        assert_eq!(relayed.into_rows().len(), 3);
    }
}
