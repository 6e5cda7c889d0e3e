use super::*;

fn event(lines: &[&str]) -> Event {
    Event { name: String::new(), data: lines.join("\n"), lines: lines.len() }
}

/// What one event says, and whether it is progress.
fn step(answer: &mut Answer, lines: &[&str]) -> Result<(String, Step), ModelError> {
    let mut said = Pieces::default();
    let step = answer.event(&event(lines), &mut said)?;
    Ok((said.text().to_owned(), step))
}

/// The words of these data lines, and how the answer ends if the stream ends regularly after them.
fn read(lines: &[&str]) -> (String, Result<(FinishReason, Option<Usage>), ModelError>) {
    let mut answer = Answer::default();
    let mut said = Pieces::default();
    let mut saw_done = false;
    for line in lines {
        match answer.event(&event(&[line]), &mut said) {
            Err(error) => return (said.text().to_owned(), Err(error)),
            Ok(step) => saw_done |= step == Step::Done,
        }
    }
    said.push(&answer.held_back().unwrap_or_default());
    (said.text().to_owned(), answer.conclude(saw_done, true))
}

fn says(lines: &[&str], expected: &str) {
    let (text, end) = read(lines);
    assert_eq!(text, expected, "{lines:?}");
    assert_eq!(end.map(|(reason, _)| reason), Ok(FinishReason::Stop), "{lines:?}");
}

const HELLO: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn chunks_that_say_nothing_are_passed_over() {
    for nothing in [
        r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#, // Azure, first
        r#"{"id":"","model":"","choices":[{"index":0,"content_filter_offsets":{}}]}"#, // Azure, no delta
        r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, // llama.cpp
        r#"{"choices":[{"delta":{"role":"assistant"}}]}"#,                // llama-cpp-python
        r#"{"choices":[{"delta":{"content":""},"finish_reason":null}]}"#,
        r#"{"choices":[{"delta":null,"finish_reason":""}]}"#, // Ollama, SGLang
        r#"{"choices":[{"delta":{}}]}"#,                      // LiteLLM: no finish_reason at all
        r#"{"choices":null,"timings":{"x":1}}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"another answer"}}]}"#, // n: 2
        r#"{"error":null,"choices":[]}"#,
        "",
        ": OPENROUTER PROCESSING",
        "[]",
        "7",
    ] {
        says(&[nothing, HELLO, nothing, STOP, nothing, "[DONE]"], "Hello");
    }
}

