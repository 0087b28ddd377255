//! How calls reach CDF.
//!
//! Owns the seam between writers and CDF: a trait, and its implementation with the real
//! client. Promises that what a look-up finds is in the directory before the call is reported.
//! Never repeats a call.

use super::attempt::{Attempt, AttemptReport, Call, CallAnswer};
use super::creations::{Creation, Creations};
use super::segment::Piece;
use super::sequencer::{SeriesNames, rows_at};
use crate::catalog::Resource;
use crate::cdf::{
    AttemptFailure, CdfClient, Found, Identity, Operation, Project, SeriesDirectory, SeriesStatus,
    encode, encode_found, instance_names,
};
use crate::config::BatchTable;
use crate::rows::{ActionKind, RawAction, RowBatch, SeriesKey, SeriesReference};
use async_trait::async_trait;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Makes calls. Each writer has one, used on its own thread only.
#[async_trait(?Send)]
pub trait RequestSender: Send + 'static {
    /// Makes one call, once.
    async fn call(&self, attempt: &Attempt) -> AttemptReport;
}

/// References (three to a series at most) that the directory of one identity holds.
const DIRECTORY_ENTRIES_MAX: usize = 200_000;

/// How long the names of a series are believed to belong together.
const DIRECTORY_LIFETIME: Duration = Duration::from_secs(600);

/// Keys of a RAW table that is emptied which are read, and then deleted, at a time: as many as a
/// request deletes.
const KEYS_PER_PAGE: usize = 1000;

/// How long CDF's word about its limits holds.
const LIMITS_LIFETIME: Duration = Duration::from_secs(600);

/// The directories of all identities.
#[derive(Debug, Default)]
pub struct SeriesDirectories {
    creations: Creations,
    by_identity: Mutex<HashMap<String, Vec<KnownIdentity>>>,
}

#[derive(Debug)]
struct KnownIdentity {
    base_url: String,
    project: String,
    directory: Arc<SeriesDirectory>,
}

impl SeriesDirectories {
    /// What this identity sees of its project's series.
    pub fn of(&self, identity: &Identity) -> Arc<SeriesDirectory> {
        let mut by_identity = self
            .by_identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !by_identity.contains_key(&identity.name) {
            by_identity.insert(identity.name.clone(), Vec::new());
        }
        let known = by_identity.entry(identity.name.clone()).or_default();
        let project = &identity.project;
        if let Some(known) = known
            .iter()
            .find(|known| known.project == project.name && known.base_url == project.base_url)
        {
            return known.directory.clone();
        }
        let directory = Arc::new(SeriesDirectory::new(
            DIRECTORY_ENTRIES_MAX,
            DIRECTORY_LIFETIME,
        ));
        known.push(KnownIdentity {
            base_url: project.base_url.clone(),
            project: project.name.clone(),
            directory: directory.clone(),
        });
        directory
    }
}

impl SeriesNames for SeriesDirectories {
    fn may_appear(&self, project: &Project, resource: Resource, now: Instant) -> bool {
        self.creations.of(project, resource).are_open(now)
    }

    fn begin_creation(&self, project: &Project, resource: Resource) -> Option<Creation> {
        Some(self.creations.of(project, resource).begin())
    }

    fn canonical_hashes(
        &self,
        identity: &Identity,
        keys: &[Arc<SeriesKey>],
        now: Instant,
    ) -> Vec<Option<u64>> {
        let directory = self.of(identity);
        keys.iter()
            .map(|key| directory.canonical_key(key, now).map(|key| key.hash()))
            .collect()
    }

    fn types(
        &self,
        identity: &Identity,
        keys: &[Arc<SeriesKey>],
        now: Instant,
    ) -> Vec<Option<bool>> {
        let directory = self.of(identity);
        keys.iter()
            .map(|key| match directory.find(key.reference(), now) {
                Some(SeriesStatus::Exists(facts)) => Some(facts.is_string),
                Some(SeriesStatus::Missing) | None => None,
            })
            .collect()
    }
}

