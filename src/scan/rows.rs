//! The rows of a scan, as they come.
//!
//! Owns the stretches that are being read, and the text that waits to be fetched. Promises each
//! row of each page once, whatever had to be repeated, in chunks that end with a row; no more than
//! [`TOGETHER_MAX`] pages, whose memory is given back as soon as they were passed on; and an end at the
//! limit, or a fault past the bound on rows. Never reads on while nobody fetches, but for pages under
//! way.

use super::copy_text::RowWriter;
use super::fault::ScanFault;
use super::memory::{ItemWeight, Room, ScanPermit, text_bytes_max};
use super::paced::PacedReader;
use super::plan::{Planned, Scan};
use super::source::{AfterRefusal, Page, Source, Turn};
use super::tally::{ScanFigures, Tally};
use crate::catalog::Table;
use crate::cdf::{Identity, PageAnswer};
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Pages that are read at a time.
const TOGETHER_MAX: usize = 4;

/// Bytes of a chunk: small pages wait for each other, large ones are cut.
const CHUNK_BYTES_MIN: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// A source with a page to come.
struct Waiting {
    source: Box<dyn Source>,
    /// Items that its answers have had room for.
    items_max: usize,
}

impl Waiting {
    fn new(source: Box<dyn Source>) -> Self {
        Waiting {
            source,
            items_max: usize::MAX,
        }
    }
}

/// A page that has been read.
struct Read {
    next: Waiting,
    turn: Turn,
    text: String,
    rows: u64,
    /// The memory of the text.
    memory: ScanPermit,
    /// CDF would not take a condition: what comes is more than was asked for.
    is_widened: bool,
}

/// The rows of one scan.
pub struct ScanRows {
    reader: Arc<PacedReader>,
    identity: Arc<Identity>,
    table: &'static Table,
    rows_max: u64,
    /// Rows after which there are enough; `None`: all are wanted.
    limit: Option<u64>,
    waiting: VecDeque<Waiting>,
    reading: JoinSet<Result<Read, ScanFault>>,
    /// Whole lines of small pages, which nobody has fetched: fewer than [`CHUNK_BYTES_MIN`], and so
    /// of no account.
    open: String,
    ready: VecDeque<Bytes>,
    /// The memory of the lines that are ready, and of those that are being passed on.
    held: Option<ScanPermit>,
    weight: Arc<ItemWeight>,
    rows: u64,
    tally: Arc<Tally>,
    /// Series, tables and the like that pages named.
    named: u64,
    fault: Option<ScanFault>,
}

