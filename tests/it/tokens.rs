//! The token (the contract, section 5): who is let in with what, on all four routes that take one.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::site::{Shared, Site, Visitor};
use crate::support::tokens::{Forgery, SECRET, now, sign};

static SITE: Shared = Shared::new(Site::start);

const ROUTES: [&str; 4] =
    ["/v1/widget/messages", "/v1/widget/messages/stream", "/v1/widget/leads", "/v1/widget/events"];

/// Every route refuses this token alike.
#[track_caller]
fn refuse(site: &Site, token: &str, code: &str, what: &str) {
    let mut connection = site.connect();
    for path in ROUTES {
        let response = connection.call(&Request::post(path, &json!({})).origin(ORIGIN).bearer(token));
        assert_eq!((response.status, response.code().as_str()), (401, code), "{what} on {path}");
        let challenge = response.must("WWW-Authenticate");
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
}

/// An event is the cheapest thing that a token is good for.
fn is_good(visitor: &Visitor, token: &str) -> bool {
    let response = visitor.with_token(token).event(&json!({"type": "dismiss"}));
    assert!([202, 401].contains(&response.status), "{}", response.text());
    response.status == 202
}

#[test]
fn a_token_says_what_the_contract_says_and_no_more() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let Forgery { header, claims, .. } = Forgery::of(visitor.token());
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("JWT")));
    assert!(header["kid"].is_string(), "{header}");
    assert_eq!(header.as_object().unwrap().len(), 3, "{header}");
    assert_eq!(claims["iss"], "widget");
    assert_eq!(claims["sub"], visitor.visitor_id());
    assert_eq!(claims["aid"], "demo");
    assert_eq!(claims["cid"], visitor.conversation_id());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert!((claims["iat"].as_i64().unwrap() - now()).abs() <= 30);
    assert_eq!(claims.as_object().unwrap().len(), 7, "{claims}");
    let again = Forgery::of(site.init("demo").token());
    assert_ne!(claims["jti"], again.claims["jti"]);
    assert!(!header["kid"].as_str().unwrap().contains(SECRET));
}

#[test]
fn without_a_token_there_is_nothing_to_do() {
    let site = SITE.get();
    let token = site.init("demo").token().to_owned();
    for path in ROUTES {
        let request = Request::post(path, &json!({})).origin(ORIGIN);
        for request in [
            request.clone(),
            request.clone().header("Authorization", ""),
            request.clone().header("Authorization", "Bearer"),
            request.clone().header("Authorization", "Basic YTpi"),
            request.clone().header("Authorization", &token),
            request.clone().header("Cookie", &format!("token={token}")),
        ] {
            let response = site.call(&request);
            response.refused(401, "missing_token");
            assert!(!response.must("WWW-Authenticate").contains("error="), "RFC 6750, section 3.1");
        }
        let in_url = Request::post(&format!("{path}?access_token={token}"), &json!({})).origin(ORIGIN);
        site.call(&in_url).refused(401, "missing_token");
    }
}

#[test]
fn the_scheme_is_read_in_any_case() {
    let site = SITE.get();
    let token = site.init("demo").token().to_owned();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = Request::post("/v1/widget/events", &json!({"type": "dismiss"}));
        site.call(&request.header("Authorization", &format!("{scheme} {token}"))).expect(202);
    }
}

#[test]
fn a_token_lives_for_an_hour_and_not_a_second_longer() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let aged = |seconds| Forgery::of(visitor.token()).issued_ago(seconds).sign();
    assert!(is_good(&visitor, &aged(0)));
    // Half a minute, for a machine that is slow.
    assert!(is_good(&visitor, &aged(3570)));
    for age in [3600, 3601, 4490, 4501, 86_400] {
        refuse(&site, &aged(age), "expired_token", &format!("{age} s old"));
    }
}

#[test]
fn a_clock_that_stepped_back_signs_nobody_out() {
    let site = SITE.get();
    let visitor = site.init("demo");
    for ahead in [2, 30] {
        assert!(is_good(&visitor, &Forgery::of(visitor.token()).issued_ago(-ahead).sign()), "{ahead} s ahead");
    }
}

