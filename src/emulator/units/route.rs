//! The endpoints of units.
//!
//! Owns their paths below `/units` and the names of their operations.

use crate::emulator::answer::Refusal;
use crate::emulator::query::percent_decode;
use crate::emulator::route::{PathNames, pick, unknown_path};
use axum::http::Method;

/// One operation on units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitOperation {
    List,
    Get,
    ByIds,
    Systems,
}

impl UnitOperation {
    /// The name, as budgets, faults and figures use it.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "units.list",
            Self::Get => "units.get",
            Self::ByIds => "units.byids",
            Self::Systems => "units.systems.list",
        }
    }
}

/// Finds the operation for the segments behind `/units`.
pub fn resolve(
    method: &Method,
    path: &str,
    rest: &[&str],
    names: &mut PathNames,
) -> Result<UnitOperation, Refusal> {
    match rest {
        [] => pick(method, path, Some(UnitOperation::List), None),
        ["systems"] => pick(method, path, Some(UnitOperation::Systems), None),
        ["byids"] => pick(method, path, None, Some(UnitOperation::ByIds)),
        [external_id] => {
            names.key = percent_decode(external_id)?;
            pick(method, path, Some(UnitOperation::Get), None)
        }
        _ => Err(unknown_path(path)),
    }
}
