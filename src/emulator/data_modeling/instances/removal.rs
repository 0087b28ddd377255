//! `POST /models/instances/delete`: deleting nodes and edges.
//!
//! Owns the call. A node takes its edges along; what is not there is left out of the
//! answer. In sink mode nothing is there.

use super::super::body;
use super::apply::commit;
use super::given::{self, GivenDeletion, Options};
use super::staging::Staging;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::reference::Reference;
use serde::Deserialize;

#[derive(Deserialize)]
struct DeleteRequest {
    items: Vec<GivenDeletion>,
}

/// Deletes, all or nothing.
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = body::<DeleteRequest>(call)?.items;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    given::check(&[], &items)?;
    call.tally.keys = items
        .iter()
        .take(16)
        .map(|item| Reference::InstanceId(item.id()).label())
        .collect();
    if call.sink() {
        return Ok(Answer::items::<()>(200, &[]));
    }
    let mut model = call.project.model.write();
    let mut staging = Staging::new(&model, Options::default());
    let deleted = staging.delete(&items)?;
    let changes = staging.finish();
    commit(&mut model, call.project, changes);
    Ok(Answer::items(200, &deleted))
}
