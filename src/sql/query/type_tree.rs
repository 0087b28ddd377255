//! The recursive query by which asyncpg looks up types and those that they consist of.
//!
//! Owns recognising it, by the columns of its recursive table and its one parameter, and
//! answering it. Promises the rows that PostgreSQL gives for built-in types. Never plans
//! recursion: any other recursive query is cold.

use super::planner::folded;
use super::system::{format_type, type_by_oid};
use super::value::Row;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::WireFormat;
use crate::sql::{Answer, Bindings, Cell, ResultColumn};
use sqlparser::ast;

/// `oid[]`.
const OID_ARRAY: u32 = 1028;

/// Types that one query may ask for.
const TYPES_MAX: usize = 10_000;

/// The columns of the recursive table with their types, and what the query adds to them.
const COLUMNS: [(&str, u32); 14] = [
    ("oid", 26),
    ("ns", 19),
    ("name", 19),
    ("kind", 18),
    ("basetype", 26),
    ("elemtype", 26),
    ("elemdelim", 18),
    ("range_subtype", 26),
    ("attrtypoids", OID_ARRAY),
    ("attrnames", 1009),
    ("depth", 23),
    ("basetype_name", 25),
    ("elemtype_name", 25),
    ("range_subtype_name", 25),
];

/// How many of them the recursive table declares.
const DECLARED: usize = 11;

/// Whether a query is this one.
pub(super) fn is_type_tree(query: &ast::Query) -> bool {
    let Some(with) = &query.with else {
        return false;
    };
    let [table] = with.cte_tables.as_slice() else {
        return false;
    };
    let declared = table
        .alias
        .columns
        .iter()
        .map(|column| folded(&column.name));
    with.recursive
        && folded(&table.alias.name) == "typeinfo_tree"
        && declared.eq(COLUMNS[..DECLARED].iter().map(|(name, _)| *name))
        && selects_the_tree(query)
}

/// `SELECT DISTINCT *, basetype::regtype::text …, … FROM typeinfo_tree ORDER BY depth DESC`.
fn selects_the_tree(query: &ast::Query) -> bool {
    let ast::SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    let added = select.projection.iter().skip(1).map(|item| match item {
        ast::SelectItem::ExprWithAlias { alias, .. } => folded(alias),
        _ => String::new(),
    });
    let from_the_tree = match select.from.as_slice() {
        [from] => from.joins.is_empty() && from.relation.to_string() == "typeinfo_tree",
        _ => false,
    };
    from_the_tree
        && select.selection.is_none()
        && query.limit_clause.is_none()
        && matches!(
            select.projection.first(),
            Some(ast::SelectItem::Wildcard(_))
        )
        && added.eq(COLUMNS[DECLARED..].iter().map(|(name, _)| *name))
}

/// The types of its parameters.
pub(super) fn parameter_types() -> Vec<u32> {
    vec![OID_ARRAY]
}

pub(super) fn columns() -> Vec<ResultColumn> {
    COLUMNS
        .iter()
        .map(|(name, type_oid)| ResultColumn::of_type(*name, *type_oid))
        .collect()
}

/// The asked types at depth 0, those that they consist of below, deepest first.
///
/// # Errors
/// 42P02, 22P03 and 22P02 for a parameter that is no array of OIDs, 54000 for too many.
pub(super) fn answer(bindings: &Bindings) -> Result<Answer, Box<Diagnostic>> {
    let mut level = asked(bindings)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut depth = 0;
    // Elements and subtypes are built-in types: no chain of them is endless.
    while !level.is_empty() {
        let mut next = Vec::new();
        let mut added: Vec<Row> = Vec::new();
        level.sort_unstable();
        level.dedup();
        for oid in level {
            if let Some(row) = type_row(oid, depth) {
                added.push(row);
                next.extend(parts(oid));
            }
        }
        rows.splice(0..0, added);
        level = next;
        depth += 1;
    }
    Ok(Answer {
        columns: columns(),
        rows,
        tag: "SELECT",
    })
}

/// The types that a type consists of.
fn parts(oid: u32) -> Vec<u32> {
    type_by_oid(oid).map_or_else(Vec::new, |row| {
        [row.element, row.subtype]
            .into_iter()
            .filter(|part| *part != 0)
            .collect()
    })
}

fn type_row(oid: u32, depth: i32) -> Option<Row> {
    let row = type_by_oid(oid)?;
    let name = |oid: u32| Some(Cell::Text(format_type(oid, None)));
    // Only types of variable size have elements that are values of their own.
    let element = (row.length == -1 && row.element != 0)
        .then(|| type_by_oid(row.element))
        .flatten();
    let subtype = (row.subtype != 0).then_some(row.subtype);
    Some(vec![
        Some(Cell::Oid(oid)),
        Some(Cell::Text("pg_catalog".to_owned())),
        Some(Cell::Text(row.name.clone())),
        Some(Cell::Char(row.kind)),
        None,
        Some(Cell::Oid(row.element)),
        element.map(|element| Cell::Char(element.delimiter)),
        subtype.map(Cell::Oid),
        None,
        None,
        Some(Cell::Int4(depth)),
        None,
        name(row.element),
        subtype.and_then(name),
    ])
}

/// The OIDs in the one parameter.
fn asked(bindings: &Bindings) -> Result<Vec<u32>, Box<Diagnostic>> {
    let invalid = |sqlstate, message: &str| Err(Box::new(Diagnostic::error(sqlstate, message)));
    let oids = match bindings.get(0) {
        None => {
            return invalid(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1");
        }
        Some((_, None)) => Some(Vec::new()),
        Some((WireFormat::Binary(_), Some(bytes))) => binary_oids(bytes),
        Some((_, Some(bytes))) => text_oids(bytes),
    };
    match oids {
        None => invalid(
            SqlState::INVALID_BINARY_REPRESENTATION,
            "incorrect data format in bind parameter 1",
        ),
        Some(oids) if oids.len() > TYPES_MAX => invalid(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "the query asks for too many types",
        ),
        Some(oids) => Ok(oids),
    }
}

/// PostgreSQL's binary form of an array of OIDs of one dimension, or none.
fn binary_oids(bytes: &[u8]) -> Option<Vec<u32>> {
    let (words, []) = bytes.as_chunks::<4>() else {
        return None;
    };
    let mut words = words.iter().map(|word| u32::from_be_bytes(*word));
    let (dimensions, _nulls, _element) = (words.next()?, words.next()?, words.next()?);
    match dimensions {
        0 => return words.next().is_none().then(Vec::new),
        1 => {}
        _ => return None,
    }
    let (count, _first_index) = (words.next()?, words.next()?);
    let mut oids = Vec::new();
    while let Some(size) = words.next() {
        if size != 4 {
            return None;
        }
        oids.push(words.next()?);
    }
    (oids.len() == count as usize).then_some(oids)
}

/// `{16,1016}`.
fn text_oids(bytes: &[u8]) -> Option<Vec<u32>> {
    let inner = std::str::from_utf8(bytes)
        .ok()?
        .trim()
        .strip_prefix('{')?
        .strip_suffix('}')?;
    if inner.trim().is_empty() {
        return Some(Vec::new());
    }
    inner
        .split(',')
        .map(|oid| oid.trim().parse().ok())
        .collect()
}
