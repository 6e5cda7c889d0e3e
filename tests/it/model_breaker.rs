//! A model that keeps failing is left alone for a while and then tried again; no single visitor can bring that about.

use serde_json::json;

use crate::fake_model::{Step, done, finish, head, last_chunk, respond, say};
use crate::support::site::Site;
use crate::support::wait_until;

/// Every request meets this, a retry too.
fn always(site: &Site, script: &[Step]) {
    let script = script.to_vec();
    site.model.always(move |_| script.clone());
}

#[test]
fn a_model_that_keeps_failing_is_left_alone_and_readiness_says_so() {
    let site = Site::with(|config| {
        config.agent("demo").models(&["fake", "builtin"]);
    });
    always(&site, &respond(500, &[], ""));
    for _ in 0..6 {
        site.init("demo").ask("Hello").done();
    }
    assert_eq!(site.model.requests().len(), 3);
    let readiness = site.get("/readyz").expect(200);
    assert_eq!(readiness["models"][0]["name"], "fake");
    assert_eq!(readiness["models"][0]["state"], "skipped");
}

#[test]
fn a_model_that_is_well_again_is_found_by_one_question_after_its_pause() {
    let site = Site::with(|config| {
        config.fake("pause", "\"2s\"");
        config.agent("demo").models(&["fake", "builtin"]).text("unknown_answer", "The embedded one.");
    });
    let model = || site.get("/readyz").expect(200)["models"][0].clone();
    let wait_for_the_end_of_its_pause = || wait_until("the pause is over", || model()["state"] == "ok");
    always(&site, &respond(500, &[], ""));
    for _ in 0..3 {
        site.init("demo").ask("Hello").done();
    }
    assert_eq!((&model()["state"], &model()["failures"]), (&json!("skipped"), &json!(3)));
    site.server.wait_for_line("begins_pause=true");
    wait_for_the_end_of_its_pause();
    assert_eq!(site.init("demo").ask("Hello").text(), "The embedded one.", "the probe fails");
    assert_eq!((&model()["state"], &model()["failures"]), (&json!("skipped"), &json!(4)));
    always(&site, &say(&["The model."]));
    assert_eq!(site.init("demo").ask("Hello").text(), "The embedded one.", "and a pause begins anew");
    assert_eq!(site.model.requests().len(), 4);
    wait_for_the_end_of_its_pause();
    assert_eq!(site.init("demo").ask("Hello").text(), "The model.");
    assert_eq!((&model()["state"], &model()["failures"]), (&json!("ok"), &json!(0)));
    site.server.wait_for_line("a model answers again");
    assert_eq!(site.init("demo").ask("Hello").text(), "The model.");
}

#[test]
fn what_a_question_provokes_takes_the_model_away_from_nobody() {
    let site = Site::with(|config| {
        config.agent("demo").models(&["fake", "builtin"]).text("unknown_answer", "The embedded one.");
    });
    let filtered = respond(400, &[], r#"{"error":{"code":"content_filter","message":"The prompt was filtered"}}"#);
    let nothing = vec![head(), finish("stop"), done(), last_chunk()];
    for provoked in [filtered, respond(413, &[], ""), respond(422, &[], ""), nothing] {
        always(&site, &provoked);
        for _ in 0..3 {
            assert_eq!(site.init("demo").ask("Something bad").text(), "The embedded one.");
        }
        always(&site, &say(&["The model."]));
        assert_eq!(site.init("demo").ask("Hello").text(), "The model.");
    }
}
