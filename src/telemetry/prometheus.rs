//! The recorder behind the `metrics` facade and its Prometheus text.
//!
//! Owns the process-wide recorder and what a scrape does. Promises that gauges that are only
//! read when somebody looks are read at every scrape. Never listens: the admin server does.

use super::metric::Kind;
use super::names;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::sync::{Arc, OnceLock};

static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();

/// Makes the recorder the one of the process, and returns the handle that renders it. A second
/// call returns the same handle. Handles made before the first call count into nothing.
pub fn install() -> PrometheusHandle {
    INSTALLED
        .get_or_init(|| {
            let recorder = recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder of metrics is installed: /metrics stays empty");
            }
            names::BUILD.gauge(&[env!("CARGO_PKG_VERSION")]).set(1.0);
            handle
        })
        .clone()
}

/// A recorder that knows every metric of the contract, installed nowhere.
fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for metric in names::ALL {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
                .expect("every histogram of the contract has buckets");
        }
    }
    let recorder = builder.build_recorder();
    for metric in names::ALL {
        metric.describe(&recorder);
    }
    recorder
}

type Sampler = Arc<dyn Fn() + Send + Sync>;

/// What a scrape does: read the sampled gauges, then render.
#[derive(Clone)]
pub struct Scrape {
    handle: PrometheusHandle,
    samplers: Vec<Sampler>,
}

impl Scrape {
    pub fn new(handle: PrometheusHandle) -> Self {
        Scrape {
            handle,
            samplers: Vec::new(),
        }
    }

    /// Calls `sampler` before every rendering; it sets gauges and must not block.
    pub fn sampling(mut self, sampler: impl Fn() + Send + Sync + 'static) -> Self {
        self.samplers.push(Arc::new(sampler));
        self
    }

    /// The text of a scrape.
    pub fn render(&self) -> String {
        for sampler in &self.samplers {
            sampler();
        }
        self.handle.render()
    }

    /// Moves observations into their buckets. Must run every few seconds: until then each
    /// observation is kept by itself.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Resource, TABLES};
    use crate::cdf::Operation;
    use crate::telemetry::{
        AccessCheckCounters, ActorCounters, CertificateCounters, ConnectionMeters,
        DeadLetterMeters, EndpointMeters, EngineMeters, HeartbeatCounters, JournalMeters,
        KeyCounters, LeaseGauge, MemoryGauges, PipelineMeters, RetryCause, ScanMemoryGauges,
        ScanMeters, StatementKind, StatementMeters, StatementOutcome, TableCounters, TokenCounters,
        Verdict,
    };
    use std::time::Duration;

    fn register_everything() {
        for table in TABLES {
            TableCounters::of(table);
        }
        for resource in Resource::ALL {
            PipelineMeters::of(resource);
            EndpointMeters::of(Operation::writing(resource));
            ScanMeters::of(resource);
        }
        ConnectionMeters::new();
        StatementMeters::new();
        MemoryGauges::new();
        LeaseGauge::new();
        TokenCounters::new();
        AccessCheckCounters::new();
        KeyCounters::new();
        CertificateCounters::new();
        HeartbeatCounters::new();
        ActorCounters::new();
        DeadLetterMeters::new();
        EngineMeters::new();
        ScanMemoryGauges::new();
        JournalMeters::new();
        names::BUILD.gauge(&["0.0.0"]).set(1.0);
    }

    #[test]
    fn every_metric_of_the_contract_is_in_a_scrape_with_its_kind_and_help() {
        let recorder = recorder();
        let scrape = Scrape::new(recorder.handle());
        metrics::with_local_recorder(&recorder, register_everything);
        let text = scrape.render();
        for metric in names::ALL {
            let name = metric.name;
            assert!(
                text.contains(&format!("# TYPE {name} {}\n", metric.kind.name())),
                "{name} is missing in:\n{text}"
            );
            assert!(
                text.contains(&format!("# HELP {name} {}\n", metric.help)),
                "{name}"
            );
        }
    }

    #[test]
    fn what_the_handles_count_is_what_a_scrape_shows() {
        let recorder = recorder();
        let scrape = Scrape::new(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            TableCounters::of(crate::catalog::DOUBLE_DATAPOINTS)
                .rows
                .increment(7);
            let pipeline = PipelineMeters::of(Resource::RawRows);
            pipeline.retries.add(RetryCause::Throttled, 2);
            pipeline.rows_settled.add(Verdict::Accepted, 5);
            pipeline.request_rows.record(600.0);
            StatementMeters::new().ended(
                StatementKind::Copy,
                StatementOutcome::Failed,
                Duration::from_millis(30),
            );
        });
        scrape.run_upkeep();
        let text = scrape.render();
        for line in [
            "penstock_rows_received_total{table=\"double_datapoints\"} 7",
            "penstock_retries_total{resource=\"raw_rows\",cause=\"throttled\"} 2",
            "penstock_retries_total{resource=\"raw_rows\",cause=\"timeout\"} 0",
            "penstock_rows_settled_total{resource=\"raw_rows\",verdict=\"accepted\"} 5",
            "penstock_request_rows_bucket{resource=\"raw_rows\",le=\"500\"} 0",
            "penstock_request_rows_bucket{resource=\"raw_rows\",le=\"1000\"} 1",
            "penstock_statements_total{kind=\"copy\",outcome=\"failed\"} 1",
            "penstock_statement_duration_seconds_sum{kind=\"copy\"} 0.03",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn sampled_gauges_are_read_at_every_scrape() {
        let recorder = recorder();
        let memory = metrics::with_local_recorder(&recorder, MemoryGauges::new);
        let used = Arc::new(std::sync::atomic::AtomicU64::new(1));
        let source = used.clone();
        let scrape = Scrape::new(recorder.handle()).sampling(move || {
            let bytes = source.load(std::sync::atomic::Ordering::Relaxed);
            memory.used_bytes.set(bytes as f64);
        });
        assert!(scrape.render().contains("penstock_memory_used_bytes 1\n"));
        used.store(4096, std::sync::atomic::Ordering::Relaxed);
        assert!(
            scrape
                .render()
                .contains("penstock_memory_used_bytes 4096\n")
        );
    }
}
