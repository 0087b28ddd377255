//! How calls reach CDF.
//!
//! Owns the seam between writers and CDF: a trait, and its implementation with the real
//! client. Promises that what a look-up finds is in the directory before the call is reported.
//! Never repeats a call.

use super::attempt::{Attempt, AttemptReport, Call, CallAnswer};
use super::creations::{Creation, Creations};
use super::segment::Piece;
use super::sequencer::SeriesNames;
use crate::catalog::Resource;
use crate::cdf::{
    AttemptFailure, CdfClient, Identity, Operation, Project, SeriesDirectory, SeriesStatus, encode,
};
use crate::config::BatchTable;
use crate::rows::{SeriesKey, SeriesReference};
use async_trait::async_trait;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Makes calls. Each writer has one, used on its own thread only.
#[async_trait(?Send)]
pub trait RequestSender: Send + 'static {
    /// Makes one call, once.
    async fn call(&self, attempt: &Attempt) -> AttemptReport;
}

/// References (two to a series at most) that the directory of one identity holds.
const DIRECTORY_ENTRIES_MAX: usize = 200_000;

/// How long the two names of a series are believed to belong together.
const DIRECTORY_LIFETIME: Duration = Duration::from_secs(600);

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
        let request = match encode(operation, &piece.ranges(), self.batch.of(resource)) {
            Ok(request) => request,
            Err(error) => {
                let reason = error.into();
                return AttemptReport::of(Err(AttemptFailure::Reject { reason }));
            }
        };
        let result = match piece.wants_objects() {
            false => self
                .client
                .send(identity, &request)
                .await
                .map(|()| CallAnswer::Done),
            true => self
                .client
                .send_for_objects(identity, &request)
                .await
                .map(CallAnswer::Objects),
        };
        AttemptReport {
            published_slots: self.published_slots(identity, operation),
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
            missing.remove(&SeriesReference::Id(facts.id));
            if let Some(external_id) = &facts.external_id {
                missing.remove(&SeriesReference::ExternalId(external_id.clone()));
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
