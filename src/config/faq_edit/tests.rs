use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../../widget.toml");

fn faq(question: &str, answer: &str) -> Faq {
    Faq { question: question.to_owned(), answer: answer.to_owned(), url: None }
}

#[track_caller]
fn edited(text: &str, id: &str, entries: &[Faq], replace: bool) -> Edited {
    edit_faq(text, id, entries, replace).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn check(text: &str, entries: &[Faq], replace: bool, expected: &str) {
    assert_eq!(edited(text, "a", entries, replace).text, expected);
}

#[test]
fn an_entry_is_added_behind_the_others_of_its_agent() {
    let text = "[[agent]]\nid = \"a\"\n\n[[agent.faq]]\nquestion = \"1?\"\nanswer = \"1\"\n# url = \"\"\n\n# The other.\n[[agent]]\nid = \"b\"\n";
    check(
        text,
        &[faq("2?", "2")],
        false,
        "[[agent]]\nid = \"a\"\n\n[[agent.faq]]\nquestion = \"1?\"\nanswer = \"1\"\n# url = \"\"\n\n[[agent.faq]]\nquestion = \"2?\"\nanswer = \"2\"\n\n# The other.\n[[agent]]\nid = \"b\"\n",
    );
    let other = edited(text, "b", &[faq("2?", "2\n\"3\"")], false);
    assert_eq!(other.text, format!("{text}\n[[agent.faq]]\nquestion = \"2?\"\nanswer = \"\"\"\n2\n\"3\\\"\"\"\"\n"));
    assert_eq!(other.fates, [Fate::Added]);
}

#[test]
fn comments_stay_with_the_header_that_they_belong_to() {
    let text = "[[agent]]\nid = \"a\"\n[agent.theme]\n# accent = \"#000000\"\n\n# A second one,\n# elsewhere.\n[[agent]]\nid = \"b\"\n[log]\n";
    let (before, after) = text.split_at(text.find("# A second").unwrap());
    check(
        text,
        &[faq("1?", "1")],
        false,
        &format!("{before}[[agent.faq]]\nquestion = \"1?\"\nanswer = \"1\"\n\n{after}"),
    );
    let close = "[[agent]]\nid = \"a\" # mine\n# note\n[[agent]]\nid = \"b\"\n";
    let (before, after) = close.split_at(close.rfind("[[agent]]").unwrap());
    check(
        close,
        &[faq("1?", "1")],
        false,
        &format!("{before}\n[[agent.faq]]\nquestion = \"1?\"\nanswer = \"1\"\n\n{after}"),
    );
}

#[test]
fn the_same_question_gets_the_new_answer_and_nothing_else_changes() {
    let text = "[[agent]]\nid='a'\n[[agent.faq]]\nanswer = '''old''' # why\nquestion = \"How  IS it?\"\nurl = \"https://old.example\"";
    let result = edited(text, "a", &[faq("how is it?", "new"), faq("2?", "2")], false);
    assert_eq!(result.fates, [Fate::Updated, Fate::Added]);
    assert_eq!(
        result.text,
        format!("{}\n\n[[agent.faq]]\nquestion = \"2?\"\nanswer = \"2\"\n", text.replace("'''old'''", "\"new\""))
    );
    let again = edited(&result.text, "a", &[faq("how is it?", "new"), faq("2?", "2")], true);
    assert_eq!(again.fates, [Fate::Unchanged; 2]);
    assert_eq!((again.text, again.dropped.len()), (result.text, 0));
}

#[test]
fn a_link_is_changed_or_added_below_its_answer() {
    let with = |url: &str| Faq { url: Some(url.to_owned()), ..faq("1?", "1") };
    let text = "[[agent]]\nid = \"a\"\n[[agent.faq]]\nquestion = \"1?\"\nanswer = \"1\" # so\n";
    check(text, &[with("https://b.example")], false, &format!("{text}url = \"https://b.example\"\n"));
    check(text.trim_end(), &[with("https://b.example")], false, &format!("{text}url = \"https://b.example\""));
    let linked = format!("{text}url = 'https://a.example'\n");
    check(
        &linked,
        &[with("https://b.example")],
        false,
        &linked.replace("'https://a.example'", "\"https://b.example\""),
    );
}

#[test]
fn what_the_file_has_not_is_dropped_if_that_is_asked_for() {
    let text = "[[agent]]\nid = \"a\"\n\n# Known:\n[[agent.faq]]\nquestion = \"1?\"\nanswer = \"1\"\n\n[[agent.faq]]\nquestion = \"2?\"\nanswer = \"2\"\n\n[[agent.faq]]\nquestion = \"3?\"\nanswer = \"3\"\n";
    let result = edited(text, "a", &[faq("2?", "2")], true);
    assert_eq!(result.dropped, ["1?", "3?"]);
    assert_eq!(result.text, "[[agent]]\nid = \"a\"\n\n# Known:\n[[agent.faq]]\nquestion = \"2?\"\nanswer = \"2\"\n\n");
    let none = edited(text, "a", &[faq("4?", "4")], true);
    assert_eq!(none.text, "[[agent]]\nid = \"a\"\n\n# Known:\n[[agent.faq]]\nquestion = \"4?\"\nanswer = \"4\"\n\n");
}

#[test]
fn entries_in_brackets_stay_so() {
    let text = "[[agent]]\nid = \"a\"\nfaq = [\n  { question = \"1?\", answer = \"1\" }, # one\n]\nname = \"A\"\n";
    check(
        text,
        &[Faq { url: Some("https://a.example".to_owned()), ..faq("1?", "x\ny") }, faq("2?", "2")],
        false,
        "[[agent]]\nid = \"a\"\nfaq = [\n  { question = \"1?\", answer = \"x\\ny\", url = \"https://a.example\" }, { question = \"2?\", answer = \"2\" }, # one\n]\nname = \"A\"\n",
    );
    check(
        text,
        &[faq("2?", "2")],
        true,
        "[[agent]]\nid = \"a\"\nfaq = [\n    { question = \"2?\", answer = \"2\" },\n]\nname = \"A\"\n",
    );
    check(
        "[[agent]]\nid = \"a\"\nfaq = []",
        &[faq("1?", "1")],
        false,
        "[[agent]]\nid = \"a\"\nfaq = [\n    { question = \"1?\", answer = \"1\" },\n]",
    );
}

#[test]
fn lines_end_as_the_file_ends_them() {
    let text = "[[agent]]\r\nid = \"a\"\r\n";
    check(
        text,
        &[faq("1?", "1\n2")],
        false,
        "[[agent]]\r\nid = \"a\"\r\n\r\n[[agent.faq]]\r\nquestion = \"1?\"\r\nanswer = \"\"\"\r\n1\r\n2\"\"\"\r\n",
    );
}

#[test]
fn agents_in_brackets_or_of_another_id_are_left_alone() {
    let text = "agent = [{ id = \"a\", name = \"A\" }]\n";
    assert_eq!(edit_faq(text, "a", &[faq("1?", "1")], false).unwrap_err(), EditError::Unsafe);
    assert_eq!(edit_faq(text, "b", &[], false).unwrap_err(), EditError::NoAgent);
}

#[test]
fn every_other_byte_of_the_shipped_file_stays() {
    let added = edited(SHIPPED, "demo", &[faq("Is it new?", "Yes.\nIt is.")], false).text;
    assert_eq!(
        added.strip_prefix(SHIPPED).unwrap(),
        "\n[[agent.faq]]\nquestion = \"Is it new?\"\nanswer = \"\"\"\nYes.\nIt is.\"\"\"\n"
    );
    let updated = edited(SHIPPED, "demo", &[faq("What is widgetd?", "A server.")], false).text;
    let line = SHIPPED.lines().find(|line| line.starts_with("answer = \"widgetd is")).unwrap();
    assert_eq!(updated, SHIPPED.replace(line, "answer = \"A server.\""));
    let without = edited(SHIPPED, "demo", &[faq("What is widgetd?", "A server.")], true);
    let kept = updated.split("\n[[agent.faq]]\nquestion = \"How do I put").next().unwrap();
    assert_eq!(without.text, format!("{kept}\n"));
}

proptest! {
    /// In whatever order the parts of a file stand: what is added stands in one place, and all else is there as it was.
    #[test]
    fn wherever_an_entry_goes_the_rest_stays_as_it_was(
        parts in Just(vec![
            "[agent.theme]\n# accent = \"#000000\"\n",
            "\n# A note.\n",
            "# Close.\n",
            "[server] # here\n",
            "\n[[agent]]\nid = \"b\"\n\n[[agent.faq]]\nquestion = \"1?\"\nanswer = \"b\"\n",
            "\n[[agent.faq]]\nquestion = \"1?\"\nanswer = '''\n[[agent]]\n# 1'''\n\n",
            "[log]\nlevel = \"info\" # quiet\n# format = \"json\"\n",
            "[[model]]\nname = \"m\"\n\n\n",
            "[[agent.rule]]\nid = \"r\"\n[[agent.rule.button]]\nlabel = \"x\"\n",
        ]).prop_shuffle(),
        count in 0_usize..=9,
        is_ended: bool,
    ) {
        let text = format!("[[agent]]\nid = \"a\"\n{}", parts[..count].concat());
        let text = if is_ended { text.as_str() } else { text.trim_end() };
        prop_assume!(DeTable::parse(text).is_ok());
        let result = edit_faq(text, "a", &[faq("New?", "Yes.\nYes.")], false);
        let edited = result.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?.text;
        let start = edited.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        prop_assert_eq!(&edited[edited.len() - (text.len() - start)..], &text[start..]);
        let again = edit_faq(&edited, "a", &[faq("New?", "Yes.\nYes.")], false).unwrap();
        prop_assert_eq!(again.text, edited);
    }

    #[test]
    fn any_entry_that_the_configuration_takes_is_read_back(
        texts in prop::collection::vec(("\\PC{1,40}", "([\"'\\\\#\u{1f642}a]|\n|\"\"\"| ){1,30}"), 1..4),
        replace: bool,
    ) {
        let mut entries: Vec<Faq> = Vec::new();
        for (question, answer) in &texts {
            let is_new = |entry: &Faq| !entries.iter().any(|other| same_question(&other.question, &entry.question));
            entries.extend(crate::config::judge_faq(question, answer, None).ok().filter(is_new));
        }
        let text = edit_faq(SHIPPED, "demo", &entries, replace).unwrap().text;
        let config = crate::config::judge(std::path::Path::new("widget.toml"), &text).unwrap();
        for entry in &entries {
            prop_assert!(config.agents[0].faq.contains(entry), "{:?} in\n{}", entry, text);
        }
    }
}
