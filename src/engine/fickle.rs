//! Functions whose results are of the moment: those that make an answer unfit to be kept.
//!
//! Owns the judgement whether a question about the catalog has the same answer the next time.
//! Promises that every function that PostgreSQL calls volatile counts as fickle, and of those that
//! hold still within one statement all but the ones that tell of the catalog: what is not known is
//! fickle. Never runs a question.

use super::fault::EngineFault;
use super::link::EngineLink;
use super::relations::Relations;
use std::collections::HashSet;

/// Names of functions that PostgreSQL calls stable and that depend on nothing but the catalog,
/// their arguments, and the settings that are part of a question.
const OF_THE_CATALOG: &str = "_pg_.*|aclexplode|array_.*|.*_description|concat|concat_ws|\
    current_database|current_schemas?|current_user|session_user|enum_.*|format|format_type|\
    getdatabaseencoding|getpgusername|has_.*|jsonb?_(agg|object_agg|build_).*|length|\
    oidvectortypes|pg_char_to_encoding|pg_client_encoding|pg_collation_for|\
    pg_column_is_updatable|pg_describe_object|pg_encoding_to_char|\
    pg_get_(constraintdef|expr|function.*|indexdef|keywords|partkeydef|partition_constraintdef|\
    ruledef|serial_sequence|statisticsobjdef.*|triggerdef|userbyid|viewdef)|pg_has_role|\
    pg_identify_object.*|pg_index.*_has_property|pg_is_other_temp_schema|pg_my_temp_schema|\
    pg_options_to_table|pg_relation_is_updatable|pg_relation_is_publishable|\
    pg_typeof|pg_.*_is_visible|quote_.*|reg(class|namespace|oper|operator|\
    proc|procedure|role|type|collation|config|dictionary)(in|out)?|regclass|row_to_json|to_jsonb?|\
    to_reg.*|version";

/// Words by which a text or a value means the present without calling a function.
const OF_THE_PRESENT: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// Functions without parentheses that do.
const KEYWORDS: [&str; 5] = [
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
];

/// The fickle functions of a PostgreSQL.
#[derive(Debug)]
pub struct Fickle {
    names: HashSet<String>,
}

impl Fickle {
    /// Asks the engine which they are.
    ///
    /// # Errors
    /// `Broken` when it is gone.
    pub async fn of(link: &mut EngineLink) -> Result<Self, EngineFault> {
        let rows = link
            .run(&format!(
                "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE provolatile = 'v' OR \
                 (provolatile = 's' AND proname !~ '^({OF_THE_CATALOG})$')"
            ))
            .await?;
        let names = rows.into_iter().flatten().flatten().collect();
        Ok(Fickle { names })
    }

    /// Whether a statement asks about the catalog, or about nothing, and is answered alike as long
    /// as the catalog is the same.
    pub fn lets_keep(&self, text: &str, relations: &Relations) -> bool {
        let is_known = |name: &String| !self.names.contains(name);
        relations.are_of_the_catalog()
            // A view's functions are in the plan; those of LIMIT and VALUES are only in the text.
            && relations.calls.iter().all(is_known)
            && calls_in(text).all(|name| is_known(&name))
            && !means_the_present(text)
            && !hides_words(text)
    }
}

/// Whether a text holds a word that means the present.
pub fn means_the_present(text: &str) -> bool {
    let is_one_of =
        |word: &str, words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    // PostgreSQL reads letters alone as a word of a time: now2026 has two parts.
    let mut words = text.split(|letter: char| !letter.is_ascii_alphabetic());
    let mut names = text.split(|letter: char| !letter.is_ascii_alphabetic() && letter != '_');
    words.any(|word| is_one_of(word, &OF_THE_PRESENT))
        || names.any(|name| is_one_of(name, &KEYWORDS))
}

/// Whether escapes may spell a word that is not seen.
fn hides_words(text: &str) -> bool {
    let bytes = text.as_bytes();
    let escapes = memchr::memchr_iter(b'\\', bytes).any(|at| {
        (bytes.get(at + 1)).is_some_and(|next| matches!(next, b'x' | b'u' | b'U' | b'0'..=b'7'))
    });
    escapes
        || memchr::memchr_iter(b'&', bytes).any(|at| at > 0 && matches!(bytes[at - 1], b'u' | b'U'))
}

/// Names that a text may call: those before a parenthesis, in lower case.
pub(super) fn calls_in(text: &str) -> impl Iterator<Item = String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if !is_of_name(bytes[at]) {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && is_of_name(bytes[at]) {
                at += 1;
            }
            if is_called(&bytes[at..]) {
                let name = String::from_utf8_lossy(&bytes[start..at]);
                return Some(name.to_lowercase());
            }
        }
        None
    })
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// Whether a parenthesis comes next, whatever is between.
fn is_called(after: &[u8]) -> bool {
    let mut rest = after.strip_prefix(b"\"").unwrap_or(after);
    loop {
        rest = rest.trim_ascii_start();
        if rest.starts_with(b"--") {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            rest = &rest[end..];
        } else if rest.starts_with(b"/*") {
            // They nest: whatever follows counts as a call.
            return true;
        } else {
            return rest.starts_with(b"(");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fickle() -> Fickle {
        let names = ["random", "pg_backend_pid", "pg_stat_get_activity", "now"];
        Fickle {
            names: names.map(str::to_owned).into(),
        }
    }

    fn lets_keep(text: &str) -> bool {
        fickle().lets_keep(text, &Relations::default())
    }

    #[test]
    fn questions_about_the_catalog_may_be_kept() {
        for text in [
            "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE attnum > 0",
            "SELECT relname FROM pg_class WHERE relname OPERATOR(pg_catalog.~) '^(known)$'",
            "SELECT 'random', random FROM (SELECT 1 AS random) AS t",
        ] {
            assert!(lets_keep(text), "{text}");
        }
    }

    #[test]
    fn what_is_of_the_moment_is_not_kept_however_it_is_spelled() {
        for text in [
            "SELECT random()",
            "SELECT pg_catalog.RANDOM ()",
            "SELECT \"random\"()",
            "SELECT random -- why\n ()",
            "SELECT random /* a /* b */ */ ()",
            "SELECT oid FROM pg_class LIMIT (random() * 5)::int",
            "SELECT 'NOW'::timestamptz",
            "SELECT date 'today'",
            "SELECT CURRENT_TIMESTAMP",
            "SELECT localtime",
            "SELECT E'n\\x6fw'::timestamptz",
            "SELECT U&'n\\006fw'::timestamptz",
        ] {
            assert!(!lets_keep(text), "{text}");
        }
    }

    #[test]
    fn a_plan_that_calls_such_a_function_is_not_kept() {
        let plan = r#"[{"Plan": {"Node Type": "Function Scan", "Schema": "pg_catalog",
            "Function Name": "pg_stat_get_activity"}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        assert!(!fickle().lets_keep("SELECT * FROM pg_stat_activity", &relations));
        let plan = r#"[{"Plan": {"Node Type": "Seq Scan", "Schema": "pg_catalog",
            "Relation Name": "pg_class", "Output": ["pg_backend_pid()"]}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        assert!(!fickle().lets_keep("SELECT * FROM a_view", &relations));
    }

    #[test]
    fn rows_of_the_gateways_tables_are_not_kept() {
        let plan = r#"[{"Plan": {"Node Type": "Seq Scan", "Schema": "public",
            "Relation Name": "assets"}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        assert!(!fickle().lets_keep("SELECT name FROM assets", &relations));
    }
}
