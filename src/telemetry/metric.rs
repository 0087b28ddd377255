//! What a metric is: name, kind, unit, labels, help.
//!
//! Owns the description of one metric and the way from it to a handle of the `metrics` facade.
//! Promises that a handle is registered under exactly the described labels. Never keeps a
//! handle: its users do.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};

/// What is counted, as the documentation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things without a physical unit, by their plural: "rows", "requests".
    Count(&'static str),
    Seconds,
    Bytes,
}

impl Unit {
    /// The word in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Count(things) => things,
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        }
    }

    fn of_facade(self) -> metrics::Unit {
        match self {
            Unit::Count(_) => metrics::Unit::Count,
            Unit::Seconds => metrics::Unit::Seconds,
            Unit::Bytes => metrics::Unit::Bytes,
        }
    }
}

/// How values are gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word in Prometheus' TYPE line and in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// One metric of the contract.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [&'static str],
    /// One sentence, without the full stop.
    pub help: &'static str,
}

const METADATA: Metadata<'static> =
    Metadata::new("penstock", Level::INFO, Some("penstock::telemetry"));

impl Metric {
    /// The counter with these values of its labels, in the order of [`Metric::labels`].
    pub(super) fn counter(&self, values: &[&'static str]) -> Counter {
        debug_assert_eq!(self.kind, Kind::Counter, "{} is no counter", self.name);
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    /// The gauge with these values of its labels.
    pub(super) fn gauge(&self, values: &[&'static str]) -> Gauge {
        debug_assert_eq!(self.kind, Kind::Gauge, "{} is no gauge", self.name);
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
    }

    /// The histogram with these values of its labels.
    pub(super) fn histogram(&self, values: &[&'static str]) -> Histogram {
        debug_assert!(
            matches!(self.kind, Kind::Histogram(_)),
            "{} is no histogram",
            self.name
        );
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
    }

    /// Tells `recorder` kind, unit and help, which the HELP line shows.
    pub(super) fn describe(&self, recorder: &dyn Recorder) {
        let unit = Some(self.unit.of_facade());
        match self.kind {
            Kind::Counter => recorder.describe_counter(self.name.into(), unit, self.help.into()),
            Kind::Gauge => recorder.describe_gauge(self.name.into(), unit, self.help.into()),
            Kind::Histogram(_) => {
                recorder.describe_histogram(self.name.into(), unit, self.help.into());
            }
        }
    }

    fn key(&self, values: &[&'static str]) -> Key {
        assert_eq!(
            self.labels.len(),
            values.len(),
            "{} has {} labels",
            self.name,
            self.labels.len()
        );
        let labels: Vec<Label> = self
            .labels
            .iter()
            .zip(values)
            .map(|(name, value)| Label::from_static_parts(name, value))
            .collect();
        Key::from_parts(self.name, labels)
    }
}
