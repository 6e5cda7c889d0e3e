//! What the whole of it promises: names as Prometheus wants them, and few labels, whatever happens.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

fn readings() -> Readings {
    let level = Level { used: 1, max: 2 };
    Readings {
        is_ready: true,
        connections: Connections { idle: 1, reading: 2, answering: 3, writing: 4, lingering: 5, max: 6 },
        workers: level,
        queue: level,
        places: level,
        commit_places: level,
        writes: level,
        committing: Duration::from_millis(1500),
        database_bytes: Some(4096),
        log_bytes: Some(0),
        free_bytes: Some(1 << 40),
        free_floor_bytes: 256 << 20,
        models: vec![ModelState { name: "a \"b\"\n".into(), is_skipped: true, failures: 3 }],
        ceilings: vec![CeilingUse { key: "cost_per_day", used: 1, most: 4 }],
        currency: "EUR".into(),
    }
}

fn encoded(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_text::encode(&mut text, registry).unwrap();
    text
}

/// The samples that begin with `name` and a brace.
fn samples(text: &str, name: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).map(str::to_owned).collect()
}

#[test]
fn what_is_read_is_told_with_its_unit() {
    models().model("a \"b\"\n").asked();
    let text = text(&readings());
    for line in [
        "widgetd_ready 1.0",
        "widgetd_connections{state=\"answering\"} 3.0",
        "widgetd_connections_max 6.0",
        "widgetd_write_queue_used 1.0",
        "widgetd_commit_running_seconds 1.5",
        "widgetd_database_size_bytes 4096.0",
        "widgetd_disk_free_bytes 1099511627776.0",
        "widgetd_model_skipped{model=\"a \\\"b\\\"\\n\"} 1.0",
        "widgetd_ceiling_used_ratio{ceiling=\"cost_per_day\"} 0.25",
        concat!("widgetd_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
    }
    assert!(text.contains("\nwidgetd_cost_total{currency=\"EUR\"} "), "{text}");
    assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
}

#[test]
fn families_are_named_once_and_as_prometheus_wants_them() {
    let text = text(&readings());
    let mut names = BTreeSet::new();
    for (name, kind) in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')) {
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("widgetd_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
    }
    assert!(names.len() > 40, "{names:?}");
}

#[test]
fn a_value_that_nobody_listed_makes_one_label_however_many_there_are() {
    let mut registry = Registry::default();
    let requests = Requests::new(&mut registry);
    let listed = samples(&encoded(&registry), "limit_refusals_total").len();
    let leaked: Vec<&'static str> = (0..100).map(|n| &*Box::leak(format!("new-{n}").into_boxed_str())).collect();
    leaked.into_iter().for_each(|limit| requests.refused_by_limit(limit));
    let text = encoded(&registry);
    assert_eq!(samples(&text, "limit_refusals_total").len(), listed + 1, "{text}");
    assert!(text.contains("limit_refusals_total{limit=\"other\"} 100"), "{text}");
}

#[test]
fn what_has_not_happened_yet_is_told_as_zero() {
    let mut registry = Registry::default();
    let (_requests, _turns) = (Requests::new(&mut registry), Turns::new(&mut registry));
    let text = encoded(&registry);
    for line in [
        "limit_refusals_total{limit=\"init\"} 0",
        "budget_refusals_total{kind=\"global_ceiling\"} 0",
        "origin_refusals_total{kind=\"not_allowed\"} 0",
        "http_early_refusals_total{status=\"503\"} 0",
        "answers_total{outcome=\"complete\"} 0",
        "streams_open 0.0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
    }
}

#[test]
fn a_model_that_a_reload_took_out_is_forgotten_and_the_others_go_on() {
    let mut registry = Registry::default();
    let models = Models::new(&mut registry);
    for name in ["old", "stays"] {
        let model = models.model(name);
        model.asked();
        model.spoke(Duration::from_millis(300));
        model.failed("cut");
    }
    models.keep(&["stays", "new"]);
    let text = encoded(&registry);
    assert!(!text.contains("old"), "{text}");
    assert!(text.contains("model_calls_total{model=\"stays\"} 1"), "{text}");
    assert!(text.contains("model_errors_total{model=\"stays\",kind=\"cut\"} 1"), "{text}");
    models.model("stays").asked();
    assert!(encoded(&registry).contains("model_calls_total{model=\"stays\"} 2"), "a new link counts on");
}

#[test]
fn a_stream_is_open_until_it_is_dropped() {
    let mut registry = Registry::default();
    let requests = Requests::new(&mut registry);
    let stream = requests.stream();
    assert!(encoded(&registry).contains("streams_open 1.0"));
    drop(stream);
    assert!(encoded(&registry).contains("streams_open 0.0"));
}
