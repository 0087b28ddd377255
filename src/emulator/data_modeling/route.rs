//! The endpoints of data modeling.
//!
//! Owns their paths below `/models` and the names of their operations. Instances that are
//! read share the start of their names, `models.instances.read`, as they share a budget.
//! Never looks at a body.

use crate::emulator::answer::Refusal;
use crate::emulator::route::{pick, unknown_path};
use axum::http::Method;

/// One operation of data modeling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataModelingOperation {
    SpacesApply,
    SpacesList,
    SpacesByIds,
    SpacesDelete,
    ContainersApply,
    ContainersList,
    ContainersByIds,
    ContainersDelete,
    ConstraintsDelete,
    IndexesDelete,
    ViewsApply,
    ViewsList,
    ViewsByIds,
    ViewsDelete,
    DataModelsApply,
    DataModelsList,
    DataModelsByIds,
    DataModelsDelete,
    InstancesApply,
    InstancesDelete,
    InstancesByIds,
    InstancesList,
    Statistics,
    StatisticsBySpace,
    StatisticsBySpaceIds,
}

impl DataModelingOperation {
    /// The name, as budgets, faults and figures use it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SpacesApply => "models.spaces.apply",
            Self::SpacesList => "models.spaces.list",
            Self::SpacesByIds => "models.spaces.byids",
            Self::SpacesDelete => "models.spaces.delete",
            Self::ContainersApply => "models.containers.apply",
            Self::ContainersList => "models.containers.list",
            Self::ContainersByIds => "models.containers.byids",
            Self::ContainersDelete => "models.containers.delete",
            Self::ConstraintsDelete => "models.containers.constraints.delete",
            Self::IndexesDelete => "models.containers.indexes.delete",
            Self::ViewsApply => "models.views.apply",
            Self::ViewsList => "models.views.list",
            Self::ViewsByIds => "models.views.byids",
            Self::ViewsDelete => "models.views.delete",
            Self::DataModelsApply => "models.datamodels.apply",
            Self::DataModelsList => "models.datamodels.list",
            Self::DataModelsByIds => "models.datamodels.byids",
            Self::DataModelsDelete => "models.datamodels.delete",
            Self::InstancesApply => "models.instances.apply",
            Self::InstancesDelete => "models.instances.delete",
            Self::InstancesByIds => "models.instances.read.byids",
            Self::InstancesList => "models.instances.read.list",
            Self::Statistics => "models.statistics",
            Self::StatisticsBySpace => "models.statistics.spaces.list",
            Self::StatisticsBySpaceIds => "models.statistics.spaces.byids",
        }
    }
}

/// Finds the operation for the segments behind `/models`.
pub fn resolve(
    method: &Method,
    path: &str,
    rest: &[&str],
) -> Result<DataModelingOperation, Refusal> {
    use DataModelingOperation as O;
    match rest {
        ["spaces"] => pick(method, path, Some(O::SpacesList), Some(O::SpacesApply)),
        ["spaces", "byids"] => pick(method, path, None, Some(O::SpacesByIds)),
        ["spaces", "delete"] => pick(method, path, None, Some(O::SpacesDelete)),
        ["containers"] => pick(
            method,
            path,
            Some(O::ContainersList),
            Some(O::ContainersApply),
        ),
        ["containers", "byids"] => pick(method, path, None, Some(O::ContainersByIds)),
        ["containers", "delete"] => pick(method, path, None, Some(O::ContainersDelete)),
        ["containers", "constraints", "delete"] => {
            pick(method, path, None, Some(O::ConstraintsDelete))
        }
        ["containers", "indexes", "delete"] => pick(method, path, None, Some(O::IndexesDelete)),
        ["views"] => pick(method, path, Some(O::ViewsList), Some(O::ViewsApply)),
        ["views", "byids"] => pick(method, path, None, Some(O::ViewsByIds)),
        ["views", "delete"] => pick(method, path, None, Some(O::ViewsDelete)),
        ["datamodels"] => pick(
            method,
            path,
            Some(O::DataModelsList),
            Some(O::DataModelsApply),
        ),
        ["datamodels", "byids"] => pick(method, path, None, Some(O::DataModelsByIds)),
        ["datamodels", "delete"] => pick(method, path, None, Some(O::DataModelsDelete)),
        ["instances"] => pick(method, path, None, Some(O::InstancesApply)),
        ["instances", "delete"] => pick(method, path, None, Some(O::InstancesDelete)),
        ["instances", "byids"] => pick(method, path, None, Some(O::InstancesByIds)),
        ["instances", "list"] => pick(method, path, None, Some(O::InstancesList)),
        ["statistics"] => pick(method, path, Some(O::Statistics), None),
        ["statistics", "spaces"] => pick(method, path, Some(O::StatisticsBySpace), None),
        ["statistics", "spaces", "byids"] => {
            pick(method, path, None, Some(O::StatisticsBySpaceIds))
        }
        _ => Err(unknown_path(path)),
    }
}
