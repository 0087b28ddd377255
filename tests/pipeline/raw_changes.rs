//! Changes of RAW rows on virtual time: rows are read, changed and written in the order of their
//! statements, whatever becomes of single calls.

use crate::directory::Directory;
use crate::world::settings;
use futures::FutureExt;
use penstock::catalog::Resource;
use penstock::cdf::{
    AttemptFailure, Credentials, Found, FoundKeys, Identity, Project, Secret, encode, encode_found,
};
use penstock::config::BatchSettings;
use penstock::diagnostic::{Diagnostic, SqlState};
use penstock::pipeline::attempt::{Attempt, AttemptReport, Call, CallAnswer};
use penstock::pipeline::segment::Piece;
use penstock::pipeline::sequencer::Sequencer;
use penstock::pipeline::{ConnectionBudget, MemoryBudget, Submission, Ticket};
use penstock::rows::{
    RawAction, RawBatch, RawDestination, RowBatch, RowNumbers, TextColumn, hash_key,
};
use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Keys of a page where a table is emptied.
const PAGE_KEYS: usize = 2;

/// One statement: what it does with some keys.
#[derive(Clone, Debug)]
struct Statement {
    action: RawAction,
    keys: Vec<u8>,
    waits: bool,
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    Busy,
    /// No answer; a write lands so much later, or never.
    Unanswered(Option<u64>),
}

type Rows = BTreeMap<String, Map<String, Value>>;

/// A RAW table and the writes that reach it later.
#[derive(Default)]
struct Cdf {
    rows: Rows,
    landing: Vec<(Instant, Value, bool)>,
}

impl Cdf {
    fn apply(&mut self, body: &Value, deletes: bool) {
        for item in body["items"].as_array().expect("items") {
            let key = item["key"].as_str().expect("a key").to_owned();
            if deletes {
                self.rows.remove(&key);
            } else {
                let columns = item["columns"].as_object().expect("columns").clone();
                self.rows.insert(key, columns);
            }
        }
    }

    fn land(&mut self, now: Instant) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.landing)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.landing = later;
        for (_, body, deletes) in due {
            self.apply(&body, deletes);
        }
    }
}

struct World {
    sequencer: Sequencer,
    now: Instant,
    calls: Vec<Attempt>,
    cdf: Cdf,
    identity: Arc<Identity>,
    budget: ConnectionBudget,
    reads_at_once: usize,
}

impl World {
    fn new() -> Self {
        let settings = settings(Resource::RawRows);
        let now = Instant::now();
        World {
            sequencer: settings.sequencer(
                Arc::new(Directory::default()),
                &settings.pacing(now),
                Arc::new(|| {}),
            ),
            now,
            calls: Vec::new(),
            cdf: Cdf::default(),
            identity: Arc::new(Identity {
                project: Project {
                    base_url: "https://cdf.test".to_owned(),
                    name: "plant".to_owned(),
                },
                name: "client".to_owned(),
                credentials: Credentials::FixedToken(Secret::new("token")),
                create_missing_time_series: false,
                required_access: Default::default(),
            }),
            budget: MemoryBudget::new(1 << 30, 1 << 30).connection(),
            reads_at_once: 0,
        }
    }

    fn submit(&mut self, statement: &Statement, number: usize) -> Ticket {
        let batch = batch(statement, number);
        let ticket = Ticket::wanting_objects();
        let submission = Submission {
            identity: self.identity.clone(),
            part: ticket.part(batch.rows() as u64, 1),
            permit: self
                .budget
                .acquire(batch.bytes())
                .now_or_never()
                .expect("the budget of the test is large"),
            batch,
            connection: 1,
            ticket_waits: statement.waits,
            sent_before: None,
        };
        self.sequencer.submit(self.now, submission);
        self.poll();
        ticket
    }

    fn poll(&mut self) {
        self.cdf.land(self.now);
        self.sequencer.poll(self.now, &mut self.calls);
    }

