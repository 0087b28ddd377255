//! Percent-encoding of path segments and form fields.
//!
//! Owns the set of bytes that pass as they are: RFC 3986's unreserved ones, everywhere.
//! Promises that any text comes back by decoding. Never decodes.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `segment` so that it is one path segment: `t/1` is `t%2F1`. See [`is_segment`].
pub fn push_segment(path: &mut String, segment: &str) {
    for byte in segment.bytes() {
        push_byte(path, byte);
    }
}

/// Whether `segment` can be a path segment at all. `.` and `..` cannot, not even encoded:
/// URL parsers take them for steps in the path, and a step too many is another table.
pub fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
}

/// Appends `name=value` to a form, with `&` in between.
pub fn push_form_field(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    push_segment(form, name);
    form.push('=');
    push_segment(form, value);
}

fn push_byte(text: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        text.push(char::from(byte));
    } else {
        text.push('%');
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}