/// Calls to the real CDF, or to an emulator of it.
#[derive(Debug)]
pub struct CdfSender {
    client: CdfClient,
    batch: Arc<BatchTable>,
    directories: Arc<SeriesDirectories>,
    /// When CDF was last asked for the limits of a project.
    limits_asked: RefCell<HashMap<Project, Instant>>,
    /// What CDF said, until a write of that project reports it.
    limits_told: Arc<Mutex<HashMap<Project, usize>>>,
}

impl CdfSender {
    pub fn new(
        client: CdfClient,
        batch: Arc<BatchTable>,
        directories: Arc<SeriesDirectories>,
    ) -> Self {
        CdfSender {
            client,
            batch,
            directories,
            limits_asked: RefCell::default(),
            limits_told: Arc::default(),
        }
    }

    async fn write(
        &self,
        identity: &Arc<Identity>,
        resource: Resource,
        piece: &Piece,
    ) -> AttemptReport {
        let operation = piece.operation(resource);
        let (ranges, settings) = (piece.ranges(), self.batch.of(resource));
        let encoded = match &piece.found {
            None => encode(operation, &ranges, settings),
            Some(found) => encode_found(resource, &ranges, found, settings),
        };
        let request = match encoded {
            Ok(request) => request,
            Err(error) => {
                let reason = error.into();
                return AttemptReport::of(Err(AttemptFailure::Reject { reason }));
            }
        };
        let result = match (request.operation, piece.wants_objects()) {
            (Operation::Delete(Resource::RawRows), _) => self
                .client
                .delete_raw_rows(identity, &request)
                .await
                .map(|()| CallAnswer::Done),
            (Operation::Delete(Resource::Instances), _) => {
                // Rows that were encoded have names.
                let names = instance_names(&ranges).map_or(Vec::new(), |(_, names)| names);
                self.client
                    .delete_instances(identity, &request, &names)
                    .await
                    .map(CallAnswer::Told)
            }
            (Operation::Create(Resource::Instances), _)
                if piece.action() == ActionKind::CreateMissing =>
            {
                let names = instance_names(&ranges).map_or(Vec::new(), |(_, names)| names);
                self.client
                    .make_missing_instances(identity, &request, &names)
                    .await
                    .map(CallAnswer::Told)
            }
            // What a delete answers is no object.
            (Operation::Delete(_), _) | (_, false) => self
                .client
                .send(identity, &request)
                .await
                .map(|()| CallAnswer::Done),
            (_, true) => self
                .client
                .send_for_objects(identity, &request)
                .await
                .map(CallAnswer::Objects),
        };
        AttemptReport {
            published_slots: self.published_slots(identity, request.operation),
            result,
            body_bytes: Some(request.uncompressed_bytes as u64),
            sent_bytes: Some(request.body.len() as u64),
        }
    }

    /// What CDF has said of its limit; only instances have one. When it is time to ask again, the
    /// question goes beside the writes: no verdict waits for its answer.
    fn published_slots(&self, identity: &Arc<Identity>, operation: Operation) -> Option<usize> {
        if operation != Operation::Create(Resource::Instances) {
            return None;
        }
        let project = &identity.project;
        let now = Instant::now();
        let is_known = |asked: &Instant| now.duration_since(*asked) < LIMITS_LIFETIME;
        let mut asked = self.limits_asked.borrow_mut();
        if !asked.get(project).is_some_and(is_known) {
            asked.insert(project.clone(), now);
            let (client, identity) = (self.client.clone(), identity.clone());
            let told = self.limits_told.clone();
            actix::spawn(async move {
                // Without an answer the limit of before holds.
                if let Ok(Some(slots)) = client.instance_writes_max(&identity).await {
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.insert(identity.project.clone(), slots);
                }
            });
        }
        let mut told = self
            .limits_told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        told.remove(project)
    }

