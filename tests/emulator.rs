//! The emulator, seen from outside: its rules over real HTTP.
//!
//! Every test starts an emulator of its own on a free port and speaks to it as a client of
//! CDF does. The judge of what CDF clients can do with it is Cognite's own SDK
//! (`tests/clients/test_cognite_sdk.py`, `test_sdk_*.py`); here are the rules that an SDK
//! never breaks.

#[path = "emulator/access.rs"]
mod access;
#[path = "emulator/datapoints.rs"]
mod datapoints;
#[path = "emulator/faults.rs"]
mod faults;
#[path = "emulator/groups.rs"]
mod groups;
#[path = "emulator/instance_lists.rs"]
mod instance_lists;
#[path = "emulator/instances.rs"]
mod instances;
#[path = "emulator/messages.rs"]
mod messages;
#[path = "emulator/objects.rs"]
mod objects;
#[path = "emulator/raw.rs"]
mod raw;
#[path = "emulator/schemas.rs"]
mod schemas;
#[path = "emulator/sequence_rows.rs"]
mod sequence_rows;
#[path = "emulator/sessions.rs"]
mod sessions;
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
#[path = "emulator/tokens.rs"]
mod tokens;
#[path = "emulator/units.rs"]
mod units;
