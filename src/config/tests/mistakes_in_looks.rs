//! Mistakes in what a visitor sees, each with the whole complaint that it earns.

use super::{AGENT, complaints};

/// That the lines that follow a good agent's four have one mistake, and that its complaint is `expected`.
fn check(lines: &str, expected: &str) {
    let text = format!("{AGENT}{lines}\n");
    assert_eq!(complaints(&text), [expected], "about:\n{text}");
}

#[test]
fn mistakes_in_the_theme_are_named() {
    check(
        "[agent.theme]\ncolor = \"teal\"",
        r##"6 agent[0].theme.color: "teal" is not a colour; write six hexadecimal digits, such as "#2563eb""##,
    );
    check(
        "[agent.theme]\noffset_y_px = 201",
        "6 agent[0].theme.offset_y_px: 201 is out of range; write a whole number from 0 to 200",
    );
    check(
        "[agent.theme]\navatar = \"javascript:alert(1)\"",
        r#"6 agent[0].theme.avatar: "javascript:alert(1)" is not a link that is allowed; write a whole URL that begins with https:// or http://"#,
    );
    check(
        "[agent.theme]\nlauncher_icon = \"bubble\"",
        r#"6 agent[0].theme.launcher_icon: "bubble" is not known here; write "chat" or "help" or "spark""#,
    );
}

#[test]
fn mistakes_in_strings_and_paths_are_named() {
    check("[agent.strings]\nlauncher = \"\"", r#"6 agent[0].strings.launcher: "" must not be empty"#);
    check(
        "restricted_paths = [\"checkout\"]",
        r#"5 agent[0].restricted_paths[0]: "checkout" is not a path; write one that begins with "/" or "*", such as "/pricing*""#,
    );
}

#[test]
fn mistakes_in_cards_are_named() {
    let rule = "[[agent.rule]]\nid = \"r\"\ntrigger = \"exit_intent\"\naction = \"card\"";
    let button = "[[agent.rule.button]]\nlabel = \"L\"";
    check(
        &format!("{rule}\n{button}\ndoes = \"dismiss\""),
        r#"5 agent[0].rule[0].title: is missing; write title = "Shall we help?""#,
    );
    let rule = format!("{rule}\ntitle = \"T\"");
    check(
        &rule,
        r#"5 agent[0].rule[0].button: is missing; write [[agent.rule.button]], label = "Talk to us", does = "lead_form""#,
    );
    check(
        &format!("{rule}\n{button}\ndoes = \"url\""),
        r#"10 agent[0].rule[0].button[0].url: is missing; write url = "/pricing""#,
    );
    for bad in ["javascript:alert(1)", "//e.example/x", "https://ann@e.example/", "pricing", "file:///x"] {
        check(
            &format!("{rule}\n{button}\ndoes = \"url\"\nurl = \"{bad}\""),
            &format!(
                r#"13 agent[0].rule[0].button[0].url: "{bad}" is not a link that is allowed; write a URL that begins with https://, http://, mailto: or tel:, without a name before the host, or a path that begins with one "/""#
            ),
        );
    }
    check(
        &format!("{rule}\n{button}\ndoes = \"dismiss\"\ntext = \"x\""),
        r#"13 agent[0].rule[0].button[0].text: belongs to "message", and this button has "dismiss"; take it out"#,
    );
    check(
        &format!("{rule}\n{button}\ndoes = \"lead_form\""),
        r#"12 agent[0].rule[0].button[0].does: "lead_form" opens a form that is switched off; write enabled = true under [agent.lead_form]"#,
    );
    check(
        "[[agent.rule]]\nid = \"r\"\ntrigger = \"exit_intent\"\naction = \"nudge\"\ntext = \"x\"\n[[agent.rule.button]]\nlabel = \"L\"\ndoes = \"dismiss\"",
        r#"10 agent[0].rule[0].button: belongs to "card"; take it out"#,
    );
}
