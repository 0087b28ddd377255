//! A load that never ends, a CDF that counts as the real one does, and a clock that only the
//! test moves.

use crate::directory::Directory;
use crate::rows::{raw_rows, raw_tables};
use crate::world::Settings;
use futures::FutureExt;
use penstock::catalog::Resource;
use penstock::cdf::{AttemptFailure, Credentials, Identity, Project, Secret, Throttle};
use penstock::pipeline::attempt::{Attempt, AttemptReport, Call, CallAnswer, CallId};
use penstock::pipeline::pacing::{Clocks, Pacing, Spent};
use penstock::pipeline::sequencer::Sequencer;
use penstock::pipeline::{ConnectionBudget, MemoryBudget, Submission, Ticket};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// One budget as CDF counts it: over a window that slides exactly, refused requests included.
#[derive(Clone, Debug)]
pub struct Counted {
    pub most: u64,
    pub window: Duration,
    pub of: Amount,
    pub whose: Whose,
    seen: HashMap<String, VecDeque<(Instant, u64)>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    Requests,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whose {
    Identity,
    Project,
}

impl Counted {
    pub fn new(most: u64, window: Duration, of: Amount, whose: Whose) -> Self {
        Counted {
            most,
            window,
            of,
            whose,
            seen: HashMap::new(),
        }
    }

    fn exceeds(&mut self, now: Instant, attempt: &Attempt) -> bool {
        let key = match self.whose {
            Whose::Identity => attempt.identity.name.clone(),
            Whose::Project => String::new(),
        };
        let amount = match (self.of, &attempt.call) {
            (Amount::Requests, _) => 1,
            (Amount::Bytes, Call::Write(piece)) => piece.weight.bytes as u64,
            (Amount::Bytes, _) => 0,
        };
        let seen = self.seen.entry(key).or_default();
        seen.push_back((now, amount));
        while seen.front().is_some_and(|(at, _)| *at + self.window <= now) {
            seen.pop_front();
        }
        seen.iter().map(|(_, amount)| amount).sum::<u64>() > self.most
    }
}

/// A CDF that takes everything within its budgets.
#[derive(Clone, Debug)]
pub struct Server {
    pub latency: Duration,
    pub latency_per_row: Duration,
    pub budgets: Vec<Counted>,
    /// Requests at once, of all identities.
    pub concurrency: usize,
}

/// How many requests were sent, and how many of them refused.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    pub sent: u64,
    pub refused: u64,
    pub accepted: u64,
    pub accepted_bytes: u64,
}

/// Writes of one identity through one sequencer: a load that is never done.
struct Load {
    identity: Arc<Identity>,
    sequencer: usize,
    next_key: i64,
}

pub struct Saturation {
    pub now: Instant,
    pub server: Server,
    pub figures: Figures,
    settings: Settings,
    pub pacing: Arc<Pacing>,
    sequencers: Vec<(Sequencer, Resource, Arc<AtomicBool>)>,
    loads: Vec<Load>,
    rows_per_request: usize,
    under_way: Vec<(Instant, usize, CallId, AttemptReport)>,
    /// Rows that each sequencer holds, in requests.
    open: Vec<usize>,
    connection: ConnectionBudget,
    ticket: Ticket,
    /// When the next one-row statement comes, and how far apart they are.
    next_probe: Option<(Instant, Duration)>,
    open_probes: Vec<(Instant, Ticket)>,
    /// How long one-row statements took.
    pub probes: Vec<Duration>,
    wall_offset: Instant,
}

fn identity(number: usize) -> Arc<Identity> {
    Arc::new(Identity {
        project: Project {
            base_url: "https://cdf.test".to_owned(),
            name: "plant".to_owned(),
        },
        name: format!("client-{number}"),
        credentials: Credentials::FixedToken(Secret::new("token")),
        create_missing_time_series: false,
        required_access: Default::default(),
    })
}

