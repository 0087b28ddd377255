//! Creating, updating and deleting objects.
//!
//! Owns the order of the checks and that a call takes effect as a whole or not at all. In
//! sink mode everything is checked that needs no other object, and nothing is stored but
//! data sets: those that are referred to have to exist in a sink as well.

use super::check::{check_fields, check_text, check_value};
use super::field::{Field, Fields, Rule, Updating};
use super::found::Found;
use super::kind::ObjectKind;
use super::operation::{Operation, malformed};
use super::references::{check_found, unknown};
use super::schema::Schema;
use super::sequences::{ColumnMoves, change_columns};
use super::shown::Shown;
use super::store::{Index, Object};
use super::{ITEMS_MAX, answers, assets};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::checksum;
use crate::emulator::clock;
use crate::emulator::json::{self, check_items};
use crate::emulator::reference::{Reference, check_distinct, refuse_doubled};
use crate::emulator::update::UpdateList;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::HashSet;

/// The items of a request, each as it was written.
#[derive(Deserialize)]
pub struct ItemTexts<'a> {
    #[serde(borrow)]
    pub items: Vec<&'a RawValue>,
}

/// Creates objects.
pub fn create(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let items = json::read_object::<ItemTexts<'_>>(&body)?.items;
    check_items(schema.plural, items.len(), schema.create_items_max)?;
    let found = take_in(call, schema, &items)?;
    if sinks(call, schema) {
        return Ok(answers::created(schema, &items));
    }
    check_found(call.project, &found)?;
    let fields = items
        .iter()
        .map(|item| read_fields(schema, item))
        .collect::<Result<Vec<_>, _>>()?;
    let mut index = call.project.objects.of(schema.kind).write();
    let now_ms = clock::now_ms();
    let mut objects: Vec<Object> = fields
        .into_iter()
        .map(|fields| Object {
            id: index.next_id(),
            fields,
            created_ms: now_ms,
            last_updated_ms: now_ms,
        })
        .collect();
    index.check_names(schema.plural, &objects)?;
    if schema.is_tree() {
        assets::place(&index, &mut objects)?;
    }
    Ok(store(schema, &mut index, objects, schema.created_status))
}

/// Counts and checks the items of a create call, and that none stands there twice.
pub fn take_in(
    call: &mut Call<'_>,
    schema: &Schema,
    items: &[&RawValue],
) -> Result<Found, Refusal> {
    count(call, items)?;
    let mut found = Found::default();
    for item in items {
        check_text(schema, item.get(), &mut found)?;
    }
    call.tally.keys = found.external_ids.iter().take(16).cloned().collect();
    let mut seen = HashSet::with_capacity(found.external_ids.len());
    let doubled: HashSet<&String> = found
        .external_ids
        .iter()
        .filter(|external_id| !seen.insert(*external_id))
        .collect();
    let duplicated: Vec<_> = doubled
        .iter()
        .map(|external_id| json!({"externalId": external_id}))
        .collect();
    if schema.doubled_is_conflict && !duplicated.is_empty() {
        return Err(Refusal::AlreadyExists {
            message: format!("The external ids of these {} are doubled", schema.plural),
            duplicated,
        });
    }
    refuse_doubled(duplicated)?;
    Ok(found)
}

/// What CDF stores of an item that was checked.
pub fn read_fields(schema: &Schema, item: &RawValue) -> Result<Fields, Refusal> {
    let mut fields: Fields = json::read(item.get().as_bytes())?;
    fields.retain(|name, value| !value.is_null() && schema.field(name).is_some());
    (schema.complete)(&mut fields);
    Ok(fields)
}

/// Counts the items of a write against the budgets, and sums them up.
pub fn count(call: &mut Call<'_>, items: &[&RawValue]) -> Result<(), Refusal> {
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    sum_up(call, items)
}

/// Sums up the items of a write.
pub fn sum_up(call: &mut Call<'_>, items: &[&RawValue]) -> Result<(), Refusal> {
    for item in items {
        let hash =
            checksum::object(item.get()).map_err(|error| json::refusal(&error.to_string()))?;
        call.tally.items_sum = call.tally.items_sum.wrapping_add(hash);
    }
    Ok(())
}

fn sinks(call: &Call<'_>, schema: &Schema) -> bool {
    call.sink() && schema.kind != ObjectKind::DataSets
}

fn store(schema: &Schema, index: &mut Index, objects: Vec<Object>, status: u16) -> Answer {
    let stored: Vec<_> = objects
        .into_iter()
        .map(|object| index.put(object))
        .collect();
    let shown: Vec<_> = stored
        .iter()
        .map(|object| Shown::whole(schema, index, object))
        .collect();
    Answer::items(status, &shown)
}

