//! Files: their descriptions, and the place where their content goes.
//!
//! Owns the fields of a file, creating one (a bare object, one per call, replaced where
//! `overwrite` says so) and the upload of its content, of which only the fact is kept. The
//! name of a file never changes.

use super::assets::check_geo_location;
use super::changes::{find_distinct, read_fields, take_in};
use super::field::{Field, Rule, Target};
use super::filter_rule::{Filter, FilterRule};
use super::kind::ObjectKind;
use super::references::check_found;
use super::schema::Schema;
use super::shown::Shown;
use super::store::{Index, Object};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::clock;
use crate::emulator::json::{self, check_items};
use crate::emulator::reference::check_chars;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Most files per call for a place to upload to.
const LINKS_MAX: usize = 1;

/// Files.
pub const SCHEMA: Schema = Schema {
    fields: &[
        Field::external_id(),
        Field::filled_text("name", 256).required().fixed(),
        Field::new("directory", Rule::Structure(check_directory)),
        Field::text("source", 128),
        Field::text("mimeType", 256),
        Field::metadata(10_240, 10_240),
        Field::new(
            "assetIds",
            Rule::Ids {
                of: Target::Asset,
                most: 1_000,
            },
        ),
        Field::new(
            "securityCategories",
            Rule::Ids {
                of: Target::Unchecked,
                most: 100,
            },
        ),
        Field::new("sourceCreatedTime", Rule::Time),
        Field::new("sourceModifiedTime", Rule::Time),
        Field::labels(),
        Field::data_set(),
        Field::new("geoLocation", Rule::Structure(check_geo_location)),
    ],
    filters: &[
        Filter::equal("name"),
        Filter::new("directoryPrefix", "directory", FilterRule::Prefix),
        Filter::equal("mimeType"),
        Filter::equal("source"),
        Filter::equal("uploaded"),
        Filter::external_id_prefix(),
        Filter::metadata(),
        Filter::new("assetIds", "assetIds", FilterRule::AnyOf),
        Filter::new("assetExternalIds", "assetIds", FilterRule::AssetExternalIds),
        Filter::new("assetSubtreeIds", "assetIds", FilterRule::Subtree),
        Filter::new("rootAssetIds", "assetIds", FilterRule::Subtree),
        Filter::labels(),
        Filter::data_sets(),
        Filter::range("uploadedTime"),
        Filter::range("sourceCreatedTime"),
        Filter::range("sourceModifiedTime"),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    partitions_max: Some(10),
    not_found: "File ids not found",
    complete: |fields| {
        fields.insert("uploaded".to_owned(), false.into());
    },
    ..Schema::plain(ObjectKind::Files, "files")
};

fn check_directory(value: &Value) -> Result<(), Refusal> {
    let Some(directory) = value.as_str() else {
        return Err(Refusal::invalid("directory: has to be a string"));
    };
    check_chars("directory", directory, 512)?;
    if directory.starts_with('/') {
        return Ok(());
    }
    Err(Refusal::invalid(
        "directory: has to be an absolute path that starts with a slash",
    ))
}

/// A file in the answer to its creation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    #[serde(flatten)]
    file: Shown<'a>,
    upload_url: String,
}

/// `POST /files`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body = call.bytes();
    // Read as an object first: the shape of what is wrong with another body is CDF's.
    let item = json::read_object::<&RawValue>(&body)?;
    let overwrite = call.query.flag("overwrite", false)?;
    let found = take_in(call, &SCHEMA, &[item])?;
    let fields = read_fields(&SCHEMA, item)?;
    if !call.sink() {
        check_found(call.project, &found)?;
    }
    let mut index = call.project.objects.of(ObjectKind::Files).write();
    let now_ms = clock::now_ms();
    let replaced = found
        .external_ids
        .first()
        .filter(|_| overwrite)
        .and_then(|external_id| index.find_named(external_id))
        .cloned();
    let file = Object {
        id: match &replaced {
            Some(replaced) => replaced.id,
            None => index.next_id(),
        },
        fields,
        created_ms: replaced.map_or(now_ms, |replaced| replaced.created_ms),
        last_updated_ms: now_ms,
    };
    index.check_names(SCHEMA.plural, std::slice::from_ref(&file))?;
    let answer = |index: &Index, file: &Object| {
        let created = Created {
            file: Shown::whole(&SCHEMA, index, file),
            upload_url: upload_url(call.host, &call.names.project, file.id),
        };
        Answer::json(SCHEMA.created_status, &created)
    };
    if call.sink() {
        return Ok(answer(&index, &file));
    }
    let file = index.put(file);
    Ok(answer(&index, &file))
}

/// `POST /files/uploadlink`: another place for the content of a file that is there.
pub fn upload_link(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (references, _) = SCHEMA.read_references(&call.bytes())?;
    check_items("files", references.len(), LINKS_MAX)?;
    let references: Vec<_> = references.iter().collect();
    let index = call.project.objects.of(ObjectKind::Files).read();
    let ids = find_distinct(&SCHEMA, &index, &references, false)?;
    let links: Vec<_> = ids
        .iter()
        .filter_map(|id| index.get(*id))
        .map(|file| Created {
            file: Shown::whole(&SCHEMA, &index, file),
            upload_url: upload_url(call.host, &call.names.project, file.id),
        })
        .collect();
    call.tally.items = links.len() as u64;
    Ok(Answer::items(201, &links))
}

/// Where the content of a file is to be put. The place asks for no token, as CDF's does.
fn upload_url(host: &str, project: &str, id: i64) -> String {
    format!("http://{host}/upload/{project}/{id}")
}

/// `PUT` of the content of a file.
pub fn upload(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let mut index = call.project.objects.of(ObjectKind::Files).write();
    let id = call.names.key.parse().ok();
    let Some(file) = id.and_then(|id: i64| index.get(id)) else {
        if call.sink() {
            return Ok(Answer::empty());
        }
        return Err(Refusal::NotFound {
            message: "No file is expected here".to_owned(),
            missing: Vec::new(),
        });
    };
    let mut file = Object::clone(file);
    let now_ms = clock::now_ms();
    file.fields.insert("uploaded".to_owned(), true.into());
    file.fields.insert("uploadedTime".to_owned(), now_ms.into());
    file.last_updated_ms = now_ms;
    index.put(file);
    call.tally.items = 1;
    Ok(Answer::empty())
}
