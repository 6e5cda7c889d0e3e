//! Labels, and counters that one label tells apart, all of whose values are known.
//!
//! All families have one type of labels, and all gauges one type of figures: the compiler makes a copy of the library's code
//! for each type, and copies were the larger part of what metrics cost in the binary.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What is in no list: a mistake of ours, which must not add a label for each time it is made.
const OTHER: &str = "other";

pub(super) type Counters = Family<Labels, Counter>;
pub(super) type Histograms = Family<Labels, Histogram, fn() -> Histogram>;
pub(super) type Figure = Gauge<f64, AtomicU64>;

/// The labels of one sample, of which there are two at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Labels([Option<(&'static str, Value)>; 2]);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    /// Of a list or a table in the source.
    Listed(&'static str),
    Status(u16),
    /// As its operator calls it.
    Model(Arc<str>),
}

impl Labels {
    pub(super) fn one(label: &'static str, value: &'static str) -> Self {
        Self([Some((label, Value::Listed(value))), None])
    }

    pub(super) fn status(status: u16) -> Self {
        Self([Some(("status", Value::Status(status))), None])
    }

    pub(super) fn model(name: Arc<str>) -> Self {
        Self([Some(("model", Value::Model(name))), None])
    }

    /// With a second one.
    pub(super) fn and(self, more: Self) -> Self {
        let ([first, _], [second, _]) = (self.0, more.0);
        Self([first, second])
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        for (label, value) in self.0.iter().flatten() {
            let status;
            let value = match value {
                Value::Listed(value) => value,
                Value::Model(name) => &**name,
                Value::Status(number) => {
                    status = number.to_string();
                    &status
                }
            };
            (*label, value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// One counter a value. They are there from the start, so that Prometheus sees the step from 0 to 1.
pub(super) struct Known {
    label: &'static str,
    /// In the order in which they were named.
    counters: Vec<(&'static str, Counter)>,
    family: Counters,
}

impl Known {
    pub(super) fn new(
        registry: &mut Registry,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> Self {
        let family = Counters::default();
        registry.register(name, help, family.clone());
        let counters = values.iter().map(|&value| (value, family.get_or_create_owned(&Labels::one(label, value))));
        Self { label, counters: counters.collect(), family }
    }

    pub(super) fn count(&self, value: &str) {
        match self.counters.iter().find(|(known, _)| *known == value) {
            Some((_, counter)) => counter.inc(),
            None => self.family.get_or_create(&Labels::one(self.label, OTHER)).inc(),
        };
    }
}
