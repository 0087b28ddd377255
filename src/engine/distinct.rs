//! The values that a column of an engine's relation has.
//!
//! Owns the question for them. Promises all of them, each once, as texts that compare as the values
//! do; or none where they do not compare so, or are too many. Never keeps more than its bounds.

use super::fault::EngineFault;
use super::link::EngineLink;
use super::relations::Relation;
use super::{identifier, literal};
use crate::catalog::ColumnType;

/// Bytes that values have.
const BYTES_MAX: usize = 8 << 20;

/// OIDs of types whose equality is that of `text`: `text` and `varchar`.
const TEXTS: [u32; 2] = [25, 1043];

/// The same of `bigint`: it, `smallint` and `integer`.
const NUMBERS: [u32; 3] = [20, 21, 23];

/// The values of a column that is compared with one of type `compared`, but for NULL. `None`: there is no
/// such column, it is compared otherwise, or there are more than `values_max`.
///
/// # Errors
/// `Broken` when the engine is gone.
pub async fn distinct_texts(
    link: &mut EngineLink,
    relation: &Relation,
    column: &str,
    compared: ColumnType,
    values_max: usize,
) -> Result<Option<Vec<String>>, EngineFault> {
    let types: &[u32] = match compared {
        ColumnType::Text | ColumnType::Varchar(_) => &TEXTS,
        ColumnType::BigInt => &NUMBERS,
        _ => return Ok(None),
    };
    let name = format!(
        "{}.{}",
        identifier(&relation.schema),
        identifier(&relation.name)
    );
    // A collation may take texts for equal that are not the same bytes.
    let described = link
        .run(&format!(
            "SELECT a.atttypid::pg_catalog.text FROM pg_catalog.pg_attribute AS a \
             LEFT JOIN pg_catalog.pg_collation AS c ON c.oid = a.attcollation \
             WHERE a.attrelid = {}::pg_catalog.regclass AND a.attname = {} AND a.attnum > 0 \
             AND NOT a.attisdropped AND c.collisdeterministic IS NOT FALSE",
            literal(&name),
            literal(column)
        ))
        .await?;
    let type_oid: Option<u32> = match described.as_slice() {
        [row] => row.first().and_then(|oid| oid.as_deref()?.parse().ok()),
        _ => None,
    };
    if !type_oid.is_some_and(|oid| types.contains(&oid)) {
        return Ok(None);
    }
    let column = identifier(column);
    link.ask(&format!(
        "SELECT DISTINCT {column}::pg_catalog.text FROM {name} WHERE {column} IS NOT NULL \
         LIMIT {}",
        values_max.saturating_add(1)
    ))?;
    link.send().await?;
    let (mut values, mut bytes) = (Vec::new(), 0);
    link.until_ready(|frame| {
        if frame.kind == b'D' && values.len() <= values_max && bytes <= BYTES_MAX {
            let value = frame.values()?.into_iter().flatten().next();
            bytes += frame.bytes.len();
            values.extend(value);
        }
        Ok(())
    })
    .await?;
    let are_few = values.len() <= values_max && bytes <= BYTES_MAX;
    Ok(are_few.then_some(values))
}
