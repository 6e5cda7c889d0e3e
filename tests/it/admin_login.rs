//! Who gets into the admin page, and who does not.

use crate::support::admin::{Owner, PASSWORD, set_password, token};
use crate::support::client::{Connection, Request};
use crate::support::clock::Clock;
use crate::support::config::Config;
use crate::support::db;
use crate::support::server::{Folder, widgetd};
use crate::support::site::Site;

#[test]
fn without_a_password_there_is_no_admin_page() {
    let site = Site::start();
    for path in ["/admin", "/admin/", "/admin/login", "/admin/leads", "/admin/x.css"] {
        site.get(path).refused(404, "not_found");
    }
    site.call(&Request::new("POST", "/admin/login").header("Content-Type", "application/x-www-form-urlencoded"))
        .refused(404, "not_found");
    assert!(!site.server.printed().contains("admin     http"));
    assert!(set_password(&site.server, PASSWORD).status.success());
    assert_eq!(site.get("/admin/login").status, 200, "a running server takes the password at once");
}

#[test]
fn a_password_that_will_not_do_is_not_taken() {
    let site = Site::start();
    for password in ["", "too short", "elevenchars"] {
        let output = set_password(&site.server, password);
        assert_eq!(output.status.code(), Some(2), "{password}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("at least 12 characters"), "{told}");
    }
    site.get("/admin").refused(404, "not_found");
}

#[test]
fn set_password_tells_where_the_page_is_and_stores_no_password() {
    let folder = Folder::new();
    let mut config = Config::new("http://127.0.0.1:9/v1");
    config.text("admin", "listen", "0.0.0.0:8081");
    folder.write("widget.toml", &config.to_toml());
    folder.write("password", "a password of some length\n");
    let output = widgetd()
        .current_dir(folder.path())
        .args(["admin", "set-password"])
        .stdin(std::fs::File::open(folder.path().join("password")).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success());
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.contains("http://0.0.0.0:8081/admin"), "{out}");
    assert!(err.contains("without TLS"), "{err}");
    let stored = &db::rows(&folder.path().join("data"), "select hash from admin_password", &[])[0][0];
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
}

#[test]
fn the_right_password_begins_a_session_and_a_wrong_one_none() {
    let site = Site::start();
    set_password(&site.server, PASSWORD);
    let mut owner = Owner::at(site.address());
    for path in ["/admin", "/admin/leads?q=a", "/admin/nothing"] {
        let answer = owner.get(path);
        assert_eq!(answer.status, 303);
        assert!(answer.must("Location").starts_with("/admin/login"), "{path}");
    }
    let wrong = owner.log_in("correct horse battery stable");
    assert_eq!((wrong.status, wrong.header("Set-Cookie")), (403, None));
    assert!(wrong.text().contains("That is not the password."));
    let right = owner.log_in(PASSWORD);
    assert_eq!((right.status, right.must("Location")), (303, "/admin"));
    let cookie = right.must("Set-Cookie");
    assert!(cookie.starts_with("widgetd_admin="), "{cookie}");
    assert!(cookie.ends_with("; Path=/admin; Max-Age=604800; HttpOnly; SameSite=Strict"), "{cookie}");
    let secret = owner.cookie.clone().unwrap();
    assert!(owner.page("/admin").contains("Log out"));
    let stored = db::rows(&site.server.data(), "select hex(token_hash) from admin_sessions", &[]);
    assert_eq!(stored.len(), 1);
    assert!(!secret.contains(&stored[0][0]), "the file has no cookie");
    owner.logs_in();
    assert_ne!(owner.cookie, Some(secret), "each login has a session of its own");
}

