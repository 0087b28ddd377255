//! The data of one project.
//!
//! Owns one store per resource; a resource never reaches into another's store except
//! through its methods.

use super::data_modeling::ModelStore;
use super::objects::Objects;
use super::raw::RawStore;
use super::time_series::TimeSeriesStore;

/// What a project holds.
#[derive(Debug, Default)]
pub struct Project {
    pub time_series: TimeSeriesStore,
    pub objects: Objects,
    pub raw: RawStore,
    pub model: ModelStore,
}
