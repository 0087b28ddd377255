//! `limits.toml`: CDF's budgets, per resource.
//!
//! Owns the rates that pacing keeps. Promises that a missing figure means "no limit known",
//! not zero. Never holds batch sizes: those are in `[batch.<resource>]`.

use crate::catalog::Resource;
use crate::cdf::Operation;
use serde::{Deserialize, Serialize};

/// Budget of some operations. 0 means that CDF publishes no figure and none is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationLimits {
    /// Of one identity, as are the figures below it.
    pub requests_per_s: u32,
    pub items_per_s: u32,
    /// Bytes before compression per `window_s`.
    pub bytes_per_window: u64,
    /// Length of the byte window in seconds; CDF counts RAW by 600.
    pub window_s: u64,
    /// Requests in flight.
    pub concurrency: usize,
    /// Requests that one call counts as: CDF counts some costly calls more than once.
    pub request_cost: u32,
    /// Of all identities of the project together.
    pub project: ProjectLimits,
}

impl Default for OperationLimits {
    fn default() -> Self {
        OperationLimits {
            requests_per_s: 0,
            items_per_s: 0,
            bytes_per_window: 0,
            window_s: 0,
            concurrency: 0,
            request_cost: 1,
            project: ProjectLimits::default(),
        }
    }
}

/// The same figures for a whole project; window and cost are those of the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectLimits {
    pub requests_per_s: u32,
    pub items_per_s: u32,
    pub bytes_per_window: u64,
    pub concurrency: usize,
}

/// Budgets of every resource.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// The part of each budget that this gateway may use, above 0 and up to 1: other
    /// applications write with the same identity.
    pub budget_share: f64,
    pub datapoints: OperationLimits,
    /// All of RAW: rows and tables count against it too.
    pub raw: OperationLimits,
    pub raw_rows: OperationLimits,
    pub raw_tables: OperationLimits,
    /// Creating series and looking them up.
    pub time_series: OperationLimits,
    pub assets: OperationLimits,
    pub events: OperationLimits,
    pub files: OperationLimits,
    pub labels: OperationLimits,
    pub relationships: OperationLimits,
    pub sequences: OperationLimits,
    pub sequence_rows: OperationLimits,
    pub extraction_pipelines: OperationLimits,
    pub extraction_pipeline_runs: OperationLimits,
    pub data_sets: OperationLimits,
    pub instances: OperationLimits,
    /// Deleting nodes and edges, which CDF counts apart.
    pub instance_deletes: OperationLimits,
    /// Lists of assets, which CDF counts apart.
    pub asset_lists: OperationLimits,
    /// Lists of events, likewise.
    pub event_lists: OperationLimits,
    /// Lists of files, likewise.
    pub file_lists: OperationLimits,
    /// Reading RAW rows, whose bytes CDF counts apart.
    pub raw_reads: OperationLimits,
    /// Lists of nodes and edges, which CDF counts apart.
    pub instance_reads: OperationLimits,
}

