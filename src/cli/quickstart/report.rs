//! The last page of the quickstart: a small table and the line to try by hand.
//!
//! Owns the layout. Promises to show what was measured, not what was intended. Never decides
//! whether the run succeeded.

use std::fmt::Write;
use std::time::Duration;

/// One line of the table.
pub struct TableReport {
    pub table: &'static str,
    pub rows_sent: u64,
    pub rows_in_cdf: u64,
    /// Rows that are in CDF and differ from what was sent.
    pub rows_different: u64,
    pub elapsed: Duration,
    /// Insert requests that CDF received.
    pub requests: u64,
}

impl TableReport {
    /// Whether every row sent is in CDF as it was sent.
    pub fn is_complete(&self) -> bool {
        self.rows_sent == self.rows_in_cdf && self.rows_different == 0
    }
}

/// The table as text.
pub fn render(reports: &[TableReport]) -> String {
    let mut page = format!(
        "{:<20} {:>12} {:>12} {:>10} {:>14} {:>10} {:>14}\n",
        "table", "rows sent", "rows in CDF", "different", "rows/s", "requests", "rows/request"
    );
    for report in reports {
        let rows_per_s = report.rows_sent as f64 / report.elapsed.as_secs_f64().max(1e-9);
        let rows_per_request = report.rows_sent as f64 / report.requests.max(1) as f64;
        // Writing into a String cannot fail.
        let _ = writeln!(
            page,
            "{:<20} {:>12} {:>12} {:>10} {:>14.0} {:>10} {:>14.0}",
            report.table,
            report.rows_sent,
            report.rows_in_cdf,
            report.rows_different,
            rows_per_s,
            report.requests,
            rows_per_request
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_missing_or_different_row_makes_a_report_incomplete() {
        let mut report = TableReport {
            table: "double_datapoints",
            rows_sent: 10,
            rows_in_cdf: 10,
            rows_different: 0,
            elapsed: Duration::from_millis(5),
            requests: 1,
        };
        assert!(report.is_complete());
        report.rows_different = 1;
        assert!(!report.is_complete());
        report.rows_different = 0;
        report.rows_in_cdf = 9;
        assert!(!report.is_complete());
    }
}
