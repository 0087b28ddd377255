//! Letters for people to read.
//!
//! Owns the lines of `list` and the block of `show`. Promises one line a letter in a list,
//! whatever its message holds. Never shortens what `show` prints.

use crate::dead_letters::Letter;

/// Characters of a message in a list.
const MESSAGE_CHARACTERS: usize = 100;

/// The head of a list.
pub fn head() -> String {
    format!(
        "{:>8}  {:<20}  {:<8}  {:<18}  {:<12}  {:<5}  message",
        "id", "time", "state", "table", "user", "code"
    )
}

/// One letter as a line.
pub fn line(letter: &Letter) -> String {
    let message: String = letter
        .reason
        .message
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(MESSAGE_CHARACTERS)
        .collect();
    format!(
        "{:>8}  {:<20}  {:<8}  {:<18}  {:<12}  {:<5}  {message}",
        letter.id,
        letter.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        letter.state.name(),
        letter.table,
        letter.user,
        letter.reason.sqlstate
    )
}

/// All of one letter.
pub fn block(letter: &Letter) -> String {
    let mut lines = vec![
        ("id", Some(letter.id.to_string())),
        ("time", Some(letter.time.to_string())),
        ("state", Some(letter.state.name().to_owned())),
        ("source", Some(letter.source.name().to_owned())),
        (
            "acknowledged",
            letter.acknowledged.map(|time| time.to_string()),
        ),
        (
            "project",
            Some(format!("{} at {}", letter.project, letter.base_url)),
        ),
        ("user", Some(letter.user.clone())),
        ("identity", Some(letter.identity.clone())),
        ("table", Some(letter.table.clone())),
        ("key", letter.key.clone()),
        ("line", letter.line.map(|line| line.to_string())),
        ("row", letter.row_number.map(|row| row.to_string())),
        ("sqlstate", Some(letter.reason.sqlstate.clone())),
        ("message", Some(letter.reason.message.clone())),
        ("detail", letter.reason.detail.clone()),
        ("column", letter.reason.column.clone()),
        (
            "CDF's code",
            letter.reason.cdf_code.map(|code| code.to_string()),
        ),
        ("request id", letter.reason.request_id.clone()),
        ("replays", Some(letter.replays.to_string())),
        ("replayed", letter.replayed.map(|time| time.to_string())),
    ];
    lines.retain(|(_, value)| value.is_some());
    let mut text: String = lines
        .into_iter()
        .map(|(name, value)| format!("{name:<13} {}\n", value.unwrap_or_default()))
        .collect();
    text.push_str("values\n");
    for (column, value) in letter.columns.iter().zip(&letter.values) {
        match value {
            Some(value) => text.push_str(&format!("  {column} = {value}\n")),
            None => text.push_str(&format!("  {column} is NULL\n")),
        }
    }
    text
}
