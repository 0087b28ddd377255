//! What people are shown of rows on their way: counts of one identity, and what holds them up.

use crate::cdf::Fate;
use crate::rows::datapoints;
use crate::world::{World, settings};
use penstock::catalog::Resource;
use penstock::pipeline::{QueueFigures, QueueState};
use penstock::rows::SeriesReference;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn write(world: &mut World, identity: usize, series: &str, waits: bool) {
    let points = [(SeriesReference::ExternalId(series.into()), 1)];
    let batch = datapoints(&points, world.next_place());
    world.submit(identity, identity as u64, batch, waits);
}

fn figures(world: &World, identity: usize) -> Option<QueueFigures> {
    let sequencer = world.sequencer.as_ref().expect("it lives");
    sequencer.figures(world.now, world.identity(identity))
}

/// The word, and the rows that wait and that are part of requests.
fn shown(world: &World, identity: usize) -> (QueueState, usize, u64) {
    let figures = figures(world, identity).expect("it has written");
    (figures.state, figures.waiting_rows, figures.requested_rows)
}

#[test]
fn rows_are_shown_from_their_arrival_to_their_verdict() {
    let mut world = World::new(settings(Resource::Datapoints));
    assert!(figures(&world, 0).is_none(), "nothing was ever there");
    write(&mut world, 0, "a", false);
    assert_eq!(shown(&world, 0), (QueueState::Gathering, 1, 0));
    world.advance(20 * MS);
    write(&mut world, 0, "b", false);
    assert_eq!(shown(&world, 0), (QueueState::Gathering, 2, 0));
    world.advance(30 * MS);
    assert_eq!(shown(&world, 0), (QueueState::Sending, 0, 2));
    let sent = figures(&world, 0).expect("they are under way");
    assert_eq!(sent.oldest_age, Some(50 * MS));
    assert_eq!((sent.in_flight_requests, sent.waiting_requests), (1, 0));
    world.finish(0, Fate::Answered);
    assert_eq!(shown(&world, 0), (QueueState::Idle, 0, 0));
    assert_eq!(figures(&world, 0).and_then(|idle| idle.oldest_age), None);
}

#[test]
fn an_identity_is_shown_its_own_rows_and_no_others() {
    let mut world = World::new(settings(Resource::Datapoints));
    write(&mut world, 0, "a", true);
    assert!(figures(&world, 1).is_none());
    write(&mut world, 1, "b", false);
    assert_eq!(shown(&world, 0), (QueueState::Sending, 0, 1));
    assert_eq!(shown(&world, 1), (QueueState::Gathering, 1, 0));
}

#[test]
fn rows_that_cdf_did_not_take_are_shown_with_what_it_said() {
    let mut world = World::new(settings(Resource::Datapoints));
    write(&mut world, 0, "a", true);
    let retry_after_s = None;
    world.finish(0, Fate::Busy { retry_after_s });
    assert_eq!(shown(&world, 0), (QueueState::Retrying, 0, 1));
    let figures = figures(&world, 0).expect("they are under way");
    assert!(figures.reason.is_some());
    assert_eq!(
        (figures.in_flight_requests, figures.waiting_requests),
        (0, 1)
    );
}

#[test]
fn a_pause_that_cdf_asks_for_holds_what_comes_later_too() {
    let mut world = World::new(settings(Resource::Datapoints));
    write(&mut world, 0, "a", true);
    let retry_after_s = Some(7);
    world.finish(0, Fate::Busy { retry_after_s });
    write(&mut world, 0, "b", true);
    assert_eq!(shown(&world, 0), (QueueState::Held, 1, 1));
    let held = figures(&world, 0).and_then(|figures| figures.until);
    let pause = held.map(|until| until - world.now);
    assert!(pause.is_some_and(|pause| pause <= 7000 * MS && pause > 6000 * MS));
}
