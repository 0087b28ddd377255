//! Answers to questions about the catalog, kept for the next who asks the same.
//!
//! Owns the bound on them, in bytes. Promises that an answer is found only by the same question in
//! every part: the look of the database, the text, the parameters, the forms of the result and the
//! settings. Never judges whether an answer may be kept.

use super::dressing::Dressing;
use super::frame::Frame;
use super::question::Description;
use crate::telemetry::{CatalogAnswer, EngineMeters};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one entry takes beside its bytes.
const ENTRY_BYTES: usize = 256;

/// No entry takes more of the room than one part in so many.
const PARTS_MIN: usize = 8;

/// How long an answer is good: what no look shows, such as other databases of a server, changes.
const GOOD_FOR: Duration = Duration::from_secs(600);

/// A question in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuestionKey(Vec<u8>);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Rows,
    Description,
}

impl QuestionKey {
    /// A question of who sees the database like that.
    pub fn new(asked: Asked, dressing: &Dressing) -> Self {
        let mut key = QuestionKey(vec![asked as u8]);
        key.put(dressing.key());
        key
    }

    /// Adds a part that the answer depends on.
    pub fn put(&mut self, part: &[u8]) {
        self.0.put_u64_ne(part.len() as u64);
        self.0.extend_from_slice(part);
    }

    /// Adds a part that may be missing.
    pub fn put_option(&mut self, part: Option<&[u8]>) {
        self.put_number(i64::from(part.is_some()));
        self.put(part.unwrap_or_default());
    }

    /// Adds a number that the answer depends on.
    pub fn put_number(&mut self, number: i64) {
        self.0.put_i64_ne(number);
    }
}

/// The messages of an answer, one after the other, without ReadyForQuery.
#[derive(Clone, Debug)]
pub struct Answer {
    messages: Bytes,
}

impl Answer {
    /// Message by message.
    pub fn frames(&self) -> impl Iterator<Item = Frame> + use<> {
        let mut rest = self.messages.clone();
        std::iter::from_fn(move || Frame::cut(&mut rest))
    }
}

/// An answer that is being taken down.
#[derive(Debug)]
pub struct Recording {
    key: QuestionKey,
    messages: BytesMut,
    bytes_max: usize,
}

impl Recording {
    /// Takes down a message.
    pub fn take(&mut self, frame: &Frame) {
        if self.is_whole() {
            self.messages.extend_from_slice(&frame.bytes);
        }
        if !self.is_whole() {
            self.messages = BytesMut::new();
            self.bytes_max = 0;
        }
    }

    /// Whether it has room for all that came.
    fn is_whole(&self) -> bool {
        self.bytes_max > 0 && self.messages.len() <= self.bytes_max
    }
}

/// The answers of one gateway.
#[derive(Debug)]
pub struct CatalogAnswers {
    bytes_max: usize,
    state: Mutex<State>,
    meters: EngineMeters,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<QuestionKey, Entry>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    bytes: usize,
    used: u64,
    since: Instant,
}

#[derive(Clone, Debug)]
enum Kept {
    Rows(Answer),
    Description(Arc<Description>),
}

impl CatalogAnswers {
    /// Room for so many bytes; 0: nothing is kept.
    pub fn new(bytes_max: usize, meters: EngineMeters) -> Self {
        CatalogAnswers {
            bytes_max,
            state: Mutex::default(),
            meters,
        }
    }

    /// Whether anything is kept.
    pub fn are_kept(&self) -> bool {
        self.bytes_max > 0
    }

    /// The answer, if it was kept.
    pub fn answer(&self, key: &QuestionKey) -> Option<Answer> {
        match self.find(key)? {
            Kept::Rows(answer) => Some(answer),
            Kept::Description(_) => None,
        }
    }

    /// The description, if it was kept.
    pub fn description(&self, key: &QuestionKey) -> Option<Arc<Description>> {
        match self.find(key)? {
            Kept::Description(description) => Some(description),
            Kept::Rows(_) => None,
        }
    }

    /// Begins to take an answer down.
    pub fn record(&self, key: QuestionKey) -> Recording {
        Recording {
            key,
            messages: BytesMut::new(),
            bytes_max: self.bytes_max / PARTS_MIN,
        }
    }

    /// Keeps what was taken down, if it is whole.
    pub fn keep(&self, recording: Recording) {
        if recording.is_whole() {
            let messages = Bytes::copy_from_slice(&recording.messages);
            let bytes = messages.len();
            self.put(recording.key, Kept::Rows(Answer { messages }), bytes);
        }
    }

