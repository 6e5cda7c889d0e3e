use super::*;

/// Each entry as `line question|answer`, and what was passed over as `line why`.
#[track_caller]
fn check(text: &str, expected: &[&str], passed: &[&str]) {
    let reading = read(text);
    let found: Vec<_> =
        reading.entries.iter().map(|entry| format!("{} {}|{}", entry.line, entry.question, entry.answer)).collect();
    assert_eq!(found, expected, "{text}");
    let told: Vec<_> = reading.passed.iter().map(|passed| format!("{} {}", passed.line, passed.why)).collect();
    assert_eq!(told, passed, "{text}");
}

#[test]
fn a_heading_asks_and_the_text_below_answers() {
    check(
        "# FAQ\n\n## How long does shipping take?\n\nTwo to *four* days.\n\n- Express: one.\n\n## Do you ship abroad?\nYes.\n",
        &["3 How long does shipping take?|Two to *four* days.\n\n- Express: one.", "9 Do you ship abroad?|Yes."],
        &["1 \"FAQ\" is taken for the title of the file"],
    );
    check("Shipping\n--------\nTwo days.\n", &["2 Shipping|Two days."], &[]);
    check("# Where?\nHere.\n", &["1 Where?|Here."], &[]);
}

#[test]
fn a_heading_with_no_text_of_its_own_is_told() {
    check(
        "# All\n## Shipping\n### How long?\nTwo days.\n## Empty?\n",
        &["3 How long?|Two days."],
        &[
            "1 \"All\" is taken for the title of the file",
            "2 \"Shipping\" has no answer below it",
            "5 \"Empty?\" has no answer below it",
        ],
    );
}

#[test]
fn parts_of_a_long_answer_stay_in_it() {
    check(
        "## How do I install it?\nIt depends.\n### On Linux\napt\n### Is it free?\nYes.\n",
        &["1 How do I install it?|It depends.\n### On Linux\napt", "5 Is it free?|Yes."],
        &[],
    );
}

#[test]
fn code_is_an_answers_and_no_heading_stands_in_it() {
    check(
        "## How?\n\n```sh\n# install\nQ: x\n<details>\n```\n\n    # deep\n\n## When?\nNow.\n",
        &["1 How?|```sh\n# install\nQ: x\n<details>\n```\n\n    # deep", "11 When?|Now."],
        &[],
    );
}

#[test]
fn letters_before_a_colon_ask_and_answer() {
    check(
        "**Q:** How?\n\n**A:** So.\n\nAnd so.\n\n---\n\n**Q:** When?\n**A:** Now.\n",
        &["1 How?|So.\n\nAnd so.", "9 When?|Now."],
        &[],
    );
    check(
        "Q: How long\ndoes it take?\nA: Two days.\n\nQ2: When?\nA2: Now.\n",
        &["1 How long does it take?|Two days.", "5 When?|Now."],
        &[],
    );
    check("**Q1: How?**\n\nSo.\n\n**Question: When?**\nNow.\n", &["1 How?|So.", "5 When?|Now."], &[]);
    check("### Q: How?\nA: So.\n", &["1 How?|So."], &[]);
    check("**Frage**: Wie?\n**Antwort**: So.\n", &["1 Wie?|So."], &[]);
    check("Q: How?\n", &[], &["1 \"How?\" has no answer below it"]);
    check("Quick: no.\na: b\n", &[], &[]);
}

#[test]
fn what_unfolds_asks_in_its_summary() {
    check(
        "# Help\n<details>\n<summary><b>How?</b></summary>\n\nSo, with `<b>`.\n\n</details>\n\n<details><summary>When?</summary>\n<p>Now.</p></details>\nThe end.\n",
        &["2 How?|So, with `<b>`.", "9 When?|Now."],
        &["1 \"Help\" has no answer below it"],
    );
    check(
        "<details open>\n<summary>A?</summary>\n<details>\n<summary>b</summary>c\n</details>\nd\n</details>\n",
        &["1 A?|**b**\n\nc\n\n\nd"],
        &[],
    );
    check("## How?\nSo.\n<details><summary>More</summary>m</details>\n", &["1 How?|So.\n**More**\n\nm"], &[]);
    check("<details>\nnever closed\n", &[], &[]);
}

#[test]
fn a_question_is_plain_text() {
    for (source, expected) in [
        ("**How** do I _use_ `snake_case`?", "How do I use snake_case?"),
        ("[What](https://a.example) is it?", "What is it?"),
        ("3. Why? {#why}", "Why?"),
        ("2024 in numbers", "2024 in numbers"),
        ("Q&amp;A \\* all", "Q&A * all"),
        ("<a name=\"x\"></a>How?", "How?"),
        ("![icon](i.png) Where?", "icon Where?"),
    ] {
        check(&format!("## {source}\nSo.\n"), &[&format!("1 {expected}|So.")], &[]);
    }
}

#[test]
fn comments_are_left_out_and_an_empty_file_has_nothing() {
    check("## How?\n<!-- not yet:\n## When?\n-->\nSo.\n", &["1 How?|So."], &[]);
    check("", &[], &[]);
    check("Just text.\n", &[], &[]);
}

#[test]
fn the_html_of_an_answer_is_markdown_and_that_of_its_code_and_tables_stays() {
    let source = "# How?\n\nOne<br>two &amp; <a href=\"https://a.example\">three</a>.\n\n~~~\n<b> &amp;\n~~~\n\n| a<br>b |\n|---|\n";
    let answer = "One\ntwo & [three](https://a.example).\n\n~~~\n<b> &amp;\n~~~\n\n| a<br>b |\n|---|";
    assert_eq!(read(source).entries[0].answer, answer);
}
