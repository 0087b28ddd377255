//! Time series that are nodes.
//!
//! Owns what a project's time series take over from a node with data in
//! `cdf_cdm:CogniteTimeSeries`. CDF's syncer does it some time later; here it is done with
//! the write, so that datapoints can follow at once.

use super::super::core_model::{DESCRIBABLE, TIME_SERIES};
use super::instance::Instance;
use crate::emulator::project::Project;
use crate::emulator::reference::EXTERNAL_ID_CHARS_MAX;
use crate::emulator::time_series::NewTimeSeries;
use serde_json::Value;

/// Makes or renews the time series of a node that is one.
pub fn follow(project: &Project, instance: &Instance) {
    // A longer external id cannot be written as the instance id of datapoints.
    let fits = instance.id.external_id.chars().count() <= EXTERNAL_ID_CHARS_MAX;
    if !instance.data.contains_key(&TIME_SERIES) || !fits {
        return;
    }
    let own = |property: &str| instance.value(&TIME_SERIES, property);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let unit = own("unit").and_then(|target| target.get("externalId"));
    project.time_series.follow_instance(NewTimeSeries {
        instance_id: Some(instance.id.clone()),
        is_string: Some(own("type").and_then(Value::as_str) == Some("string")),
        is_step: own("isStep").and_then(Value::as_bool),
        unit: text(own("sourceUnit")),
        unit_external_id: text(unit),
        name: text(instance.value(&DESCRIBABLE, "name")),
        description: text(instance.value(&DESCRIBABLE, "description")),
        ..NewTimeSeries::default()
    });
}

/// Deletes the time series of a node that was one, with its datapoints.
pub fn forget(project: &Project, instance: &Instance) {
    if instance.data.contains_key(&TIME_SERIES) {
        project.time_series.forget_instance(&instance.id);
    }
}
