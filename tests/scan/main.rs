//! Whole tables read from the local CDF, from outside: what was written comes back as rows.
//!
//! Owns the tests of `penstock::scan`. Promises a judge of its own: objects are written to the
//! emulator as JSON, and lines of COPY are taken apart here.

mod conditions;
mod instances;
mod memory;
mod objects;
mod points;
mod raw;
mod texts;
mod trouble;
mod world;
