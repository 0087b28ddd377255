//! One call to CDF, as the sequencer asks for it and a writer reports it.
//!
//! Owns the messages between the two. Promises that each attempt gets one report. Never
//! says how the call is made.

use super::segment::Piece;
use crate::catalog::Resource;
use crate::cdf::{
    AttemptFailure, Found, Identity, PointQuestion, PresentPage, Reference, RowQuestion,
    SettledCreates,
};
use crate::rows::{InstanceName, SeriesKey};
use serde_json::value::RawValue;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Names a request or a look-up of one sequencer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: CallId,
    /// With whose credentials.
    pub identity: Arc<Identity>,
    pub resource: Resource,
    pub call: Call,
}

/// What to call.
#[derive(Clone, Debug)]
pub enum Call {
    /// Write these rows, in their order.
    Write(Arc<Piece>),
    /// Read what these rows are about to change.
    Read {
        piece: Arc<Piece>,
        /// Which rows of the piece, by their place in it.
        rows: Range<usize>,
        /// Where the next page of keys starts, of a table that is emptied.
        cursor: Option<Box<str>>,
    },
    /// Find out names and types of these series, so that the directory knows them.
    FindSeries(Arc<[Arc<SeriesKey>]>),
    /// Find out which points series have.
    FindPoints(Arc<[PointQuestion]>),
    /// Find out which rows a sequence has.
    FindRows(RowQuestion),
    /// Make these series.
    MakeSeries {
        external_ids: Arc<[Box<str>]>,
        is_string: bool,
    },
    /// Make these nodes, which are time series.
    MakeNodes {
        nodes: Arc<[InstanceName]>,
        is_string: bool,
    },
    /// Tell which of these objects an unanswered attempt of ours made.
    SettleCreates {
        duplicated: Arc<[Reference]>,
        /// When the first attempt began.
        first_sent: Instant,
        /// When an attempt of an earlier life of the gateway may have begun, at the earliest.
        sent_before: Option<SystemTime>,
    },
}

/// How a call ended well.
#[derive(Clone, Debug)]
pub enum CallAnswer {
    Done,
    /// The objects that CDF answered with, one for each row in the order of the rows.
    Objects(Vec<Box<RawValue>>),
    Settled(SettledCreates),
    /// What CDF has, for each question in their order.
    Present(Vec<PresentPage>),
    /// What CDF has of the rows that were read.
    Found(Found),
    /// Per row of the piece, whether there was something to do.
    Told(Vec<bool>),
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct AttemptReport {
    pub result: Result<CallAnswer, AttemptFailure>,
    /// Bytes of the body before compression, where one was made: CDF's budgets count these.
    pub body_bytes: Option<u64>,
    /// Bytes of the body as sent.
    pub sent_bytes: Option<u64>,
    /// Calls like this that CDF takes at once, where it has just said so.
    pub published_slots: Option<usize>,
}

impl AttemptReport {
    /// The report of a call without a body of rows.
    pub fn of(result: Result<CallAnswer, AttemptFailure>) -> Self {
        AttemptReport {
            result,
            body_bytes: None,
            sent_bytes: None,
            published_slots: None,
        }
    }
}
