//! HTTP that operators see: health and metrics.
