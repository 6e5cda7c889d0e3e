//! A model that keeps failing is left alone for a while and then tried again; no single visitor can bring that about.

use crate::fake_model::{Step, done, finish, head, last_chunk, respond, say};
use crate::support::site::Site;

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