    fn finish(&mut self, call: usize, fate: Fate) {
        if self.calls.is_empty() {
            return;
        }
        let attempt = self.calls.remove(call % self.calls.len());
        let result = match fate {
            Fate::Busy => Err(failure(true)),
            Fate::Answered => Ok(self.answer(&attempt.call)),
            Fate::Unanswered(lands_ms) => {
                if let (Call::Write(piece), Some(lands_ms)) = (&attempt.call, lands_ms) {
                    let (body, deletes) = request(piece);
                    let at = self.now + Duration::from_millis(lands_ms);
                    self.cdf.landing.push((at, body, deletes));
                }
                Err(failure(false))
            }
        };
        let (now, id) = (self.now, attempt.id);
        drop(attempt);
        self.sequencer.finished(now, id, AttemptReport::of(result));
        self.poll();
    }

    fn answer(&mut self, call: &Call) -> CallAnswer {
        match call {
            Call::Write(piece) => {
                let (body, deletes) = request(piece);
                self.cdf.apply(&body, deletes);
                CallAnswer::Done
            }
            Call::Read {
                piece,
                cursor,
                rows,
            } => {
                self.reads_at_once = self.reads_at_once.max(rows.len());
                if piece.raw_action() == Some(RawAction::Empty) {
                    return CallAnswer::Found(Found::Keys(self.page(cursor.as_deref())));
                }
                let found = keys(piece)
                    .into_iter()
                    .skip(rows.start)
                    .take(rows.len())
                    .map(|key| Some(to_raw_value(self.cdf.rows.get(&key)?).expect("JSON")));
                let found: Vec<Option<Box<RawValue>>> = found.collect();
                assert_eq!(found.len(), rows.len(), "what is read is of the piece");
                CallAnswer::Found(Found::Rows(found))
            }
            other => panic!("nobody asks {other:?} of RAW"),
        }
    }

    fn page(&self, cursor: Option<&str>) -> FoundKeys {
        let after = |key: &&String| cursor.is_none_or(|cursor| key.as_str() > cursor);
        let mut keys = self.cdf.rows.keys().filter(after);
        let page: Vec<Box<str>> = keys
            .by_ref()
            .take(PAGE_KEYS)
            .map(|key| key.as_str().into())
            .collect();
        let next = keys.next().and(page.last().cloned());
        FoundKeys { keys: page, next }
    }

    /// Moves the clock, stopping wherever something is due.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    fn next(&self) -> Option<Instant> {
        let lands = self.cdf.landing.iter().map(|(at, ..)| *at).min();
        [self.sequencer.wake_at(), lands]
            .into_iter()
            .flatten()
            .min()
    }

    /// Answers everything until nothing is left.
    fn calm(&mut self) {
        self.sequencer.flush();
        self.poll();
        for _ in 0..100_000 {
            while !self.calls.is_empty() {
                self.finish(0, Fate::Answered);
            }
            if self.sequencer.is_idle() && self.cdf.landing.is_empty() {
                return;
            }
            let next = self
                .next()
                .expect("rows wait, and nobody will look at them");
            self.now = self.now.max(next);
            self.poll();
        }
        panic!("rows are still waiting");
    }
}

fn failure(answered: bool) -> AttemptFailure {
    AttemptFailure::Retry {
        retry_after: None,
        answered,
        status: answered.then_some(503),
        throttle: None,
        reason: Box::new(Diagnostic::error(SqlState::FDW_ERROR, "CDF said no")),
    }
}

/// The body that a piece becomes, and whether it deletes.
fn request(piece: &Piece) -> (Value, bool) {
    let (ranges, settings) = (piece.ranges(), BatchSettings::default());
    let request = match &piece.found {
        None => encode(piece.operation(Resource::RawRows), &ranges, &settings),
        Some(found) => encode_found(Resource::RawRows, &ranges, found, &settings),
    }
    .expect("the rows become a request");
    let body = serde_json::from_slice(&request.body).expect("JSON");
    (body, request.path.ends_with("/rows/delete"))
}