/// What one item of an update call asks for.
struct Wanted {
    reference: Reference,
    operations: Vec<(&'static Field, Operation)>,
}

/// Updates objects.
pub fn update(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let changes = json::read_object::<UpdateList>(&body)?.check(schema.plural, ITEMS_MAX)?;
    let items = json::read_object::<ItemTexts<'_>>(&body)?.items;
    count(call, &items)?;
    let mut found = Found::default();
    let mut wanted = Vec::with_capacity(changes.len());
    for change in changes {
        schema.check_reference(&change.reference)?;
        let mut operations = Vec::with_capacity(change.fields.len());
        for (name, operation) in change.fields {
            let field = schema
                .field(&name)
                .map(|(_, field)| field)
                .filter(|field| field.updating != Updating::Never)
                .ok_or_else(|| Refusal::invalid(format!("update.{name}: cannot be updated")))?;
            let operation = Operation::read(&name, operation)?;
            for value in operation.given() {
                check_value(field, value, &mut found)?;
            }
            operations.push((field, operation));
        }
        if let Some((one, other)) = schema.exclusive
            && [one, other].iter().all(|name| {
                let mut names = operations.iter().map(|(field, _)| field.name);
                names.any(|given| given == *name)
            })
        {
            return Err(malformed(one, &format!("no {other} beside it")));
        }
        wanted.push(Wanted {
            reference: change.reference,
            operations,
        });
    }
    call.tally.keys = wanted
        .iter()
        .take(16)
        .map(|wanted| wanted.reference.label())
        .collect();
    if sinks(call, schema) {
        let references = wanted.iter().map(|wanted| &wanted.reference);
        return Ok(answers::imagined(schema, references));
    }
    check_found(call.project, &found)?;
    let mut index = call.project.objects.of(schema.kind).write();
    let (objects, moves) = changed(schema, &index, wanted)?;
    let answer = store(schema, &mut index, objects, 200);
    call.project.objects.sequence_rows.follow(moves);
    Ok(answer)
}

/// The objects as they are to be, checked, and what becomes of the columns of sequences.
fn changed(
    schema: &Schema,
    index: &Index,
    wanted: Vec<Wanted>,
) -> Result<(Vec<Object>, Vec<ColumnMoves>), Refusal> {
    let references: Vec<&Reference> = wanted.iter().map(|wanted| &wanted.reference).collect();
    find_distinct(schema, index, &references, false)?;
    let now_ms = clock::now_ms();
    let mut objects = Vec::with_capacity(wanted.len());
    let mut moves = Vec::new();
    for Wanted {
        reference,
        operations,
    } in wanted
    {
        let Some(stored) = index.find(&reference) else {
            continue;
        };
        let mut object = Object::clone(stored);
        for (field, operation) in operations {
            if let Rule::Columns = field.rule {
                moves.push(change_columns(&mut object, operation)?);
            } else {
                operation.apply(field, &mut object.fields)?;
            }
        }
        object.last_updated_ms = now_ms;
        objects.push(object);
    }
    if schema.is_tree() {
        assets::place(index, &mut objects)?;
    }
    for object in &objects {
        check_fields(schema, &object.fields, &mut Found::default())?;
    }
    index.check_names(schema.plural, &objects)?;
    Ok((objects, moves))
}

/// The ids behind references, in their order. Unknown ones are a 400 with `missing`, or
/// left out with `ignore_unknown`; two references to one object are a 422.
pub fn find_distinct(
    schema: &Schema,
    index: &Index,
    references: &[&Reference],
    ignore_unknown: bool,
) -> Result<Vec<i64>, Refusal> {
    let missing: Vec<_> = references
        .iter()
        .filter(|reference| index.find(reference).is_none())
        .map(|reference| reference.to_json())
        .collect();
    if !missing.is_empty() && !ignore_unknown {
        return Err(unknown(schema.not_found, missing));
    }
    let mut seen = HashSet::with_capacity(references.len());
    let (mut ids, mut doubled) = (Vec::with_capacity(references.len()), Vec::new());
    for reference in references {
        let Some(object) = index.find(reference) else {
            continue;
        };
        ids.push(object.id);
        if !seen.insert(object.id) {
            doubled.push(reference.to_json());
        }
    }
    refuse_doubled(doubled)?;
    Ok(ids)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteFlags {
    recursive: Option<bool>,
}

/// Deletes objects.
pub fn delete(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let (references, ignore_unknown) = schema.read_references(&body)?;
    check_distinct(&references)?;
    let items = json::read_object::<ItemTexts<'_>>(&body)?.items;
    count(call, &items)?;
    call.tally.keys = references.iter().take(16).map(Reference::label).collect();
    let done = Answer::raw(schema.deleted_status, b"{}".to_vec());
    if sinks(call, schema) {
        return Ok(done);
    }
    let recursive = json::read_object::<DeleteFlags>(&body)?.recursive;
    let references: Vec<&Reference> = references.iter().collect();
    let mut index = call.project.objects.of(schema.kind).write();
    let mut ids = find_distinct(schema, &index, &references, ignore_unknown)?;
    if schema.is_tree() {
        ids = assets::with_descendants(&index, ids, recursive.unwrap_or(false))?;
    }
    for id in &ids {
        index.remove(*id);
    }
    drop(index);
    call.project.objects.forget(schema.kind, &ids);
    Ok(done)
}