#[test]
fn behind_tls_the_cookie_is_for_tls_alone() {
    let site = Site::start();
    set_password(&site.server, PASSWORD);
    let mut owner = Owner::at(site.address()).with_header("X-Forwarded-Proto", "https");
    let answer = owner.log_in(PASSWORD);
    let cookie = answer.must("Set-Cookie");
    assert!(cookie.starts_with("__Host-widgetd_admin="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    owner.page("/admin");
    let plain = owner.same();
    assert_eq!(plain.get("/admin").status, 303, "the cookie of TLS is no cookie without it");
}

#[test]
fn after_the_login_the_page_that_was_asked_for_comes() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let asked = Owner::at(site.address()).get("/admin/leads?q=a%26b");
    assert_eq!(asked.must("Location"), "/admin/login?next=%2Fadmin%2Fleads%3Fq%3Da%2526b");
    for (next, to) in [("/admin/leads?q=a%26b", "/admin/leads?q=a%26b"), ("//evil.example", "/admin")] {
        let answer = owner.send("POST", "/admin/login", Some(&[("password", PASSWORD), ("next", next)]));
        assert_eq!((answer.status, answer.must("Location")), (303, to));
    }
    assert_eq!(owner.get("/admin/login").must("Location"), "/admin", "who is in need not log in");
}

#[test]
fn a_link_from_elsewhere_opens_the_page_for_who_is_logged_in() {
    let site = Site::start();
    set_password(&site.server, PASSWORD);
    // A browser shows no strict cookie there; the reload that it is told to do is the page's own, and has it.
    let followed = Owner::at(site.address()).with_header("Sec-Fetch-Site", "cross-site").get("/admin/leads?q=%22%3E");
    assert_eq!(followed.status, 200);
    let text = followed.text();
    assert!(text.contains("http-equiv=\"refresh\" content=\"0\"") && !text.contains("password"), "{text}");
}

#[test]
fn who_guesses_must_wait_and_so_must_a_second_browser_of_the_same_address() {
    let site = Site::start();
    set_password(&site.server, PASSWORD);
    let (mut one, mut other) = (Owner::at(site.address()), Owner::at(site.address()));
    for n in 0..5 {
        let browser = if n % 2 == 0 { &mut one } else { &mut other };
        assert_eq!(browser.log_in("a wrong password").status, 403);
    }
    for browser in [&mut one, &mut other] {
        let refused = browser.log_in(PASSWORD);
        assert_eq!(refused.status, 429, "the right one does not help any more");
        assert!((1..=300).contains(&refused.retry_after()));
    }
    // Another address is another person.
    let form = format!("password={}", PASSWORD.replace(' ', "+"));
    let request = || {
        Request::new("POST", "/admin/login")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.clone())
    };
    let elsewhere = Connection::open_from([127, 0, 0, 9].into(), site.address()).call(&request());
    assert_eq!(elsewhere.status, 303);
    // All together have two hundred.
    for n in 0..195_u8 {
        let wrong = Request::new("POST", "/admin/login")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body("password=wrong");
        let answer = Connection::open_from([127, 0, 1, n / 4 + 1].into(), site.address()).call(&wrong);
        assert_eq!(answer.status, 403, "{n}");
    }
    let refused = Connection::open_from([127, 0, 2, 1].into(), site.address()).call(&request());
    assert_eq!(refused.status, 429);
}

#[test]
fn good_logins_count_for_nothing() {
    let site = Site::start();
    let mut owner = Owner::of(&site);
    (0..8).for_each(|_| owner.logs_in());
}

#[test]
fn a_session_ends_by_its_form_and_by_a_new_password() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let mut other = Owner::at(site.address());
    other.logs_in();
    let left = owner.post_from("/admin", "/admin/logout", &[]);
    assert_eq!((left.status, left.must("Location")), (303, "/admin/login"));
    assert!(left.must("Set-Cookie").starts_with("widgetd_admin=; Path=/admin; Max-Age=0"));
    assert_eq!(owner.get("/admin").status, 303);
    other.page("/admin");
    assert!(set_password(&site.server, "another password").status.success());
    assert_eq!(other.get("/admin").status, 303);
    assert_eq!(other.log_in(PASSWORD).status, 403);
    assert_eq!(other.log_in("another password").status, 303);
}

#[test]
fn a_session_ends_after_twelve_idle_hours_and_after_seven_days() {
    let clock = Clock::at("00:00:00");
    let site = Site::with_environment(&clock.environment(), |_| {});
    let mut owner = Owner::of(&site);
    for day in 1..7 {
        for time in ["00:00:30", "11:59:00", "23:58:00"] {
            clock.set_on(day, time);
            owner.page("/admin");
        }
    }
    clock.set_on(7, "11:00:00");
    owner.page("/admin");
    clock.set_on(7, "22:59:00");
    owner.page("/admin");
    clock.set_on(8, "00:00:01");
    assert_eq!(owner.get("/admin").status, 303, "seven days are over");
    owner.logs_in();
    clock.set_on(8, "12:00:02");
    assert_eq!(owner.get("/admin").status, 303, "twelve hours are over");
}

