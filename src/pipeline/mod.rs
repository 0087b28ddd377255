//! From row batches to delivered rows: tickets, batching, pacing, sending, verdicts.