#[test]
fn only_hs256_by_a_known_key_is_a_signature() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let genuine = visitor.token().to_owned();
    let forge = || Forgery::of(&genuine);
    let alg = |alg: Value| forge().header("alg", alg).sign();
    let (head, signature) = genuine.rsplit_once('.').unwrap();
    let kid = forge().header["kid"].as_str().unwrap().to_owned();
    let claims = forge().claims.to_string();
    let twice = format!(r#"{{"alg":"none","alg":"HS256","typ":"JWT","kid":"{kid}"}}"#);
    let table = [
        ("alg none, unsigned", forge().header("alg", json!("none")).unsigned()),
        ("alg none, signed", alg(json!("none"))),
        ("alg None", alg(json!("None"))),
        ("alg RS256", alg(json!("RS256"))),
        ("alg HS512", alg(json!("HS512"))),
        ("alg hs256", alg(json!("hs256"))),
        ("alg missing", alg(Value::Null)),
        ("alg twice", sign(&twice, &claims, SECRET)),
        ("unsigned", forge().unsigned()),
        ("another key", forge().secret("another secret that is longer than 32 bytes").sign()),
        ("no key", forge().secret("").sign()),
        ("unknown kid", forge().header("kid", json!("unknown")).sign()),
        ("kid of a path", forge().header("kid", json!("../../../../dev/null")).sign()),
        ("kid of SQL", forge().header("kid", json!("' union select 'x' --")).sign()),
        ("no kid", forge().header("kid", Value::Null).sign()),
        ("kid of a number", forge().header("kid", json!(1)).sign()),
        ("a key inside", forge().header("jwk", json!({"kty": "oct", "k": "AAAA"})).header("kid", json!("x")).sign()),
        ("crit", forge().header("crit", json!(["exp"])).sign()),
        ("another typ", forge().header("typ", json!("JWS")).sign()),
        (
            "claims changed",
            format!("{}.{signature}", forge().claim("aid", json!("other")).unsigned().trim_end_matches('.')),
        ),
        ("signature changed", format!("{head}.{}", signature.chars().rev().collect::<String>())),
        ("signature cut", genuine[..genuine.len() - 1].to_owned()),
        ("cut in the middle", genuine[..genuine.len() / 2].to_owned()),
        ("padded", format!("{genuine}=")),
        ("a part too many", format!("{genuine}.{signature}")),
        ("a part too few", head.to_owned()),
        ("dots", "..".into()),
        ("a word", "token".into()),
        ("over 2 KiB", forge().claim("x", json!("x".repeat(2000))).sign()),
        ("huge", "a".repeat(10_000)),
    ];
    assert!(is_good(&visitor, &forge().sign()), "what the test signs is like the genuine one");
    for (what, token) in table {
        refuse(&site, &token, "invalid_token", what);
    }
}

#[test]
fn every_claim_must_be_there_and_be_of_its_form() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let claims = Forgery::of(visitor.token());
    for name in ["iss", "sub", "aid", "cid", "iat", "exp", "jti"] {
        refuse(&site, &claims.clone().claim(name, Value::Null).sign(), "invalid_token", &format!("without {name}"));
    }
    let soon = now() + 3600;
    for (name, value) in [
        ("iss", json!("Widget")),
        ("iss", json!("widget ")),
        ("iss", json!(["widget"])),
        ("aid", json!("nobody")),
        ("aid", json!(["demo"])),
        ("sub", json!("not a uuid")),
        ("cid", json!("not a uuid")),
        ("jti", json!("")),
        ("exp", json!(soon + 60)),
        ("exp", json!(soon + 315_360_000)),
        ("exp", json!(1e300)),
        ("exp", json!(soon.to_string())),
        ("exp", json!(-1)),
        ("iat", json!(soon.to_string())),
        ("iat", json!(0)),
    ] {
        let token = claims.clone().claim(name, value.clone()).sign();
        let response = visitor.with_token(&token).event(&json!({"type": "dismiss"}));
        assert_eq!(response.status, 401, "{name} = {value}");
    }
}

