//! Messages after sign-in: any bytes, any cut, the same messages or the same error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use penstock::wire::fuzzing::messages;

fuzz_target!(|input: &[u8]| {
    let Some((piece_bytes, data)) = input.split_first() else {
        return;
    };
    assert_eq!(
        messages(data, data.len().max(1)),
        messages(data, usize::from(*piece_bytes).max(1)),
        "the place of a cut changed the messages"
    );
});
