//! Letters to test with, and a directory for each test.

use jiff::Timestamp;
use penstock::catalog;
use penstock::dead_letters::{LetterOrigin, LetterReason, LetterSource, NewLetter};
use penstock::rows::RowText;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory that goes with its test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dead-letters-{}-{number}", std::process::id());
        Directory(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that made nothing leaves nothing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// A letter of `double_datapoints` for series `series`.
pub fn letter(series: &str, sqlstate: &str) -> NewLetter {
    NewLetter {
        origin: Arc::new(LetterOrigin {
            source: LetterSource::CopyIgnored,
            base_url: "http://127.0.0.1:1".to_owned(),
            project: "plant".to_owned(),
            user: "writer".to_owned(),
            identity: "client".to_owned(),
            time_zone: String::new(),
            date_order: Default::default(),
        }),
        table: catalog::DOUBLE_DATAPOINTS,
        row: RowText {
            columns: vec!["value", "timestamp", "external_id"],
            values: vec![
                Some("1.5".to_owned()),
                Some("2026-01-01 00:00:00+00".to_owned()),
                Some(series.to_owned()),
            ],
            action: "insert",
        },
        reason: Arc::new(LetterReason {
            sqlstate: sqlstate.to_owned(),
            message: format!("time series \"{series}\" does not exist"),
            detail: Some("CDF said: no (HTTP 400, x-request-id abc).".to_owned()),
            column: Some("external_id".to_owned()),
            cdf_code: Some(400),
            request_id: Some("abc".to_owned()),
        }),
        line: Some(3),
        row_number: Some(2),
        acknowledged: None,
        journal_row: None,
    }
}
