//! Pacing under a load that never ends: nearly no refusal, and nearly all of what CDF allows.

use crate::saturation::{Amount, Counted, Figures, Saturation, Server, Whose};
use crate::world::{Settings, settings};
use penstock::catalog::Resource;
use penstock::config::{OperationLimits, ProjectLimits};
use penstock::pipeline::pacing::Spent;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn roomy() -> Settings {
    let mut settings = settings(Resource::RawRows);
    settings.batch.items_max = 10;
    settings.batch.bytes_max = 1 << 20;
    settings.batch.in_flight_max = 40;
    settings.limits.raw = OperationLimits::default();
    settings.limits.raw_rows = OperationLimits::default();
    settings
}

fn server(latency: Duration) -> Server {
    Server {
        latency,
        latency_per_row: Duration::ZERO,
        budgets: Vec::new(),
        concurrency: usize::MAX,
    }
}

/// Under 0.1 % refused, and at least 95 % of what was possible.
fn assert_good(figures: Figures, possible: f64) {
    assert!(figures.sent > 0);
    assert!(
        figures.refused * 1000 < figures.sent.max(1000),
        "{figures:?}: too many refusals"
    );
    let share = figures.accepted as f64 / possible;
    println!("{figures:?}: {share:.3} of what was possible");
    assert!(
        share >= 0.95,
        "{figures:?}: {share:.3} of what was possible"
    );
}

#[test]
fn a_rate_is_used_up_and_not_exceeded() {
    for per_s in [1, 7, 20, 100, 170, 1000] {
        let mut settings = roomy();
        settings.limits.raw_rows.requests_per_s = per_s;
        let mut server = server(20 * MS);
        let counted = Counted::new(per_s.into(), SECOND, Amount::Requests, Whose::Identity);
        server.budgets.push(counted);
        let mut load = Saturation::new(settings, &[Resource::RawRows], 1, server);
        let seconds = (3000 / per_s).clamp(10, 60);
        assert_good(load.run(seconds * SECOND), f64::from(seconds * per_s));
    }
}

#[test]
fn a_published_concurrency_is_used_up_and_not_exceeded() {
    for concurrency in [1, 4, 10, 23] {
        let mut settings = roomy();
        settings.limits.raw_rows.concurrency = concurrency;
        let mut server = server(200 * MS);
        server.concurrency = concurrency;
        let mut load = Saturation::new(settings, &[Resource::RawRows], 1, server);
        assert_good(load.run(60 * SECOND), 60.0 * concurrency as f64 / 0.2);
    }
}

#[test]
fn all_identities_of_a_project_share_its_budget() {
    let mut settings = roomy();
    settings.limits.raw_rows = OperationLimits {
        requests_per_s: 20,
        project: ProjectLimits {
            requests_per_s: 30,
            ..ProjectLimits::default()
        },
        ..OperationLimits::default()
    };
    let mut server = server(20 * MS);
    server.budgets = vec![
        Counted::new(20, SECOND, Amount::Requests, Whose::Identity),
        Counted::new(30, SECOND, Amount::Requests, Whose::Project),
    ];
    let mut load = Saturation::new(settings, &[Resource::RawRows], 3, server);
    assert_good(load.run(60 * SECOND), 60.0 * 30.0);
}

#[test]
fn batchers_share_the_slots_of_an_api() {
    let mut settings = roomy();
    settings.limits.raw_tables = OperationLimits::default();
    settings.limits.raw.concurrency = 6;
    settings.limits.raw.project.concurrency = 8;
    let mut server = server(100 * MS);
    server.concurrency = 8;
    let resources = [Resource::RawRows, Resource::RawTables];
    let mut load = Saturation::new(settings, &resources, 2, server);
    assert_good(load.run(30 * SECOND), 30.0 * 8.0 / 0.1);
}

#[test]
fn a_window_of_bytes_is_used_up_and_not_exceeded() {
    let mut settings = roomy();
    settings.limits.raw_rows.bytes_per_window = 100_000;
    settings.limits.raw_rows.window_s = 60;
    let mut server = server(20 * MS);
    let counted = Counted::new(100_000, 60 * SECOND, Amount::Bytes, Whose::Identity);
    server.budgets.push(counted);
    let mut load = Saturation::new(settings, &[Resource::RawRows], 1, server);
    let figures = load.run(20 * 60 * SECOND);
    assert_eq!(figures.refused, 0, "{figures:?}");
    let share = figures.accepted_bytes as f64 / (20.0 * 100_000.0);
    assert!(share >= 0.95, "{share:.3} of the bytes that were possible");
}

fn windowed() -> Saturation {
    let mut settings = roomy();
    settings.limits.raw_rows.bytes_per_window = 100_000;
    settings.limits.raw_rows.window_s = 60;
    settings.limits.raw_rows.requests_per_s = 50;
    let mut server = server(20 * MS);
    server.budgets = vec![
        Counted::new(100_000, 60 * SECOND, Amount::Bytes, Whose::Identity),
        Counted::new(50, SECOND, Amount::Requests, Whose::Identity),
    ];
    Saturation::new(settings, &[Resource::RawRows], 1, server)
}

#[test]
fn a_restart_in_the_middle_of_a_window_spends_nothing_twice() {
    for stop_ms in [300, 4_000, 9_990, 30_000, 61_000] {
        let mut load = windowed();
        let before = load.run(stop_ms * MS);
        let spent = load.pacing.spent(load.clocks());
        load.restart(&spent, 10 * MS);
        let after = load.run(19 * 60 * SECOND);
        assert_eq!(before.refused + after.refused, 0, "{before:?} {after:?}");
        let bytes = before.accepted_bytes + after.accepted_bytes;
        let share = bytes as f64 / (19.0 * 100_000.0);
        assert!(share >= 0.95, "{share:.3} of the bytes that were possible");
    }
}

#[test]
fn after_a_crash_what_was_not_noted_is_counted_as_spent() {
    for stop_ms in [300, 1_000, 4_000, 61_000] {
        let mut load = windowed();
        let before = load.run(stop_ms * MS);
        let noted = Spent {
            clean: false,
            ..load.pacing.spent(load.clocks())
        };
        let lost = load.run(250 * MS);
        load.restart(&noted, 10 * MS);
        let after = load.run(19 * 60 * SECOND);
        let refused = before.refused + lost.refused + after.refused;
        assert_eq!(refused, 0, "{before:?} {lost:?} {after:?}");
    }
}

#[test]
fn a_limit_that_nobody_publishes_is_found_with_few_refusals() {
    let mut server = server(100 * MS);
    server.concurrency = 12;
    let mut load = Saturation::new(roomy(), &[Resource::RawRows], 1, server.clone());
    let figures = load.run(300 * SECOND);
    let share = figures.accepted as f64 / (300.0 * 12.0 / 0.1);
    println!("concurrency: {figures:?}: {share:.3} of what was possible");
    assert!(figures.refused * 500 < figures.sent, "{figures:?}");
    assert!(share >= 0.8, "{share:.3}");

    server.concurrency = usize::MAX;
    let counted = Counted::new(60, SECOND, Amount::Requests, Whose::Identity);
    server.budgets.push(counted);
    let mut load = Saturation::new(roomy(), &[Resource::RawRows], 1, server);
    let figures = load.run(300 * SECOND);
    let share = figures.accepted as f64 / (300.0 * 60.0);
    println!("rate: {figures:?}: {share:.3} of what was possible");
    assert!(figures.refused * 200 < figures.sent, "{figures:?}");
    assert!(share >= 0.75, "{share:.3}");
}