/// Requests' worth of rows that wait in each sequencer.
const WAITING: usize = 60;

impl Saturation {
    /// `resources` get a sequencer each, and a load of each of `identities`.
    pub fn new(
        settings: Settings,
        resources: &[Resource],
        identities: usize,
        server: Server,
    ) -> Self {
        let now = Instant::now() + Duration::from_secs(10_000);
        let pacing = settings.pacing(now);
        let mut world = Saturation {
            now,
            server,
            figures: Figures::default(),
            rows_per_request: settings.batch.items_max,
            settings,
            pacing,
            sequencers: Vec::new(),
            loads: Vec::new(),
            under_way: Vec::new(),
            open: vec![0; resources.len()],
            connection: MemoryBudget::new(1 << 40, 1 << 40).connection(),
            ticket: Ticket::new(),
            next_probe: None,
            open_probes: Vec::new(),
            probes: Vec::new(),
            wall_offset: now,
        };
        world.start(resources);
        for sequencer in 0..resources.len() {
            for number in 0..identities {
                world.loads.push(Load {
                    identity: identity(number),
                    sequencer,
                    next_key: number as i64 * 1_000_000_000,
                });
            }
        }
        world
    }

    fn start(&mut self, resources: &[Resource]) {
        self.sequencers = resources
            .iter()
            .map(|resource| {
                let nudged = Arc::new(AtomicBool::new(false));
                let told = nudged.clone();
                let nudge = Arc::new(move || told.store(true, Ordering::Relaxed));
                let mut settings = self.settings.clone();
                settings.resource = *resource;
                let names = Arc::new(Directory::default());
                (
                    settings.sequencer(names, &self.pacing, nudge),
                    *resource,
                    nudged,
                )
            })
            .collect();
    }

    pub fn clocks(&self) -> Clocks {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Clocks {
            now: self.now,
            wall: wall + (self.now - self.wall_offset),
        }
    }

    /// The gateway stops for a while and starts with what it has noted. What is under way is
    /// lost.
    pub fn restart(&mut self, spent: &Spent, pause: Duration) {
        let resources: Vec<Resource> = self.sequencers.iter().map(|(_, of, _)| *of).collect();
        self.sequencers.clear();
        self.under_way.clear();
        self.open.fill(0);
        self.now += pause;
        self.pacing = self.settings.restored(self.clocks(), spent);
        self.start(&resources);
    }