#[test]
fn text_comes_in_several_forms() {
    says(&[r#"{"choices":[{"delta":{"role":"assistant","content":"Hi"}}]}"#, STOP], "Hi"); // Ollama: role each time
    says(&[HELLO, r#"{"choices":[{"delta":{"content":"!"},"finish_reason":"stop"}]}"#], "Hello!"); // vLLM
    says(
        &[r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}"#, STOP],
        "ab",
    ); // Mistral
    says(&[r#"{"choices":[{"delta":{"refusal":"I won't"}}]}"#, STOP], "I won't"); // OpenAI
    says(&[r#"{"choices":[{"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}"#], "whole");
    says(
        &[
            r#"{"choices":[{"delta":{"content":"a"},"message":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"b"},"message":{"content":"ab"}}]}"#,
            STOP,
        ],
        "ab",
    ); // Perplexity: the message grows beside the delta
}

#[test]
fn thoughts_are_progress_and_are_not_said() {
    for thought in [
        r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"<think>hm</think>"}}]}"#,
    ] {
        assert_eq!(step(&mut Answer::default(), &[thought]), Ok((String::new(), Step::Progress)), "{thought}");
        says(&[thought, HELLO, STOP], "Hello");
    }
}

#[test]
fn a_thought_in_the_text_is_left_out_wherever_it_is_cut() {
    let check = |text: &str, expected: &str| {
        for size in 1..=text.len() {
            let mut filter = ThoughtFilter::default();
            let chars: Vec<char> = text.chars().collect();
            let mut said: String =
                chars.chunks(size).map(|piece| filter.pass(&piece.iter().collect::<String>()).into_owned()).collect();
            said.push_str(&filter.flush());
            assert_eq!(said, expected, "{text:?} in pieces of {size}");
        }
    };
    check("<think>let me é see</think>Hello", "Hello");
    check("\n<think></think>Hello <think>you</think>", "Hello <think>you</think>");
    check("<think>hm</think>\n\n Hello \n", "Hello \n");
    check("<think>hm</think> \n", "");
    check("Hello", "Hello");
    check("<thin air>", "<thin air>");
    check("<thi", "<thi");
    check("  ", "  ");
    check("<think>never ends", "");
}

#[test]
fn white_space_before_the_first_word_is_held_back_for_a_moment_only() {
    let mut answer = Answer::default();
    let mut said = Pieces::default();
    let blank = serde_json::json!({"choices": [{"delta": {"content": "\n".repeat(100)}}]});
    for _ in 0..20 {
        answer.chunk(&blank, &mut said).unwrap();
        assert!(answer.thought.held.len() <= HELD_BYTES_MAX, "{}", answer.thought.held.len());
    }
    assert_eq!(said.text(), "\n".repeat(2000));
    let error = (0..ANSWER_BYTES_MAX).find_map(|_| answer.chunk(&blank, &mut said).err());
    assert_eq!(error, Some(ModelError::TooLong), "it counts as any other text");
}

#[test]
fn usage_is_taken_from_wherever_it_stands_and_the_last_counts() {
    let usage = |lines: &[&str]| read(lines).1.unwrap().1;
    let expected = Some(Usage { input_tokens: 7, output_tokens: 3 });
    let last = r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#;
    assert_eq!(usage(&[HELLO, STOP, last, "[DONE]"]), expected);
    assert_eq!(
        usage(&[
            HELLO,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#
        ]),
        expected
    );
    assert_eq!(
        usage(&[HELLO, STOP, r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":7,"completion_tokens":3}}}"#]),
        expected
    );
    assert_eq!(
        usage(&[
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}"#,
            STOP,
            last
        ]),
        expected
    );
    assert_eq!(usage(&[HELLO, STOP, r#"{"choices":[],"usage":null}"#]), None);
}

#[test]
fn errors_in_the_stream_end_it() {
    for error in [
        r#"{"error":{"message":"no","code":500}}"#,
        r#"{"error":"no"}"#,
        r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"no"}}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
        r#"{"choices":[{"error":{"message":"no"}}]}"#,
        r#"{"object":"error","message":"no"}"#,
        r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
        r#"[{"error":{"message":"no"}}]"#,
    ] {
        let (text, end) = read(&[HELLO, error]);
        assert_eq!(text, "Hello");
        assert!(matches!(end, Err(ModelError::Failed(_))), "{error}: {end:?}");
    }
    let named = Event { name: "error".into(), ..event(&["over", "load"]) };
    assert!(matches!(Answer::default().event(&named, &mut Pieces::default()), Err(ModelError::Failed(_)))); // Groq
}

#[test]
fn two_documents_in_one_event_are_read_one_by_one() {
    let mut answer = Answer::default();
    assert_eq!(step(&mut answer, &[HELLO, STOP]), Ok(("Hello".into(), Step::Progress)));
    assert!(answer.is_finished());
    let split = [r#"{"choices":[{"delta":"#, r#"{"content":"x"}}]}"#];
    assert_eq!(step(&mut Answer::default(), &split), Ok(("x".into(), Step::Progress)));
}

#[test]
fn an_answer_ends_in_many_ways() {
    let end = |lines: &[&str]| read(lines).1.map(|(reason, _)| reason);
    assert_eq!(end(&[HELLO, STOP]), Ok(FinishReason::Stop)); // no [DONE]: Perplexity
    assert_eq!(end(&[HELLO, "[DONE] "]), Ok(FinishReason::Stop)); // no reason
    assert_eq!(end(&[HELLO, r#"{"choices":[{"finish_reason":"length"}]}"#]), Ok(FinishReason::Length));
    assert_eq!(end(&[HELLO, r#"{"choices":[{"finish_reason":"content_filter"}]}"#]), Ok(FinishReason::ContentFilter));
    assert_eq!(end(&[r#"{"choices":[{"finish_reason":"content_filter"}]}"#]), Ok(FinishReason::ContentFilter));
    assert_eq!(end(&[HELLO, r#"{"choices":[{"finish_reason":"eos"}]}"#]), Ok(FinishReason::Stop));
    assert_eq!(end(&[HELLO, r#"{"choices":[{"finish_reason":"length"}]}"#, STOP]), Ok(FinishReason::Length)); // SGLang: twice
    assert_eq!(end(&[HELLO]), Err(ModelError::Cut));
    assert_eq!(end(&[]), Err(ModelError::Empty));
    assert_eq!(end(&[STOP, "[DONE]"]), Err(ModelError::Empty));
    assert_eq!(end(&["[DONE]"]), Err(ModelError::Empty));
    assert_eq!(end(&[r#"{"choices":[{"delta":{"tool_calls":[{"id":"x"}]}}]}"#, STOP]), Err(ModelError::ToolsOnly));
    assert!(matches!(end(&["{broken", "[DONE]"]), Err(ModelError::Garbled(_))));
}

#[test]
fn an_interrupted_answer_is_not_taken_for_a_whole_one() {
    let mut answer = Answer::default();
    step(&mut answer, &[HELLO]).unwrap();
    assert_eq!(answer.conclude(true, false), Err(ModelError::Cut)); // llama-cpp-python: [DONE], then cut
    assert_eq!(Answer::default().conclude(false, false), Err(ModelError::Cut), "nor for one that says nothing");
}

#[test]
fn an_endless_answer_is_cut_off() {
    let mut answer = Answer::default();
    let chunk = serde_json::json!({"choices": [{"delta": {"content": "x".repeat(1000)}}]});
    let error = (0..1000).find_map(|_| answer.chunk(&chunk, &mut Pieces::default()).err());
    assert_eq!(error, Some(ModelError::TooLong));
}
