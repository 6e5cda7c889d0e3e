//! Counters that one label tells apart, all of whose values are known.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What is in no list: a mistake of ours, which must not add a label for each time it is made.
const OTHER: &str = "other";

/// The name and the value of a label.
pub(super) type Label = [(&'static str, &'static str); 1];

/// One counter a value. They are there from the start, so that Prometheus sees the step from 0 to 1.
#[derive(Debug)]
pub(super) struct Known {
    label: &'static str,
    /// In the order in which they were named.
    counters: Vec<(&'static str, Counter)>,
    family: Family<Label, Counter>,
}

impl Known {
    pub(super) fn new(
        registry: &mut Registry,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> Self {
        let family = Family::<Label, Counter>::default();
        registry.register(name, help, family.clone());
        let counters = values.iter().map(|&value| (value, family.get_or_create_owned(&[(label, value)]))).collect();
        Self { label, counters, family }
    }

    pub(super) fn count(&self, value: &str) {
        match self.counters.iter().find(|(known, _)| *known == value) {
            Some((_, counter)) => counter.inc(),
            None => self.family.get_or_create(&[(self.label, OTHER)]).inc(),
        };
    }
}