fn keys(piece: &Piece) -> Vec<String> {
    let of_segment = |segment: &penstock::pipeline::segment::Segment| {
        let RowBatch::RawRows(batch) = &segment.submission.batch else {
            panic!("RAW rows are written");
        };
        let keys = segment
            .rows
            .clone()
            .map(|row| batch.keys.text(row).to_owned());
        keys.collect::<Vec<String>>()
    };
    piece.segments.iter().flat_map(of_segment).collect()
}

/// What row `row` of statement `number` writes: a cell that all write, and one of its own.
fn cells(number: usize, row: usize) -> Map<String, Value> {
    let own = format!("c{}", number % 3);
    let Value::Object(cells) = json!({"last": number, own: row}) else {
        panic!("an object");
    };
    cells
}

fn removed(number: usize) -> String {
    format!("c{}", (number + 1) % 3)
}

fn batch(statement: &Statement, number: usize) -> RowBatch {
    let mut batch = RawBatch {
        destination: Arc::new(RawDestination {
            database: "plant".into(),
            table: "t".into(),
        }),
        action: statement.action,
        keys: TextColumn::default(),
        key_hashes: Vec::new(),
        columns: TextColumn::default(),
        row_numbers: RowNumbers::From(1),
    };
    for (row, key) in statement.keys.iter().enumerate() {
        let key = match statement.action {
            RawAction::Empty => String::new(),
            _ => format!("k{key}"),
        };
        let columns = match statement.action {
            RawAction::Delete | RawAction::DeleteFound | RawAction::Empty => String::new(),
            RawAction::Merge => {
                json!({"set": cells(number, row), "remove": [removed(number)]}).to_string()
            }
            RawAction::Upsert => {
                let cells = cells(number, row);
                json!({"set": cells, "remove": [removed(number)], "make": cells}).to_string()
            }
            _ => Value::Object(cells(number, row)).to_string(),
        };
        batch.keys.push(key.as_bytes());
        batch.key_hashes.push(hash_key(key.as_bytes()));
        batch.columns.push(columns.as_bytes());
    }
    RowBatch::RawRows(batch)
}

/// What a statement makes of a table, and how many of its rows need nothing.
fn apply(rows: &mut Rows, statement: &Statement, number: usize) -> u64 {
    let mut skipped = 0;
    for (row, key) in statement.keys.iter().enumerate() {
        let key = format!("k{key}");
        let exists = rows.contains_key(&key);
        match statement.action {
            RawAction::Insert => {
                rows.insert(key, cells(number, row));
            }
            RawAction::InsertMissing if exists => skipped += 1,
            RawAction::InsertMissing => {
                rows.insert(key, cells(number, row));
            }
            RawAction::Replace | RawAction::Merge | RawAction::DeleteFound if !exists => {
                skipped += 1;
            }
            RawAction::Upsert if !exists => {
                rows.insert(key, cells(number, row));
            }
            RawAction::Replace => {
                rows.insert(key, cells(number, row));
            }
            RawAction::Merge | RawAction::Upsert => {
                let known = rows.get_mut(&key).expect("it exists");
                known.extend(cells(number, row));
                known.remove(&removed(number));
            }
            RawAction::Delete | RawAction::DeleteFound => {
                rows.remove(&key);
            }
            RawAction::Empty => rows.clear(),
        }
    }
    skipped
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let statement = (
        prop::sample::select(RawAction::ALL.to_vec()),
        prop::collection::vec(0..6u8, 1..9),
        any::<bool>(),
    );
    let statement = statement.prop_map(|(action, mut keys, waits)| {
        if action == RawAction::Empty {
            keys.truncate(1);
        }
        Statement {
            action,
            keys,
            waits,
        }
    });
    prop::collection::vec(statement, 1..24)
}

