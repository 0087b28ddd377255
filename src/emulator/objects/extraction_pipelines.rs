//! Extraction pipelines: who brings data in, and when they were last seen.
//!
//! Owns the fields of a pipeline. Its runs stand in `extraction_pipeline_runs`, which also
//! writes when the last one of each kind was.

use super::field::{Field, Rule, Target};
use super::filter_rule::{Filter, FilterRule};
use super::kind::ObjectKind;
use super::schema::Schema;
use crate::emulator::answer::Refusal;
use crate::emulator::reference::check_chars;
use serde_json::Value;

/// Extraction pipelines.
pub const SCHEMA: Schema = Schema {
    fields: &[
        Field::filled_text("externalId", 255).required(),
        Field::filled_text("name", 140).required(),
        Field::new("dataSetId", Rule::Id(Target::DataSet)).required(),
        Field::text("description", 500).set_only(),
        Field::text("source", 255).set_only(),
        Field::text("documentation", 10_000).set_only(),
        Field::new("schedule", Rule::Structure(check_schedule)).set_only(),
        Field::new("rawTables", Rule::Structure(check_raw_tables)).set_only(),
        Field::new("contacts", Rule::Structure(check_contacts)).set_only(),
        Field::metadata(10_240, 10_240),
        Field::new("notificationConfig", Rule::Structure(check_notification)).set_only(),
        Field::text("createdBy", 255).fixed(),
    ],
    filters: &[
        Filter::equal("name"),
        Filter::equal("description"),
        Filter::equal("source"),
        Filter::equal("documentation"),
        Filter::equal("schedule"),
        Filter::equal("createdBy"),
        Filter::external_id_prefix(),
        Filter::metadata(),
        Filter::data_sets(),
        Filter::new("rawTables", "rawTables", FilterRule::AnyOf),
        Filter::new("contacts", "contacts", FilterRule::AnyOf),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    created_status: 200,
    not_found: "Extraction pipeline ids not found",
    complete: |fields| {
        // What never was is shown as the year 1970.
        for time in ["lastSuccess", "lastFailure", "lastSeen"] {
            fields.insert(time.to_owned(), 0.into());
        }
    },
    ..Schema::plain(ObjectKind::ExtractionPipelines, "extraction pipelines")
};

/// Takes the two words, a shorthand of cron (`@daily`, `@every 5m`), or five to seven cron
/// fields.
fn check_schedule(value: &Value) -> Result<(), Refusal> {
    let text = value.as_str().unwrap_or_default();
    let shorthand = [
        "annually", "yearly", "monthly", "weekly", "daily", "hourly", "reboot",
    ];
    let cron = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_digit() || "*/,-".contains(c))
    };
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let fits = match parts.as_slice() {
        ["On", "trigger"] | ["Continuous"] => true,
        ["@every", duration] => duration.starts_with(|c: char| c.is_ascii_digit()),
        [word] => word
            .strip_prefix('@')
            .is_some_and(|word| shorthand.contains(&word)),
        parts => (5..=7).contains(&parts.len()) && parts.iter().all(|part| cron(part)),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "schedule: {value} is none of On trigger, Continuous and a cron expression"
    )))
}

fn check_raw_tables(value: &Value) -> Result<(), Refusal> {
    let named =
        |table: &Value, name: &str| table[name].as_str().is_some_and(|name| !name.is_empty());
    let fits = value.as_array().is_some_and(|tables| {
        tables
            .iter()
            .all(|table| named(table, "dbName") && named(table, "tableName"))
    });
    if fits {
        return Ok(());
    }
    Err(Refusal::invalid(
        "rawTables: has to be a list of objects with dbName and tableName",
    ))
}

fn check_contacts(value: &Value) -> Result<(), Refusal> {
    let contacts = value
        .as_array()
        .filter(|contacts| contacts.iter().all(Value::is_object))
        .ok_or_else(|| Refusal::invalid("contacts: has to be a list of objects"))?;
    for email in contacts
        .iter()
        .filter_map(|contact| contact["email"].as_str())
    {
        check_chars("contacts.email", email, 254)?;
        if !email.contains('@') {
            return Err(Refusal::invalid(format!(
                "contacts: '{email}' is no email address"
            )));
        }
    }
    Ok(())
}

fn check_notification(value: &Value) -> Result<(), Refusal> {
    let minutes = &value["allowedNotSeenRangeInMinutes"];
    if value.is_object() && (minutes.is_null() || minutes.as_u64().is_some()) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "notificationConfig: allowedNotSeenRangeInMinutes has to be a whole number",
    ))
}
