//! Metric names as a contract, and logs.