fn fates() -> impl Strategy<Value = Vec<(u8, Fate, u16)>> {
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::Busy),
        1 => prop::option::of(0..4_000u64).prop_map(Fate::Unanswered),
    ];
    prop::collection::vec((0..4u8, fate, 0..400u16), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn changes_take_effect_in_their_order_whatever_becomes_of_calls(
        statements in statements(), fates in fates()
    ) {
        let mut world = World::new();
        let mut expected = Rows::new();
        let mut tickets = Vec::new();
        let mut fates = fates.into_iter();
        for (number, statement) in statements.iter().enumerate() {
            let ticket = world.submit(statement, number);
            let skipped = apply(&mut expected, statement, number);
            tickets.push((ticket, statement.keys.len() as u64, skipped));
            for (call, fate, ms) in fates.by_ref().take(2) {
                world.finish(call.into(), fate);
                world.advance(Duration::from_millis(ms.into()));
            }
        }
        for (call, fate, ms) in fates {
            world.finish(call.into(), fate);
            world.advance(Duration::from_millis(ms.into()));
        }
        world.calm();
        prop_assert_eq!(&world.cdf.rows, &expected);
        for (ticket, rows, skipped) in tickets {
            let outcome = ticket.settled().now_or_never().expect("it has settled");
            prop_assert_eq!((outcome.accepted, outcome.skipped), (rows - skipped, skipped));
        }
        prop_assert!(world.reads_at_once <= 16);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn cancelled_changes_harm_no_others(
        statements in statements(), fates in fates(), cancelled in prop::collection::vec(any::<bool>(), 24)
    ) {
        let mut world = World::new();
        let mut expected = Rows::new();
        let mut tickets = Vec::new();
        let mut fates = fates.into_iter();
        for (number, (mut statement, cancelled)) in statements.into_iter().zip(cancelled).enumerate() {
            if cancelled {
                // Keys of their own: nobody knows what becomes of them.
                statement.keys.iter_mut().for_each(|key| *key += 100);
            }
            if statement.action == RawAction::Empty {
                statement.action = RawAction::Delete;
            }
            let ticket = world.submit(&statement, number);
            if !cancelled {
                apply(&mut expected, &statement, number);
            }
            tickets.push((ticket, statement.keys.len() as u64, cancelled));
            for (call, fate, ms) in fates.by_ref().take(2) {
                world.finish(call.into(), fate);
                for (ticket, _, cancelled) in tickets.iter().rev().take(3) {
                    if *cancelled {
                        ticket.abort();
                    }
                }
                world.sequencer.drop_cancelled(world.now);
                world.advance(Duration::from_millis(ms.into()));
            }
        }
        world.calm();
        world.cdf.rows.retain(|key, _| key.len() < 4);
        prop_assert_eq!(&world.cdf.rows, &expected);
        for (ticket, rows, cancelled) in tickets {
            let outcome = ticket.settled().now_or_never().expect("it has settled");
            let done = outcome.accepted + outcome.skipped;
            let told = done + outcome.failed + outcome.unknown;
            prop_assert!(told == rows && (cancelled || done == rows), "{:?}", outcome);
        }
    }
}

#[test]
fn reads_go_several_at_a_time_and_one_write_carries_all_changes() {
    let mut world = World::new();
    let all = |action| Statement {
        action,
        keys: (0..6).collect(),
        waits: true,
    };
    world.submit(&all(RawAction::Insert), 0);
    world.finish(0, Fate::Answered);
    let ticket = world.submit(&all(RawAction::Merge), 1);
    let (mut reads, mut writes) = (0, 0);
    while let Some(attempt) = world.calls.first() {
        match attempt.call {
            Call::Read { .. } => reads += 1,
            _ => writes += 1,
        }
        world.finish(0, Fate::Answered);
    }
    assert_eq!(
        ticket.settled().now_or_never().expect("settled").accepted,
        6
    );
    assert_eq!(writes, 1);
    // Three requests may be under way in this world.
    assert_eq!((reads, world.reads_at_once), (2, 3));
}
