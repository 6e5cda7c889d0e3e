//! What the system knows of this process, under the names that Prometheus's own libraries use. Where there is no `/proc`
//! what stands there is left out.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use crate::domain::time::Timestamp;

pub(super) fn register(started_at: Timestamp, registry: &mut Registry) {
    let mut gauge = |name: &str, help: &str, value: f64| registry.register(name, help, ConstGauge::new(value));
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of the next thousands of years")]
    gauge(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970",
        started_at.ms() as f64 / 1000.0,
    );
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        // One of them is this folder.
        gauge("process_open_fds", "Open descriptors", float(descriptors.count().saturating_sub(1)));
    }
    if let Some(max) = getrlimit(Resource::Nofile).current {
        gauge("process_max_fds", "Descriptors that may be open", float(max));
    }
    let stat = std::fs::read_to_string("/proc/self/stat").ok();
    if let Some(Stat { cpu_ticks, threads, virtual_bytes, resident_pages }) = stat.as_deref().and_then(parse) {
        gauge("process_threads", "Threads", float(threads));
        gauge("process_virtual_memory_bytes", "Memory that is mapped", float(virtual_bytes));
        gauge("process_resident_memory_bytes", "Memory that is in use", float(resident_pages) * float(page_size()));
        let seconds = float(cpu_ticks) / float(clock_ticks_per_second());
        registry.register("process_cpu_seconds", "Processor time, of user and system", ConstCounter::new(seconds));
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// Of `/proc/PID/stat`, whose fields proc(5) numbers from 1. The second may hold blanks and ends at the last parenthesis.
fn parse(stat: &str) -> Option<Stat> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        threads: field(20)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

/// Whatever is counted here is far below 2^53.
pub(super) fn float(figure: impl TryInto<u64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "bytes, ticks and descriptors of one machine")]
    figure.try_into().map_or(f64::MAX, |figure| figure as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 900 0 3 0 150 50 0 0 20 0 118 0 7 1048576 256 184467 1 1 0";
        let expected = Stat { cpu_ticks: 200, threads: 118, virtual_bytes: 1_048_576, resident_pages: 256 };
        assert_eq!(parse(stat), Some(expected));
        for torn in ["", "42 (a", "42 (a) S 1"] {
            assert_eq!(parse(torn), None, "{torn}");
        }
    }
}
