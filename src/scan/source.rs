//! One stretch of a scan: pages that come one after the other.
//!
//! Owns what the driver of a scan asks of each kind of reading. Promises that a page which is
//! asked for twice is the same call. Never sends.

use super::copy_text::RowWriter;
use super::fault::ScanFault;
use crate::cdf::{AttemptFailure, PageCall, unreadable_page};
use serde::Deserialize;

/// Bytes of an answer that are read, where a smaller page can be asked for.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// The same where it cannot: one RAW row has up to 5 MiB, and more with escapes.
const LAST_BYTES_MAX: usize = 48 << 20;

/// Stretches are read beside each other, the pages of one in their order.
pub(super) trait Source: Send {
    /// Items that one page has at most; 1: a page cannot be made smaller.
    fn page_max(&self) -> usize;

    /// Whether an item is a row: then no more are asked for than are wanted.
    fn is_sized_by_rows(&self) -> bool {
        true
    }

    /// The call for the next page, of at most `items`.
    fn call(&mut self, items: usize) -> PageCall;

    /// Takes the page that was asked for last; `None`: CDF has no such thing.
    ///
    /// # Errors
    /// The page cannot be read, or has what no row can hold. The source has not moved on then: a
    /// page with too much text is asked for again in smaller parts.
    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault>;

    /// What to do after CDF has refused the call for good.
    fn refused(&mut self, _failure: &AttemptFailure) -> AfterRefusal {
        AfterRefusal::Fail
    }
}

/// What comes after a page.
#[derive(Default)]
pub(super) struct Turn {
    /// There is another page.
    pub has_more: bool,
    /// What is to be read because of what the page said.
    pub sources: Vec<Box<dyn Source>>,
    /// Things other than rows that the page named: series, tables.
    pub named: u64,
}

impl Turn {
    pub fn done() -> Self {
        Turn::default()
    }

    pub fn more_if(has_more: bool) -> Self {
        Turn {
            has_more,
            ..Turn::default()
        }
    }
}

/// What to do after CDF has refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterRefusal {
    Fail,
    /// The source asks for more than is needed now: ask again.
    Widened,
    /// What cannot be seen has no rows.
    Nothing,
}

/// A page that CDF answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    pub body: &'a [u8],
    /// For faults.
    pub words: &'a str,
}

impl<'a> Page<'a> {
    /// The page as JSON.
    ///
    /// # Errors
    /// It is not what CDF documents.
    pub fn json<T: Deserialize<'a>>(self) -> Result<T, ScanFault> {
        serde_json::from_slice(self.body).map_err(|error| self.unreadable(&error))
    }

    pub fn unreadable(self, error: &dyn std::fmt::Display) -> ScanFault {
        ScanFault::Cdf(unreadable_page(error, self.words))
    }
}

/// Bytes of an answer of `items` items that are read.
pub(super) fn bytes_max(items: usize) -> usize {
    match items {
        0 | 1 => LAST_BYTES_MAX,
        _ => PAGE_BYTES_MAX,
    }
}