impl Default for LimitsTable {
    fn default() -> Self {
        LimitsTable {
            budget_share: 1.0,
            // No rate is published for datapoints and time series; Cognite's own
            // extractors keep 5 to 10 requests in flight.
            datapoints: OperationLimits {
                concurrency: 10,
                ..OperationLimits::default()
            },
            // RAW: 48 requests in flight per identity, 64 per project.
            raw: OperationLimits {
                concurrency: 48,
                project: ProjectLimits {
                    concurrency: 64,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // Rows: 1.3 GB in 10 minutes per identity, 1.6 GB per project.
            raw_rows: OperationLimits {
                bytes_per_window: 1_300_000_000,
                window_s: 600,
                concurrency: 48,
                project: ProjectLimits {
                    bytes_per_window: 1_600_000_000,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            raw_tables: OperationLimits {
                concurrency: 4,
                ..OperationLimits::default()
            },
            time_series: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            // CRUD calls: 130 requests per second and 23 in flight per identity, 170 and 30 per project.
            assets: OperationLimits {
                requests_per_s: 130,
                concurrency: 23,
                project: ProjectLimits {
                    requests_per_s: 170,
                    concurrency: 30,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // CRUD calls: 130 requests per second and 30 in flight per identity, 170 and 40 per project.
            events: OperationLimits {
                requests_per_s: 130,
                concurrency: 30,
                project: ProjectLimits {
                    requests_per_s: 170,
                    concurrency: 40,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // 120 requests and 120,000 items per second per identity, 160 and 160,000 per project.
            files: OperationLimits {
                requests_per_s: 120,
                items_per_s: 120_000,
                concurrency: 16,
                project: ProjectLimits {
                    requests_per_s: 160,
                    items_per_s: 160_000,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            labels: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            relationships: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            sequences: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            sequence_rows: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            extraction_pipelines: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            extraction_pipeline_runs: OperationLimits {
                concurrency: 8,
                ..OperationLimits::default()
            },
            data_sets: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
            // 4 upserts in flight per project.
            instances: OperationLimits {
                concurrency: 4,
                project: ProjectLimits {
                    concurrency: 4,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // 2 deletes in flight per project.
            instance_deletes: OperationLimits {
                concurrency: 2,
                project: ProjectLimits {
                    concurrency: 2,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // Lists: 23 requests per second and 12 in flight per identity, 30 and 15 per project.
            asset_lists: OperationLimits {
                requests_per_s: 23,
                concurrency: 12,
                project: ProjectLimits {
                    requests_per_s: 30,
                    concurrency: 15,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // Lists: 23 requests per second per identity, 30 per project; in flight as for assets.
            event_lists: OperationLimits {
                requests_per_s: 23,
                concurrency: 12,
                project: ProjectLimits {
                    requests_per_s: 30,
                    concurrency: 15,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // Lists: 23 requests per second per identity.
            file_lists: OperationLimits {
                requests_per_s: 23,
                concurrency: 12,
                ..OperationLimits::default()
            },
            // Reads: 6.6 GB in 10 minutes per identity, 8.3 GB per project.
            raw_reads: OperationLimits {
                bytes_per_window: 6_600_000_000,
                window_s: 600,
                concurrency: 48,
                project: ProjectLimits {
                    bytes_per_window: 8_300_000_000,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
            // 8 queries in flight per project.
            instance_reads: OperationLimits {
                concurrency: 8,
                project: ProjectLimits {
                    concurrency: 8,
                    ..ProjectLimits::default()
                },
                ..OperationLimits::default()
            },
        }
    }
}

/// A section of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BudgetName {
    Datapoints,
    Raw,
    RawRows,
    RawTables,
    TimeSeries,
    Assets,
    Events,
    Files,
    Labels,
    Relationships,
    Sequences,
    SequenceRows,
    ExtractionPipelines,
    ExtractionPipelineRuns,
    DataSets,
    Instances,
    InstanceDeletes,
    AssetLists,
    EventLists,
    FileLists,
    RawReads,
    InstanceReads,
}

impl BudgetName {
    /// Every section, in the order of the documentation.
    pub const ALL: [BudgetName; 22] = [
        BudgetName::Datapoints,
        BudgetName::Raw,
        BudgetName::RawRows,
        BudgetName::RawTables,
        BudgetName::TimeSeries,
        BudgetName::Assets,
        BudgetName::Events,
        BudgetName::Files,
        BudgetName::Labels,
        BudgetName::Relationships,
        BudgetName::Sequences,
        BudgetName::SequenceRows,
        BudgetName::ExtractionPipelines,
        BudgetName::ExtractionPipelineRuns,
        BudgetName::DataSets,
        BudgetName::Instances,
        BudgetName::InstanceDeletes,
        BudgetName::AssetLists,
        BudgetName::EventLists,
        BudgetName::FileLists,
        BudgetName::RawReads,
        BudgetName::InstanceReads,
    ];

    /// The name of the section.
    pub fn name(self) -> &'static str {
        match self {
            BudgetName::Datapoints => "datapoints",
            BudgetName::Raw => "raw",
            BudgetName::RawRows => "raw_rows",
            BudgetName::RawTables => "raw_tables",
            BudgetName::TimeSeries => "time_series",
            BudgetName::Assets => "assets",
            BudgetName::Events => "events",
            BudgetName::Files => "files",
            BudgetName::Labels => "labels",
            BudgetName::Relationships => "relationships",
            BudgetName::Sequences => "sequences",
            BudgetName::SequenceRows => "sequence_rows",
            BudgetName::ExtractionPipelines => "extraction_pipelines",
            BudgetName::ExtractionPipelineRuns => "extraction_pipeline_runs",
            BudgetName::DataSets => "data_sets",
            BudgetName::Instances => "instances",
            BudgetName::InstanceDeletes => "instance_deletes",
            BudgetName::AssetLists => "asset_lists",
            BudgetName::EventLists => "event_lists",
            BudgetName::FileLists => "file_lists",
            BudgetName::RawReads => "raw_reads",
            BudgetName::InstanceReads => "instance_reads",
        }
    }

    /// The budgets that a call of `operation` is paid from, all of them.
    pub fn paid_by(operation: Operation) -> &'static [BudgetName] {
        match operation {
            Operation::InsertDatapoints => &[BudgetName::Datapoints],
            Operation::InsertRawRows => &[BudgetName::RawRows, BudgetName::Raw],
            Operation::CreateRawTables => &[BudgetName::RawTables, BudgetName::Raw],
            Operation::Delete(Resource::Instances) => &[BudgetName::InstanceDeletes],
            Operation::List(Resource::Assets) => &[BudgetName::AssetLists],
            Operation::List(Resource::Events) => &[BudgetName::EventLists],
            Operation::List(Resource::Files) => &[BudgetName::FileLists],
            Operation::List(Resource::RawRows) => &[BudgetName::RawReads, BudgetName::Raw],
            Operation::List(Resource::Instances) => &[BudgetName::InstanceReads],
            Operation::Create(resource)
            | Operation::Update(resource)
            | Operation::Delete(resource)
            | Operation::LookUp(resource)
            | Operation::List(resource) => Self::of_objects(resource),
            // Reading back is a check by hand, not a part of the pipeline.
            Operation::ReadBack => &[],
        }
    }
}

impl BudgetName {
    /// The budgets of every call on objects of one kind, its own first.
    fn of_objects(resource: Resource) -> &'static [BudgetName] {
        match resource {
            Resource::Datapoints => &[BudgetName::Datapoints],
            Resource::RawRows => &[BudgetName::RawRows, BudgetName::Raw],
            Resource::RawTables => &[BudgetName::RawTables, BudgetName::Raw],
            Resource::TimeSeries => &[BudgetName::TimeSeries],
            Resource::Assets => &[BudgetName::Assets],
            Resource::Events => &[BudgetName::Events],
            Resource::Files => &[BudgetName::Files],
            Resource::Labels => &[BudgetName::Labels],
            Resource::Relationships => &[BudgetName::Relationships],
            Resource::Sequences => &[BudgetName::Sequences],
            Resource::SequenceRows => &[BudgetName::SequenceRows],
            Resource::ExtractionPipelines => &[BudgetName::ExtractionPipelines],
            Resource::ExtractionPipelineRuns => &[BudgetName::ExtractionPipelineRuns],
            Resource::DataSets => &[BudgetName::DataSets],
            Resource::Instances => &[BudgetName::Instances],
        }
    }
}

impl LimitsTable {
    /// The section that is `resource`'s own.
    pub fn of(&self, resource: Resource) -> &OperationLimits {
        self.named(BudgetName::of_objects(resource)[0])
    }

    /// The section of that name.
    pub fn named(&self, name: BudgetName) -> &OperationLimits {
        match name {
            BudgetName::Datapoints => &self.datapoints,
            BudgetName::Raw => &self.raw,
            BudgetName::RawRows => &self.raw_rows,
            BudgetName::RawTables => &self.raw_tables,
            BudgetName::TimeSeries => &self.time_series,
            BudgetName::Assets => &self.assets,
            BudgetName::Events => &self.events,
            BudgetName::Files => &self.files,
            BudgetName::Labels => &self.labels,
            BudgetName::Relationships => &self.relationships,
            BudgetName::Sequences => &self.sequences,
            BudgetName::SequenceRows => &self.sequence_rows,
            BudgetName::ExtractionPipelines => &self.extraction_pipelines,
            BudgetName::ExtractionPipelineRuns => &self.extraction_pipeline_runs,
            BudgetName::DataSets => &self.data_sets,
            BudgetName::Instances => &self.instances,
            BudgetName::InstanceDeletes => &self.instance_deletes,
            BudgetName::AssetLists => &self.asset_lists,
            BudgetName::EventLists => &self.event_lists,
            BudgetName::FileLists => &self.file_lists,
            BudgetName::RawReads => &self.raw_reads,
            BudgetName::InstanceReads => &self.instance_reads,
        }
    }
}
