//! The endpoints of objects.
//!
//! Owns their paths and the names of their operations: the calls that every resource has
//! alike, and those of one alone. Never looks at a body.

use super::kind::{ObjectKind, Verb};
use crate::emulator::answer::Refusal;
use crate::emulator::query::percent_decode;
use crate::emulator::route::{PathNames, pick, unknown_path};
use axum::http::Method;

/// One operation on objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectOperation {
    On(ObjectKind, Verb),
    /// Putting the content of a file; its path is not below a project.
    FilesUpload,
    FilesUploadLink,
    RunsCreate,
    RunsList,
    RowsInsert,
    RowsList,
    RowsLatest,
    RowsDelete,
}

impl ObjectOperation {
    /// The name, as budgets, faults and figures use it.
    pub fn name(self) -> &'static str {
        match self {
            Self::On(kind, verb) => kind.operation_name(verb),
            Self::FilesUpload => "files.upload",
            Self::FilesUploadLink => "files.uploadlink",
            Self::RunsCreate => "extraction_pipeline_runs.create",
            Self::RunsList => "extraction_pipeline_runs.list",
            Self::RowsInsert => "sequence_rows.insert",
            Self::RowsList => "sequence_rows.list",
            Self::RowsLatest => "sequence_rows.latest",
            Self::RowsDelete => "sequence_rows.delete",
        }
    }
}

/// Finds the operation of a path below the project.
pub fn resolve(
    method: &Method,
    path: &str,
    segments: &[&str],
    names: &mut PathNames,
) -> Result<ObjectOperation, Refusal> {
    use ObjectOperation as O;
    let (get, post) = match segments {
        ["files", "uploadlink"] => (None, Some(O::FilesUploadLink)),
        ["extpipes", "runs"] => (Some(O::RunsList), Some(O::RunsCreate)),
        ["extpipes", "runs", "list"] => (None, Some(O::RunsList)),
        ["sequences", "data"] => (None, Some(O::RowsInsert)),
        ["sequences", "data", "list"] => (None, Some(O::RowsList)),
        ["sequences", "data", "latest"] => (None, Some(O::RowsLatest)),
        ["sequences", "data", "delete"] => (None, Some(O::RowsDelete)),
        [segment, rest @ ..] => {
            let kind = ObjectKind::from_path(segment).ok_or_else(|| unknown_path(path))?;
            let served = |verb| {
                kind.schema()
                    .verbs
                    .contains(&verb)
                    .then_some(O::On(kind, verb))
            };
            match rest {
                [] => {
                    let lists = served(Verb::List).filter(|_| kind.schema().lists_by_get);
                    (lists, served(Verb::Create))
                }
                ["list"] => (None, served(Verb::List)),
                ["byids"] => (None, served(Verb::ByIds)),
                ["update"] => (None, served(Verb::Update)),
                ["delete"] => (None, served(Verb::Delete)),
                ["aggregate"] => (None, served(Verb::Aggregate)),
                [id] => {
                    names.key = percent_decode(id)?;
                    (served(Verb::Get), None)
                }
                _ => (None, None),
            }
        }
        [] => (None, None),
    };
    if get.is_none() && post.is_none() {
        return Err(unknown_path(path));
    }
    pick(method, path, get, post)
}
