//! The emulator, seen from outside: its rules over real HTTP.
//!
//! Every test starts an emulator of its own on a free port and speaks to it as a client of
//! CDF does. The judge of what CDF clients can do with it is Cognite's own SDK
//! (`tests/clients/test_cognite_sdk.py`); here are the rules that an SDK never breaks.

#[path = "emulator/datapoints.rs"]
mod datapoints;
#[path = "emulator/faults.rs"]
mod faults;
#[path = "emulator/messages.rs"]
mod messages;
#[path = "emulator/raw.rs"]
mod raw;
#[path = "emulator/sign_in.rs"]
mod sign_in;
#[path = "emulator/sink.rs"]
mod sink;
#[path = "emulator/support.rs"]
mod support;
#[path = "emulator/throttling.rs"]
mod throttling;
#[path = "emulator/time_series.rs"]
mod time_series;
