//! COPY data in the text format: any bytes, any cut.
#![no_main]

mod copy;

use libfuzzer_sys::fuzz_target;
use penstock::sql::CopyFormat;

fuzz_target!(|input: &[u8]| copy::check(input, CopyFormat::Text));
