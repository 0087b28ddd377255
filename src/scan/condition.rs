//! A condition on the rows of one table.
//!
//! Owns the form in which those who read statements tell a scan what rows are wanted. Promises
//! that a condition means in CDF what it means in PostgreSQL. Never knows a statement.

use std::fmt;

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// In PostgreSQL's text form.
    pub value: String,
    pub is_inclusive: bool,
}

impl Bound {
    pub fn inclusive(value: impl Into<String>) -> Self {
        Bound {
            value: value.into(),
            is_inclusive: true,
        }
    }

    pub fn exclusive(value: impl Into<String>) -> Self {
        Bound {
            value: value.into(),
            is_inclusive: false,
        }
    }
}

/// What a row must keep. Columns are named by their index in the table. Values are in PostgreSQL's
/// text form; a time without a zone is in UTC. NULL meets none but [`Condition::IsNull`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The column equals one of the values; of an empty list no row does.
    OneOf {
        column: usize,
        values: Vec<String>,
    },
    /// The column lies between; an end that is `None` is open.
    Range {
        column: usize,
        from: Option<Bound>,
        to: Option<Bound>,
    },
    /// The column's text begins with this one, byte by byte.
    Prefix {
        column: usize,
        text: String,
    },
    IsNull {
        column: usize,
    },
    IsNotNull {
        column: usize,
    },
}

impl Condition {
    pub fn equals(column: usize, value: impl Into<String>) -> Self {
        Condition::OneOf {
            column,
            values: vec![value.into()],
        }
    }

    pub fn column(&self) -> usize {
        match self {
            Condition::OneOf { column, .. }
            | Condition::Range { column, .. }
            | Condition::Prefix { column, .. }
            | Condition::IsNull { column }
            | Condition::IsNotNull { column } => *column,
        }
    }

    /// How it looks in an EXPLAIN, of a column of that name.
    pub fn in_words(&self, name: &str) -> String {
        match self {
            Condition::OneOf { values, .. } => match values.as_slice() {
                [one] => format!("{name} = {}", Quoted(one)),
                many => {
                    let shown: Vec<String> = many
                        .iter()
                        .take(3)
                        .map(|value| Quoted(value).to_string())
                        .collect();
                    let more = if many.len() > 3 { ", …" } else { "" };
                    format!("{name} IN ({}{more})", shown.join(", "))
                }
            },
            Condition::Range { from, to, .. } => {
                let side = |bound: &Option<Bound>, operator: &str| {
                    let bound = bound.as_ref()?;
                    let equals = if bound.is_inclusive { "=" } else { "" };
                    Some(format!(
                        "{name} {operator}{equals} {}",
                        Quoted(&bound.value)
                    ))
                };
                let sides = [side(from, ">"), side(to, "<")];
                let sides: Vec<String> = sides.into_iter().flatten().collect();
                sides.join(" AND ")
            }
            Condition::Prefix { text, .. } => format!("starts_with({name}, {})", Quoted(text)),
            Condition::IsNull { .. } => format!("{name} IS NULL"),
            Condition::IsNotNull { .. } => format!("{name} IS NOT NULL"),
        }
    }
}

/// A value as a literal of SQL.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "'{}'", self.0.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_as_sql() {
        let one = Condition::equals(0, "it's");
        assert_eq!(one.in_words("name"), "name = 'it''s'");
        let range = Condition::Range {
            column: 0,
            from: Some(Bound::inclusive("1")),
            to: Some(Bound::exclusive("9")),
        };
        assert_eq!(range.in_words("id"), "id >= '1' AND id < '9'");
        let many = Condition::OneOf {
            column: 0,
            values: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
        };
        assert_eq!(many.in_words("x"), "x IN ('a', 'b', 'c', …)");
    }
}
