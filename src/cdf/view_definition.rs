//! A custom table's definition from a view of data modeling.
//!
//! Owns the reading of `{"type": "view", …}` and the look at the view behind it. Promises that the
//! definition holds the view's properties as they are at that moment. Never keeps anything.

use super::{CdfClient, Identity};
use crate::catalog::{Definition, DefinitionFault, InstanceType, Source, table_name};
use crate::diagnostic::Diagnostic;
use serde_json::{Map, Value};

/// Why there is no definition, by what its author does next.
#[derive(Debug, thiserror::Error)]
pub enum ViewFault {
    /// Change the request.
    #[error(transparent)]
    Definition(#[from] DefinitionFault),
    /// Make the view, or give the principal access to it.
    #[error(
        "CDF has no such view \"{external_id}\" in space \"{space}\", or the principal may not read it"
    )]
    Missing { space: String, external_id: String },
    /// CDF could not be asked, or refused.
    #[error("{0}")]
    Cdf(Box<Diagnostic>),
}

impl CdfClient {
    /// Reads `{"type": "view", "tablename", "options": {"space", "externalId", "version"?,
    /// "instanceType"?}}`, with the properties that the view has now, as `identity` sees it.
    ///
    /// # Errors
    /// See [`ViewFault`].
    pub async fn view_definition(
        &self,
        identity: &Identity,
        item: &Map<String, Value>,
    ) -> Result<Definition, ViewFault> {
        let fault = |text: &str| DefinitionFault(text.to_owned());
        known(item, &["type", "tablename", "options"], "a table of a view")?;
        let name = table_name(item)?;
        let options = item
            .get("options")
            .and_then(Value::as_object)
            .ok_or_else(|| fault("options is missing"))?;
        known(
            options,
            &["space", "externalId", "version", "instanceType"],
            "options",
        )?;
        let option = |field: &str| match options.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
            Some(_) => Err(fault(&format!(
                "options.{field} must be a string that is not empty"
            ))),
        };
        let space = option("space")?.ok_or_else(|| fault("options.space is missing"))?;
        let external_id =
            option("externalId")?.ok_or_else(|| fault("options.externalId is missing"))?;
        let asked = match option("instanceType")? {
            None => None,
            Some("node") => Some(InstanceType::Node),
            Some("edge") => Some(InstanceType::Edge),
            Some(_) => {
                return Err(fault("options.instanceType must be \"node\" or \"edge\"").into());
            }
        };
        let view = self
            .view_properties(identity, space, external_id, option("version")?)
            .await
            .map_err(ViewFault::Cdf)?
            .ok_or_else(|| ViewFault::Missing {
                space: space.to_owned(),
                external_id: external_id.to_owned(),
            })?;
        let instance_type = match (view.instance_type, asked) {
            (Some(only), Some(asked)) if only != asked => {
                return Err(fault("options.instanceType is not what the view is for").into());
            }
            (only, asked) => only.or(asked).unwrap_or(InstanceType::Node),
        };
        Ok(Definition {
            name,
            source: Source::View {
                space: space.to_owned(),
                external_id: external_id.to_owned(),
                version: view.version,
                instance_type,
            },
            columns: view.properties,
        })
    }
}

/// A misspelt option must not be taken for its default.
fn known(fields: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), DefinitionFault> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(DefinitionFault(format!(
            "{place} has a field \"{unknown}\", which is not known; there are {}",
            known.join(", ")
        ))),
    }
}