    /// Keeps a description.
    pub fn keep_description(&self, key: QuestionKey, description: Arc<Description>) {
        let columns = description.columns.iter().flatten();
        let names: usize = columns
            .map(|column| size_of_val(column) + column.name.len())
            .sum();
        let bytes = names + size_of_val(description.parameter_types.as_slice());
        self.put(key, Kept::Description(description), bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &QuestionKey) -> Option<Kept> {
        let mut state = self.state();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.entries.get_mut(key)?;
        if entry.since.elapsed() < GOOD_FOR {
            entry.used = clock;
            self.meters.catalog_answers.add(CatalogAnswer::Kept, 1);
            return Some(entry.kept.clone());
        }
        state.remove(key);
        None
    }

    fn put(&self, key: QuestionKey, kept: Kept, bytes: usize) {
        self.meters.catalog_answers.add(CatalogAnswer::Asked, 1);
        let bytes = bytes + key.0.len() + ENTRY_BYTES;
        if bytes > self.bytes_max / PARTS_MIN {
            return;
        }
        let mut state = self.state();
        state.remove(&key);
        if state.bytes + bytes > self.bytes_max {
            state.shrink(self.bytes_max - self.bytes_max / PARTS_MIN - bytes);
        }
        state.clock += 1;
        let entry = Entry {
            kept,
            bytes,
            used: state.clock,
            since: Instant::now(),
        };
        state.bytes += bytes;
        state.entries.insert(key, entry);
        self.meters.catalog_bytes.set(state.bytes as f64);
    }
}

impl State {
    fn remove(&mut self, key: &QuestionKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Forgets those that were not used for the longest time, until the rest takes so many bytes.
    fn shrink(&mut self, bytes_max: usize) {
        let mut uses: Vec<(u64, usize)> = (self.entries.values())
            .map(|entry| (entry.used, entry.bytes))
            .collect();
        uses.sort_unstable();
        let mut left = self.bytes;
        let stays = uses.iter().position(|(_, bytes)| {
            let fits = left <= bytes_max;
            if !fits {
                left -= bytes;
            }
            fits
        });
        let from = stays.map_or(u64::MAX, |index| uses[index].0);
        self.entries.retain(|_, entry| entry.used >= from);
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Namespace;

    fn kept_in(bytes_max: usize) -> CatalogAnswers {
        CatalogAnswers::new(bytes_max, EngineMeters::new())
    }

    fn key(user: &str, text: &str) -> QuestionKey {
        let dressing = Dressing::of(user, "postgres", &Namespace::default());
        let mut key = QuestionKey::new(Asked::Rows, &dressing);
        key.put(text.as_bytes());
        key
    }

    fn message(letter: u8, body: &[u8]) -> Frame {
        let mut bytes = BytesMut::new();
        bytes.put_u8(letter);
        bytes.put_u32(u32::try_from(body.len()).expect("short") + 4);
        bytes.extend_from_slice(body);
        Frame {
            kind: letter,
            bytes: bytes.freeze(),
        }
    }

    fn keep(answers: &CatalogAnswers, key: QuestionKey, body: &[u8]) {
        let mut recording = answers.record(key);
        recording.take(&message(b'D', body));
        recording.take(&message(b'C', b"SELECT 1\0"));
        answers.keep(recording);
    }

    #[test]
    fn an_answer_is_found_by_the_same_question_of_the_same_user_alone() {
        let answers = kept_in(1 << 20);
        keep(&answers, key("loader", "SELECT 1"), b"row");
        let found = answers.answer(&key("loader", "SELECT 1")).expect("kept");
        let kinds: Vec<u8> = found.frames().map(|frame| frame.kind).collect();
        assert_eq!(kinds, [b'D', b'C']);
        let first = found.frames().next().expect("it has some");
        assert_eq!(first.body(), b"row");
        assert!(answers.answer(&key("reader", "SELECT 1")).is_none());
        assert!(answers.answer(&key("loader", "SELECT 2")).is_none());
        assert!(answers.description(&key("loader", "SELECT 1")).is_none());
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let bytes_max = 64 << 10;
        let answers = kept_in(bytes_max);
        keep(&answers, key("loader", "often"), &[b'x'; 1000]);
        for number in 0..500 {
            keep(
                &answers,
                key("loader", &format!("once {number}")),
                &[b'x'; 1000],
            );
            assert!(
                answers.answer(&key("loader", "often")).is_some(),
                "{number}"
            );
            assert!(answers.state().bytes <= bytes_max);
        }
        assert!(answers.answer(&key("loader", "once 499")).is_some());
        assert!(answers.answer(&key("loader", "once 0")).is_none());
        let state = answers.state();
        let counted: usize = state.entries.values().map(|entry| entry.bytes).sum();
        assert_eq!(state.bytes, counted);
    }

    #[test]
    fn an_answer_that_is_too_long_is_not_kept_in_part() {
        let answers = kept_in(64 << 10);
        keep(&answers, key("loader", "long"), &[b'x'; 10_000]);
        assert!(answers.answer(&key("loader", "long")).is_none());
        assert_eq!(answers.state().bytes, 0);
        let nothing = kept_in(0);
        keep(&nothing, key("loader", "short"), b"row");
        assert!(nothing.answer(&key("loader", "short")).is_none());
    }
}