    /// Reads rows of a piece, or a page of the keys of its table.
    async fn read(
        &self,
        identity: &Identity,
        resource: Resource,
        piece: &Piece,
        rows: Range<usize>,
        cursor: Option<&str>,
    ) -> Result<Found, AttemptFailure> {
        if resource == Resource::Instances {
            let (kind, names) =
                instance_names(&piece.ranges()).map_err(|error| AttemptFailure::Reject {
                    reason: error.into(),
                })?;
            let instances = self.client.instances(identity, kind, &names).await?;
            return Ok(Found::Rows(instances));
        }
        let reads = rows_at(piece, rows).filter_map(|(segment, row)| {
            let RowBatch::RawRows(batch) = &segment.submission.batch else {
                return None;
            };
            Some((batch, row))
        });
        let mut reads = reads.peekable();
        if let Some((batch, _)) = reads.peek()
            && batch.action == RawAction::Empty
        {
            let page = self
                .client
                .raw_keys(identity, &batch.destination, cursor, KEYS_PER_PAGE)
                .await?;
            return Ok(Found::Keys(page));
        }
        let reads = reads.map(|(batch, row)| {
            let key = batch.keys.text(row);
            self.client.raw_row(identity, &batch.destination, key)
        });
        let rows = futures::future::try_join_all(reads).await?;
        Ok(Found::Rows(rows))
    }

    async fn find_series(
        &self,
        identity: &Identity,
        keys: &[Arc<SeriesKey>],
    ) -> Result<CallAnswer, AttemptFailure> {
        let references: Vec<SeriesReference> =
            keys.iter().map(|key| key.reference().clone()).collect();
        let found = self.client.lookup_series(identity, &references).await?;
        let now = Instant::now();
        let directory = self.directories.of(identity);
        let mut missing: HashSet<SeriesReference> = references.into_iter().collect();
        for facts in found {
            for name in facts.names() {
                missing.remove(&name);
            }
            directory.record(facts, now);
        }
        for reference in &missing {
            directory.record_missing(reference, now);
        }
        Ok(CallAnswer::Done)
    }
}

#[async_trait(?Send)]
impl RequestSender for CdfSender {
    async fn call(&self, attempt: &Attempt) -> AttemptReport {
        let identity = &attempt.identity;
        match &attempt.call {
            Call::Write(piece) => self.write(identity, attempt.resource, piece).await,
            Call::Read {
                piece,
                rows,
                cursor,
            } => {
                let (resource, rows) = (attempt.resource, rows.clone());
                let found = self
                    .read(identity, resource, piece, rows, cursor.as_deref())
                    .await;
                AttemptReport::of(found.map(CallAnswer::Found))
            }
            Call::FindSeries(keys) => AttemptReport::of(self.find_series(identity, keys).await),
            Call::FindPoints(questions) => {
                let pages = self.client.present_points(identity, questions).await;
                AttemptReport::of(pages.map(CallAnswer::Present))
            }
            Call::FindRows(question) => {
                let page = self.client.present_rows(identity, question).await;
                AttemptReport::of(page.map(|page| CallAnswer::Present(vec![page])))
            }
            Call::MakeSeries {
                external_ids,
                is_string,
            } => {
                let names: Vec<&str> = external_ids.iter().map(|name| &**name).collect();
                let made = self
                    .client
                    .create_series(identity, &names, *is_string)
                    .await;
                AttemptReport::of(made.map(|()| CallAnswer::Done))
            }
            Call::MakeNodes { nodes, is_string } => {
                let made = self
                    .client
                    .create_series_nodes(identity, nodes, *is_string)
                    .await;
                AttemptReport::of(made.map(|()| CallAnswer::Done))
            }
            Call::SettleCreates {
                duplicated,
                first_sent,
                sent_before,
            } => {
                let age = first_sent.elapsed();
                let first_sent = SystemTime::now()
                    .checked_sub(age)
                    .unwrap_or(SystemTime::UNIX_EPOCH);
                let first_sent = sent_before.map_or(first_sent, |before| before.min(first_sent));
                let operation = Operation::writing(attempt.resource);
                let settled = self
                    .client
                    .settle_creates(identity, operation, duplicated, first_sent)
                    .await;
                AttemptReport::of(settled.map(CallAnswer::Settled))
            }
        }
    }
}
