//! Rows of `penstock.budgets`.
//!
//! Owns the look at what one identity's calls are paid from. Promises no other identity's name or
//! figures, but for those that all of a project share. Never spends anything.

use super::rows::{Moment, StateWriter, number, optional, text};
use crate::cdf::Identity;
use crate::diagnostic::Diagnostic;
use crate::pipeline::pacing::Pacing;

/// Writes a row for each budget that calls of `identity` are paid from.
pub(super) fn write(
    writer: &mut StateWriter,
    pacing: &Pacing,
    identity: &Identity,
) -> Result<(), Box<Diagnostic>> {
    let moment = Moment::read();
    for figures in pacing.figures(identity, moment.now) {
        let window = figures.window;
        let left = window.map(|window| window.bytes_max.saturating_sub(window.spent_bytes));
        writer.row([
            text(&identity.project.name),
            text(figures.scope.name()),
            text(figures.budget),
            text(figures.state.name()),
            moment.time(figures.until),
            optional(figures.requests_per_s),
            optional(figures.accepted_last_s),
            optional(figures.items_per_s),
            optional(window.map(|window| window.bytes_max)),
            optional(window.map(|window| window.window_s)),
            optional(window.map(|window| window.spent_bytes)),
            optional(left),
            optional(figures.slots),
            number(figures.slots_taken),
            number(figures.waiting),
            optional(figures.throttled),
            moment.time(figures.throttled_at),
            optional(figures.reason),
        ])?;
    }
    Ok(())
}
