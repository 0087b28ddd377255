//! CDF's resources: what has a budget and a batcher of its own.
//!
//! Owns the list and the names. Promises that the names never change: configuration, metrics
//! and journals hold them. Never knows a table.

/// A CDF resource: what has a budget, a batcher and a section `[batch.<name>]` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Datapoints of both kinds: one endpoint takes them.
    Datapoints,
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
    /// Nodes and edges of data modeling.
    Instances,
}

/// How the rows of a resource are held, keyed and encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    Datapoints,
    RawRows,
    /// One JSON object a row.
    Objects,
}

impl Resource {
    /// Every resource, in the order of the documentation.
    pub const ALL: [Resource; 15] = [
        Resource::Datapoints,
        Resource::RawRows,
        Resource::RawTables,
        Resource::TimeSeries,
        Resource::Assets,
        Resource::Events,
        Resource::Files,
        Resource::Labels,
        Resource::Relationships,
        Resource::Sequences,
        Resource::SequenceRows,
        Resource::ExtractionPipelines,
        Resource::ExtractionPipelineRuns,
        Resource::DataSets,
        Resource::Instances,
    ];

    /// The name in configuration, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Datapoints => "datapoints",
            Resource::RawRows => "raw_rows",
            Resource::RawTables => "raw_tables",
            Resource::TimeSeries => "time_series",
            Resource::Assets => "assets",
            Resource::Events => "events",
            Resource::Files => "files",
            Resource::Labels => "labels",
            Resource::Relationships => "relationships",
            Resource::Sequences => "sequences",
            Resource::SequenceRows => "sequence_rows",
            Resource::ExtractionPipelines => "extraction_pipelines",
            Resource::ExtractionPipelineRuns => "extraction_pipeline_runs",
            Resource::DataSets => "data_sets",
            Resource::Instances => "instances",
        }
    }

    /// What a CDF user calls its objects, for messages.
    pub fn in_words(self) -> &'static str {
        match self {
            Resource::Datapoints => "datapoints",
            Resource::RawRows => "RAW rows",
            Resource::RawTables => "RAW tables",
            Resource::TimeSeries => "time series",
            Resource::Assets => "assets",
            Resource::Events => "events",
            Resource::Files => "files",
            Resource::Labels => "labels",
            Resource::Relationships => "relationships",
            Resource::Sequences => "sequences",
            Resource::SequenceRows => "sequence rows",
            Resource::ExtractionPipelines => "extraction pipelines",
            Resource::ExtractionPipelineRuns => "extraction pipeline runs",
            Resource::DataSets => "data sets",
            Resource::Instances => "instances",
        }
    }

    /// Whether rows of other resources name its objects by a name of their writer's, so that they can come
    /// before what they name. Assets name each other as well; those wait by a rule of their own.
    pub fn is_referred_to(self) -> bool {
        matches!(
            self,
            Resource::TimeSeries
                | Resource::Sequences
                | Resource::Labels
                | Resource::ExtractionPipelines
                // Nodes that are time series, named by their instance ids.
                | Resource::Instances
        )
    }

    pub fn kind(self) -> ResourceKind {
        match self {
            Resource::Datapoints => ResourceKind::Datapoints,
            Resource::RawRows => ResourceKind::RawRows,
            _ => ResourceKind::Objects,
        }
    }

    /// The capability that a group needs to write it.
    pub fn capability(self) -> &'static str {
        match self {
            Resource::Datapoints | Resource::TimeSeries => "timeSeriesAcl (READ and WRITE)",
            Resource::RawRows | Resource::RawTables => "rawAcl (WRITE)",
            Resource::Assets => "assetsAcl (READ and WRITE)",
            Resource::Events => "eventsAcl (READ and WRITE)",
            Resource::Files => "filesAcl (READ and WRITE)",
            Resource::Labels => "labelsAcl (READ and WRITE)",
            Resource::Relationships => "relationshipsAcl (READ and WRITE)",
            Resource::Sequences | Resource::SequenceRows => "sequencesAcl (READ and WRITE)",
            Resource::ExtractionPipelines => "extractionPipelinesAcl (READ and WRITE)",
            Resource::ExtractionPipelineRuns => "extractionRunsAcl (WRITE)",
            Resource::DataSets => "datasetsAcl (READ and WRITE)",
            Resource::Instances => {
                "dataModelInstancesAcl (READ and WRITE) and dataModelsAcl (READ)"
            }
        }
    }
}