#[test]
fn ids_come_from_the_token_alone() {
    let site = Site::start();
    let (ann, bob) = (site.init("demo"), site.init("demo"));
    ann.ask("I am Ann").done();
    let swapped = json!({
        "content": "I am Bob", "email": "bob@example.com", "type": "dismiss",
        "conversation_id": ann.conversation_id(), "visitor_id": ann.visitor_id(), "agent_id": "other",
    });
    for path in ROUTES {
        let target = format!("{path}?conversation_id={}&agent_id=other", ann.conversation_id());
        let response = bob.post(&target, &swapped);
        assert!(response.status < 300, "{path}: {}", response.text());
    }
    let contents = |visitor: &Visitor| -> Vec<String> {
        let messages = site.resume(visitor).messages().to_vec();
        messages.iter().filter(|m| m["role"] == "user").map(|m| m["content"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(contents(&ann), ["I am Ann"]);
    assert_eq!(contents(&bob), ["I am Bob", "I am Bob"]);
}

#[test]
fn a_key_is_rotated_without_signing_anybody_out() {
    let old = "the old key has more than 32 bytes as well";
    let new = "the new key has more than 32 bytes as well";
    let mut site = Site::with_environment(&[("WIDGETD_JWT_SECRET", old)], |_| {});
    let before = site.init("demo");
    let rotate = |site: &mut Site, keys: &str| {
        site.server.signal(rustix::process::Signal::TERM);
        site.server.wait();
        site.server.start_again_with(&[("WIDGETD_JWT_SECRET", keys)]);
    };
    rotate(&mut site, &format!("{new},{old}"));
    let after = site.init("demo");
    assert!(is_good(&before.at(&site), before.token()), "the old key verifies");
    assert!(is_good(&after, after.token()));
    let kid = |visitor: &Visitor| Forgery::of(visitor.token()).header["kid"].clone();
    assert_ne!(kid(&before), kid(&after), "the first key signs");
    rotate(&mut site, new);
    refuse(&site, before.token(), "invalid_token", "a key that was removed");
    assert!(is_good(&after.at(&site), after.token()));
}

#[test]
fn a_key_is_rotated_again_and_a_removed_one_signs_out_those_who_had_it() {
    let keys = ["first", "second", "third"].map(|name| format!("the {name} key has more than 32 bytes too"));
    let mut site = Site::with_environment(&[("WIDGETD_JWT_SECRET", &keys[0])], |_| {});
    let mut visitors = vec![site.init("demo")];
    for [old, new] in [[0, 1], [1, 2]] {
        site.server.signal(rustix::process::Signal::TERM);
        site.server.wait();
        site.server.start_again_with(&[("WIDGETD_JWT_SECRET", &format!("{},{}", keys[new], keys[old]))]);
        for (number, visitor) in visitors.iter().enumerate() {
            let visitor = visitor.at(&site);
            assert_eq!(is_good(&visitor, visitor.token()), number == old, "key {number} at rotation {new}");
        }
        visitors.push(site.init("demo"));
        assert!(is_good(&visitors[new], visitors[new].token()));
    }
    site.server.signal(rustix::process::Signal::TERM);
    site.server.wait();
    site.server.start_again_with(&[("WIDGETD_JWT_SECRET", SECRET)]);
    for visitor in &visitors {
        refuse(&site, visitor.token(), "invalid_token", "everybody is signed out by a new key alone");
    }
}

#[test]
fn a_secret_of_its_own_survives_a_restart_and_is_for_its_owner_alone() {
    let mut site = Site::with_environment(&[("WIDGETD_JWT_SECRET", "")], |_| {});
    let visitor = site.init("demo");
    site.kill_and_restart();
    assert!(is_good(&visitor.at(&site), visitor.token()), "a restart signs nobody out");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(site.server.data()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        names.push(entry.file_name().into_string().unwrap());
    }
    assert!(names.iter().any(|name| name == "widgetd.db"), "{names:?}");
    assert!(names.iter().any(|name| !name.starts_with("widgetd.db")), "the secret lies beside the database: {names:?}");
}

#[test]
fn a_token_ends_with_its_agent() {
    let mut site = Site::start();
    let (demo, other) = (site.init("demo"), site.init("other"));
    site.reload(|config| {
        config.remove_agent("demo");
    });
    site.server.wait_for_line("reloaded");
    refuse(&site, demo.token(), "invalid_token", "an agent that is gone");
    assert!(is_good(&other, other.token()));
}

#[test]
fn a_token_in_the_body_is_as_good_as_one_in_the_header() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let post = |path: &str, body: Value| {
        let request = Request::new("POST", path).origin(ORIGIN).header("Content-Type", "text/plain;charset=UTF-8");
        site.call(&request.body(body.to_string()))
    };
    let token = visitor.token();
    post("/v1/widget/messages", json!({"content": "Hello", "token": token})).expect(200);
    post("/v1/widget/leads", json!({"email": "ada@example.com", "token": token})).expect(201);
    post("/v1/widget/events", json!({"type": "launcher_open", "token": token})).expect(202);
    let turn = post("/v1/widget/messages/stream", json!({"content": "Hello again", "token": token}));
    assert_eq!(turn.status, 200);
    for (body, code) in [
        (json!({"type": "launcher_open"}), "missing_token"),
        (json!({"type": "launcher_open", "token": 1}), "missing_token"),
        (json!({"type": "launcher_open", "token": "x.y.z"}), "invalid_token"),
    ] {
        post("/v1/widget/events", body).refused(401, code);
    }
    // The header is the one that counts.
    let body = json!({"type": "launcher_open", "token": token});
    visitor.with_token("x.y.z").event(&body).refused(401, "invalid_token");
}