    fn submit(&mut self, load: usize) {
        let rows = self.rows_per_request;
        let Load {
            identity,
            sequencer,
            next_key,
        } = &mut self.loads[load];
        let (identity, sequencer) = (identity.clone(), *sequencer);
        let keys: Vec<i64> = (*next_key..*next_key + rows as i64).collect();
        *next_key += rows as i64;
        let batch = match self.sequencers[sequencer].1 {
            Resource::RawTables => {
                let names: Vec<String> = keys.iter().map(|key| format!("t{key}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                raw_tables(&vec!["plant"; rows], &names)
            }
            _ => raw_rows("t", &keys, 1),
        };
        let submission = Submission {
            identity,
            part: self.ticket.part(rows as u64, 1),
            permit: self
                .connection
                .acquire(batch.bytes())
                .now_or_never()
                .expect("the budget of the test is large"),
            batch,
            connection: load as u64,
            ticket_waits: false,
            sent_before: None,
        };
        self.open[sequencer] += 1;
        self.sequencers[sequencer].0.submit(self.now, submission);
    }

    /// From now on a statement of one row comes every `interval`, on a connection of its own.
    pub fn probe(&mut self, interval: Duration) {
        self.next_probe = Some((self.now, interval));
    }

    fn submit_probe(&mut self) {
        let Some((at, interval)) = self.next_probe.filter(|(at, _)| *at <= self.now) else {
            return;
        };
        self.next_probe = Some((at + interval, interval));
        let ticket = Ticket::new();
        let batch = raw_rows("t", &[-1 - self.probes.len() as i64], 1);
        let submission = Submission {
            identity: identity(0),
            part: ticket.part(1, 1),
            permit: self
                .connection
                .acquire(batch.bytes())
                .now_or_never()
                .expect("the budget of the test is large"),
            batch,
            connection: u64::MAX,
            ticket_waits: true,
            sent_before: None,
        };
        self.open_probes.push((self.now, ticket));
        self.sequencers[0].0.submit(self.now, submission);
    }

    fn settle_probes(&mut self) {
        let (now, probes) = (self.now, &mut self.probes);
        self.open_probes.retain(|(began, ticket)| {
            let settled = ticket.so_far().accepted == 1;
            if settled {
                probes.push(now - *began);
            }
            !settled
        });
    }

    fn fill(&mut self) {
        for load in 0..self.loads.len() {
            while self.open[self.loads[load].sequencer] < WAITING {
                for load in 0..self.loads.len() {
                    self.submit(load);
                }
            }
        }
    }

    fn poll(&mut self, sequencer: usize) {
        let mut calls = Vec::new();
        self.sequencers[sequencer].0.poll(self.now, &mut calls);
        for attempt in calls {
            self.send(sequencer, attempt);
        }
    }

    fn send(&mut self, sequencer: usize, attempt: Attempt) {
        self.figures.sent += 1;
        let mut throttle = None;
        for budget in &mut self.server.budgets {
            if budget.exceeds(self.now, &attempt) {
                throttle = Some(Throttle::Rate);
            }
        }
        if self.under_way.len() >= self.server.concurrency {
            throttle = Some(Throttle::Concurrency);
        }
        let result = match throttle {
            None => {
                self.figures.accepted += 1;
                if let Call::Write(piece) = &attempt.call {
                    self.figures.accepted_bytes += piece.weight.bytes as u64;
                }
                self.open[sequencer] = self.open[sequencer].saturating_sub(1);
                Ok(CallAnswer::Done)
            }
            Some(throttle) => {
                self.figures.refused += 1;
                Err(AttemptFailure::Retry {
                    retry_after: None,
                    answered: true,
                    status: Some(429),
                    throttle: Some(throttle),
                    reason: crate::cdf::reason(),
                })
            }
        };
        let rows = match &attempt.call {
            Call::Write(piece) => piece.rows() as u32,
            _ => 0,
        };
        let answered = self.now + self.server.latency + rows * self.server.latency_per_row;
        self.under_way
            .push((answered, sequencer, attempt.id, AttemptReport::of(result)));
    }

    /// Lets the load run for a while and tells what happened in it.
    pub fn run(&mut self, time: Duration) -> Figures {
        self.figures = Figures::default();
        let end = self.now + time;
        loop {
            self.fill();
            self.submit_probe();
            self.settle_probes();
            for sequencer in 0..self.sequencers.len() {
                self.poll(sequencer);
            }
            while let Some(nudged) = self
                .sequencers
                .iter()
                .position(|(_, _, nudged)| nudged.swap(false, Ordering::Relaxed))
            {
                self.poll(nudged);
            }
            let answered = self.under_way.iter().map(|(at, ..)| *at).min();
            let wakes = self.sequencers.iter().filter_map(|(of, ..)| of.wake_at());
            let probe = self.next_probe.map(|(at, _)| at);
            let next = wakes.chain(answered).chain(probe).min();
            let next = next.expect("rows wait, and nobody will ever look at them again");
            if next > end {
                self.now = end;
                return self.figures;
            }
            self.now = self.now.max(next);
            let now = self.now;
            let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.under_way)
                .into_iter()
                .partition(|(at, ..)| *at <= now);
            self.under_way = later;
            for (_, sequencer, id, report) in due {
                self.sequencers[sequencer].0.finished(now, id, report);
                self.poll(sequencer);
            }
        }
    }
}