impl ScanRows {
    pub(super) fn new(
        reader: Arc<PacedReader>,
        identity: Arc<Identity>,
        scan: &Scan,
        planned: Planned,
        tally: Tally,
    ) -> Self {
        ScanRows {
            reader,
            identity,
            table: scan.table,
            rows_max: scan.rows_max,
            limit: planned.plan.limit,
            waiting: planned.sources.into_iter().map(Waiting::new).collect(),
            reading: JoinSet::new(),
            open: String::new(),
            ready: VecDeque::new(),
            held: None,
            weight: Arc::new(ItemWeight::new()),
            rows: 0,
            tally: Arc::new(tally),
            named: 0,
            fault: None,
        }
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What was read so far, and what it cost.
    pub fn figures(&self) -> ScanFigures {
        self.tally.figures(self.rows)
    }

    /// The next lines for `COPY … FROM STDIN`; `None`: all rows have been given.
    ///
    /// # Errors
    /// The scan cannot come to its end, whatever was given before. It stays so.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, ScanFault> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            // Whoever asks for more has passed on what there was.
            self.held = None;
            if let Some(fault) = &self.fault {
                return Err(fault.clone());
            }
            self.start();
            let Some(joined) = self.reading.join_next().await else {
                self.cut(0);
                match self.ready.pop_front() {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => return Ok(None),
                }
            };
            let taken = match joined {
                Ok(read) => read.and_then(|read| self.take(read)),
                Err(error) => Err(broken_off(&error)),
            };
            if let Err(fault) = taken {
                self.stop();
                self.fault = Some(fault);
            }
        }
    }

    /// Begins as many pages as may be read beside each other.
    fn start(&mut self) {
        if self.limit == Some(0) {
            self.waiting.clear();
        }
        // A few rows come with the first page.
        let together_max = if self.limit.is_some() {
            1
        } else {
            TOGETHER_MAX
        };
        while self.reading.len() < together_max
            && let Some(next) = self.waiting.pop_front()
        {
            // One more than may be read shows that there are too many.
            let left = self.rows_max.saturating_sub(self.rows).saturating_add(1);
            let left = self.limit.unwrap_or(left).min(left);
            let left = match next.source.is_sized_by_rows() {
                true => usize::try_from(left).unwrap_or(usize::MAX),
                false => usize::MAX,
            };
            let items_max = next.items_max.min(left);
            let items = next.source.page_max().min(items_max).max(1);
            let reading = PageReading {
                reader: self.reader.clone(),
                identity: self.identity.clone(),
                table: self.table,
                tally: self.tally.clone(),
                weight: self.weight.clone(),
            };
            self.reading.spawn(reading.read(next, items));
        }
    }

    fn take(&mut self, read: Read) -> Result<(), ScanFault> {
        let Read {
            next,
            turn,
            text,
            rows,
            mut memory,
            is_widened,
        } = read;
        if is_widened {
            self.limit = None;
        }
        self.named += turn.named;
        self.tally.gave(rows);
        if let Some(limit) = &mut self.limit {
            let wanted = rows.min(*limit);
            *limit -= wanted;
            self.rows += wanted;
            self.open.push_str(first_lines(&text, wanted));
        } else {
            self.rows += rows;
            self.open.push_str(&text);
        }
        if self.rows > self.rows_max || self.named > self.rows_max {
            return Err(ScanFault::too_many(self.table, self.rows_max));
        }
        if self.limit == Some(0) {
            self.stop();
            return Ok(());
        }
        // What has begun is finished first: fewer cursors wait, and none of them ends unread.
        for source in turn.sources.into_iter().rev() {
            self.waiting.push_front(Waiting::new(source));
        }
        if turn.has_more {
            self.waiting.push_front(next);
        }
        self.cut(CHUNK_BYTES_MIN);
        if !self.ready.is_empty() {
            memory.shrink_to(self.ready.iter().map(Bytes::len).sum());
            self.held = Some(memory);
        }
        Ok(())
    }

    /// Makes chunks of the open lines, if they are at least so many bytes.
    fn cut(&mut self, bytes_min: usize) {
        if self.open.is_empty() || self.open.len() < bytes_min {
            return;
        }
        let lines = Bytes::from(std::mem::take(&mut self.open));
        let mut start = 0;
        while start < lines.len() {
            let end = chunk_end(&lines, start);
            self.ready.push_back(lines.slice(start..end));
            start = end;
        }
    }

    fn stop(&mut self) {
        self.waiting.clear();
        self.reading.abort_all();
        self.reading = JoinSet::new();
    }
}

/// Where a chunk that begins at `start` ends: behind the last line that fits, or the first one.
fn chunk_end(lines: &[u8], start: usize) -> usize {
    let full = start + CHUNK_BYTES_MAX;
    if full >= lines.len() {
        return lines.len();
    }
    match memchr::memrchr(b'\n', &lines[start..full]) {
        Some(newline) => start + newline + 1,
        None => {
            memchr::memchr(b'\n', &lines[full..]).map_or(lines.len(), |newline| full + newline + 1)
        }
    }
}

/// The first lines of a text; newlines in values are escaped.
fn first_lines(text: &str, lines: u64) -> &str {
    let Some(last) = usize::try_from(lines).unwrap_or(usize::MAX).checked_sub(1) else {
        return "";
    };
    match memchr::memchr_iter(b'\n', text.as_bytes()).nth(last) {
        Some(newline) => &text[..=newline],
        None => text,
    }
}

