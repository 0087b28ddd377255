//! The header line under `HEADER MATCH`.
//!
//! Owns the comparison of its fields with the column list. Promises PostgreSQL's messages.
//! Never reads a header that is only to be skipped.

use super::Target;
use super::lines::{Dialect, Field};
use crate::diagnostic::{Diagnostic, SqlState};

/// Checks that `line` names the columns of the statement, in their order.
///
/// # Errors
/// 22P04 naming the first difference.
pub fn check<D: Dialect>(dialect: &D, target: &Target, line: &[u8]) -> Result<(), Box<Diagnostic>> {
    let mut unescaped = Vec::new();
    let mut names: Vec<Option<String>> = Vec::new();
    let mut rest = Some(line);
    while let Some(fields) = rest {
        // No forcing of nulls in a header: an index beyond the column list has none.
        let (field, after) = dialect.next_field(usize::MAX, fields, &mut unescaped)?;
        names.push(match field {
            Field::Null => None,
            Field::Value(name) | Field::Default(name) => {
                Some(String::from_utf8_lossy(name).into_owned())
            }
        });
        rest = after;
    }
    if names.len() != target.columns.len() {
        return Err(mismatch(format!(
            "wrong number of fields in header line: got {}, expected {}",
            names.len(),
            target.columns.len()
        )));
    }
    for (index, (name, column)) in names.iter().zip(&target.columns).enumerate() {
        let field = index + 1;
        let expected = target.table.columns[*column].name;
        match name {
            None => {
                return Err(mismatch(format!(
                    "column name mismatch in header line field {field}: \
                     got null value (\"{}\"), expected \"{expected}\"",
                    String::from_utf8_lossy(&target.null)
                )));
            }
            Some(name) if name != expected => {
                return Err(mismatch(format!(
                    "column name mismatch in header line field {field}: \
                     got \"{name}\", expected \"{expected}\""
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cold]
fn mismatch(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::BAD_COPY_FILE_FORMAT, message))
}
