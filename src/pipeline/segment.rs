//! Rows of a submission on their way through requests, and the verdicts they get.
//!
//! Owns the link from a row range back to its ticket part. Promises that a verdict names the
//! row of the statement, not of the batch. Never copies rows: splitting is range arithmetic.

use super::Submission;
use super::weight::Weight;
use crate::catalog::Resource;
use crate::cdf::{Found, Operation};
use crate::diagnostic::Diagnostic;
use crate::rows::{ActionKind, RawAction, RowBatch, RowRange};
use serde_json::value::RawValue;
use std::ops::Range;
use std::sync::Arc;

/// Some rows of a submission.
#[derive(Clone, Debug)]
pub struct Segment {
    pub submission: Arc<Submission>,
    pub rows: Range<usize>,
}

impl Segment {
    /// What an encoder takes.
    pub fn range(&self) -> RowRange<'_> {
        RowRange {
            batch: &self.submission.batch,
            rows: self.rows.clone(),
        }
    }

    pub fn rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// A verdict for these rows.
    pub fn settle(&self, verdict: &RowVerdict) {
        let part = &self.submission.part;
        let rows = self.rows();
        if rows == 0 {
            return;
        }
        if let Some(record) = part.record() {
            record.settled(&self.submission, self.rows.clone(), verdict);
            return;
        }
        let first = self.submission.batch.row_number(self.rows.start);
        match verdict {
            RowVerdict::Accepted => part.accept(rows),
            RowVerdict::Skipped => part.skip(&self.submission.batch, self.rows.clone()),
            RowVerdict::Rejected(reason) => {
                part.reject_rows(&self.submission.batch, self.rows.clone(), reason);
            }
            RowVerdict::Stopped(reason) => {
                part.reject(rows, first, reason);
            }
            RowVerdict::Failed(reason) => part.fail(rows, first, reason),
            RowVerdict::Unknown(reason) => part.unknown(rows, first, reason),
        }
    }
}

/// What became of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowVerdict {
    /// CDF has them.
    Accepted,
    /// There was nothing to do: `DO NOTHING` met an object, or a change met none.
    Skipped,
    /// They can never succeed.
    Rejected(Box<Diagnostic>),
    /// CDF does not let their identity write: not their fault, and it may be mended.
    Stopped(Box<Diagnostic>),
    /// Not sent, or surely not accepted, and not sent again.
    Failed(Box<Diagnostic>),
    /// Sent, and nobody knows.
    Unknown(Box<Diagnostic>),
}

/// How the rows of a piece are written, where their action leaves a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// As the action says; of an upsert nothing is known yet.
    #[default]
    Asked,
    /// As the action says, after what has to be known first was looked up.
    LookedUp,
    /// An upsert of objects that do not exist, as far as is known.
    Make,
    /// An upsert of objects that exist, as far as is known.
    Change,
}

/// Rows that travel in one request: every attempt sends the same ones.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    pub segments: Vec<Segment>,
    pub step: Step,
    /// What the rows weigh; where series are shared between segments, from above.
    pub weight: Weight,
    /// What CDF had of the rows, where they are read before they are written.
    pub found: Option<Arc<Found>>,
}

impl Piece {
    pub fn new(segments: Vec<Segment>) -> Self {
        let mut weight = Weight::default();
        for segment in &segments {
            weight += Weight::of_rows(&segment.submission.batch, segment.rows.clone());
        }
        Piece {
            segments,
            step: Step::Asked,
            weight,
            found: None,
        }
    }

    /// The piece, written in that way.
    pub fn by(self, step: Step) -> Self {
        Piece { step, ..self }
    }

    /// What is done with the rows.
    pub fn action(&self) -> ActionKind {
        match self
            .segments
            .first()
            .map(|segment| &segment.submission.batch)
        {
            Some(RowBatch::Objects(batch)) => batch.action.kind(),
            Some(RowBatch::Datapoints(batch)) => batch.action,
            Some(RowBatch::RawRows(batch)) => batch.action.kind(),
            _ => ActionKind::Create,
        }
    }

    /// What is done with the rows, where they are RAW rows.
    pub fn raw_action(&self) -> Option<RawAction> {
        match &self.segments.first()?.submission.batch {
            RowBatch::RawRows(batch) => Some(batch.action),
            _ => None,
        }
    }

    /// Whether CDF has to be read before the rows are written, and was not yet.
    pub fn must_read(&self, resource: Resource) -> bool {
        let reads = match (resource, self.raw_action()) {
            (_, Some(action)) => action.reads(),
            (Resource::Instances, _) => self.action() == ActionKind::Update,
            _ => false,
        };
        reads && self.found.is_none()
    }

    /// The call that writes the rows.
    pub fn operation(&self, resource: Resource) -> Operation {
        match self.step {
            Step::Asked | Step::LookedUp => Operation::doing(resource, self.action()),
            Step::Make => Operation::Create(resource),
            Step::Change => Operation::doing(resource, ActionKind::Update),
        }
    }

    /// Whose ticket still wants them, and the others.
    pub fn part_aborted(&self) -> (Vec<Segment>, Vec<Segment>) {
        self.segments
            .iter()
            .cloned()
            .partition(|segment| !segment.submission.part.is_aborted())
    }

    pub fn rows(&self) -> u64 {
        self.segments.iter().map(Segment::rows).sum()
    }

    /// What encoders take.
    pub fn ranges(&self) -> Vec<RowRange<'_>> {
        self.segments.iter().map(Segment::range).collect()
    }

    /// Whether somebody wants to know what CDF made of the rows.
    pub fn wants_objects(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.submission.part.wants_objects())
    }

    /// Hands what CDF made of the rows to their tickets; `objects` come in the order of the rows.
    pub fn note_objects(&self, objects: Vec<Box<RawValue>>) {
        let rows = self
            .segments
            .iter()
            .flat_map(|segment| segment.rows.clone().map(move |row| (segment, row)));
        for ((segment, row), object) in rows.zip(objects) {
            let Submission { part, batch, .. } = &*segment.submission;
            if part.wants_objects() {
                part.note_object(batch.row_number(row), object);
            }
        }
    }

    /// One verdict for all rows.
    pub fn settle(&self, verdict: &RowVerdict) {
        for segment in &self.segments {
            segment.settle(verdict);
        }
    }

    /// Notes on every ticket that from now on an answer is needed to know the outcome.
    pub fn mark_sent(&self) {
        for segment in &self.segments {
            segment.submission.part.mark_sent();
        }
    }
}