#[test]
fn a_form_from_elsewhere_is_refused() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let token = token(&owner.page("/admin"));
    let mut other = Owner::at(site.address());
    other.logs_in();
    let others = crate::support::admin::token(&other.page("/admin"));
    for bad in [None, Some(""), Some("x"), Some(others.as_str())] {
        let fields: Vec<_> = bad.map(|token| ("token", token)).into_iter().collect();
        assert_eq!(owner.send("POST", "/admin/logout", Some(&fields)).status, 403, "{bad:?}");
    }
    let good = [("token", token.as_str())];
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let elsewhere = owner.same().with_header(name, value);
        assert_eq!(elsewhere.send("POST", "/admin/logout", Some(&good)).status, 403, "{name}: {value}");
        assert_eq!(elsewhere.send("POST", "/admin/login", Some(&[("password", PASSWORD)])).status, 403);
    }
    owner.page("/admin");
    let own = owner.same().with_header("Sec-Fetch-Site", "same-origin").with_header("Origin", "http://widget.test");
    assert_eq!(own.send("POST", "/admin/logout", Some(&good)).status, 303);
}

#[test]
fn a_form_is_a_form() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let request = Request::new("POST", "/admin/logout")
        .header("Cookie", owner.cookie.as_deref().unwrap())
        .header("Content-Type", "text/plain")
        .body("token=x");
    assert_eq!(site.call(&request).status, 415);
    assert_eq!(owner.get("/admin/logout").status, 405);
    assert_eq!(owner.send("PUT", "/admin", Some(&[])).status, 405);
    assert_eq!(owner.get("/admin/nothing").status, 404);
    assert_eq!(owner.send("HEAD", "/admin", None).status, 200);
}

#[test]
fn no_answer_may_be_framed_kept_or_scripted() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let stranger = Owner::at(site.address());
    let style = owner.page("/admin");
    let style = style.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    for answer in [owner.get("/admin"), owner.get("/admin/nothing"), stranger.get("/admin/login"), stranger.get(style)]
    {
        let policy = answer.must("Content-Security-Policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.must("X-Frame-Options"), "DENY");
        assert_eq!(answer.must("Referrer-Policy"), "same-origin");
    }
    assert_eq!(owner.get("/admin").must("Cache-Control"), "no-store");
    assert!(stranger.get(style).must("Cache-Control").contains("immutable"), "its address has its hash");
}

#[test]
fn with_an_address_of_its_own_the_page_is_there_alone_and_nothing_else() {
    let mut site = Site::with(|config| {
        config.text("admin", "listen", "127.0.0.1:0");
    });
    set_password(&site.server, PASSWORD);
    site.server.kill_and_restart();
    let line = site.server.wait_for_line("admin     http://");
    let address = line.split("http://").nth(1).unwrap().strip_suffix("/admin").unwrap().parse().unwrap();
    let mut owner = Owner::at(address);
    owner.logs_in();
    owner.page("/admin");
    site.get("/admin").refused(404, "not_found");
    let elsewhere = |target: &str| {
        let mut connection = Connection::open(address);
        connection.send(&Request::get(target));
        connection.read_head().unwrap().status
    };
    assert_eq!(elsewhere("/"), 303);
    for target in ["/healthz", "/widget.js", "/openapi.json", "/v1/widget/config?agent_id=demo"] {
        assert_eq!(elsewhere(target), 404, "{target}");
    }
    site.server.signal(rustix::process::Signal::TERM);
    assert!(site.server.wait().success());
}

#[test]
fn an_address_that_is_taken_stops_the_start() {
    let mut config = Config::new("http://127.0.0.1:9/v1");
    config.text("server", "listen", "127.0.0.1:8080").text("admin", "listen", "127.0.0.1:8080");
    let folder = Folder::new();
    folder.write("widget.toml", &config.to_toml());
    let output = widgetd().current_dir(folder.path()).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("admin.listen") && told.contains("is where the server listens already"), "{told}");
}
