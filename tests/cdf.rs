//! CDF as a peer, from outside: what requests hold, and what answers are taken for.
//!
//! Owns the tests of `penstock::cdf`. Promises judges that share no code with it: prost for
//! protobuf, serde_json for JSON, a scripted server for HTTP.

mod cdf {
    mod attempts;
    mod batches;
    mod datapoint_bodies;
    mod datapoint_messages;
    mod datapoint_statuses;
    mod failure_table;
    mod instances;
    mod json_bodies;
    mod live_limits;
    mod raw_changes;
    mod round_trip;
    mod scripted_server;
    mod series;
    mod series_directory;
    mod status_codes;
    mod tokens;
    mod untrusted;
}