/// What reads one page of a source.
struct PageReading {
    reader: Arc<PacedReader>,
    identity: Arc<Identity>,
    table: &'static Table,
    tally: Arc<Tally>,
    weight: Arc<ItemWeight>,
}

impl PageReading {
    /// Reads the next page: with more room, or in smaller parts, if it is too long.
    async fn read(self, mut next: Waiting, mut items: usize) -> Result<Read, ScanFault> {
        let PageReading {
            reader,
            identity,
            table,
            tally,
            weight,
        } = self;
        let source = &mut next.source;
        let mut is_widened = false;
        let mut room = Room::of(&weight, items);
        loop {
            let mut call = source.call(items);
            let items_max = reader.items_max(&call).max(1);
            if items > items_max {
                items = items_max;
                call = source.call(items);
            }
            let bytes_max = call.bytes_max;
            room = room.within(reader.memory(), items, bytes_max);
            call.bytes_max = room.bytes;
            let (answer, mut memory) = match reader.read(&identity, &call, items, &tally).await {
                Ok(answered) => answered,
                Err(failure) => match source.refused(&failure) {
                    AfterRefusal::Widened => {
                        tracing::warn!(
                            table = table.full_name(),
                            reason = %failure.reason(),
                            "CDF did not take a condition: the table is read without it"
                        );
                        is_widened = true;
                        continue;
                    }
                    AfterRefusal::Nothing => (PageAnswer::Absent, reader.memory().acquire(0).await),
                    AfterRefusal::Fail => {
                        return Err(ScanFault::Cdf(Box::new(failure.reason().clone())));
                    }
                },
            };
            let mut rows = RowWriter::new(table, text_bytes_max(room.bytes));
            let mut body_bytes = 0;
            let turn = match &answer {
                PageAnswer::TooLong => None,
                PageAnswer::Absent => Some(source.take(None, &mut rows)?),
                PageAnswer::Page { body, words } => {
                    body_bytes = body.len();
                    match source.take(Some(Page { body, words }), &mut rows) {
                        Err(_) if rows.is_over() => None,
                        taken => Some(taken?),
                    }
                }
            };
            // Its bytes go before the memory for them does.
            drop(answer);
            let Some(turn) = turn else {
                drop((rows, memory));
                room = match room.grown(reader.memory(), items, bytes_max) {
                    Some(more) => more,
                    None if items > 1 => {
                        items /= 2;
                        next.items_max = items;
                        room
                    }
                    None => return Err(ScanFault::too_long(table, room.bytes)),
                };
                continue;
            };
            let (text, rows) = rows.finish();
            memory.shrink_to(text.len());
            weight.saw(items, body_bytes, text.len());
            return Ok(Read {
                next,
                turn,
                text,
                rows,
                memory,
                is_widened,
            });
        }
    }
}

/// A fault of ours: the reading ended without a word.
fn broken_off(error: &tokio::task::JoinError) -> ScanFault {
    ScanFault::Cdf(Box::new(Diagnostic::error(
        SqlState::INTERNAL_ERROR,
        format!("a fault of the gateway broke off the reading: {error}"),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_with_a_line() {
        let line = format!("{}\n", "x".repeat(100_000));
        let lines = line.repeat(5);
        let mut start = 0;
        while start < lines.len() {
            let end = chunk_end(lines.as_bytes(), start);
            assert_eq!(&lines[end - 1..end], "\n");
            assert!(end - start <= CHUNK_BYTES_MAX);
            start = end;
        }
        let long = format!("{}\nrest\n", "x".repeat(CHUNK_BYTES_MAX + 1));
        assert_eq!(chunk_end(long.as_bytes(), 0), CHUNK_BYTES_MAX + 2);
    }

    #[test]
    fn the_first_lines_are_whole() {
        assert_eq!(first_lines("a\nb\nc\n", 2), "a\nb\n");
        assert_eq!(first_lines("a\n", 5), "a\n");
        assert_eq!(first_lines("a\n", 0), "");
    }
}
