//! The commonest chunk by far, a piece of text and nothing else, read without building a tree of it.

use std::borrow::Cow;

use serde::Deserialize;

/// A chunk that has no member but these, or none that matters, in the types that the format says. `()` is null.
#[derive(Deserialize)]
#[expect(dead_code, reason = "that a member is null is all there is to know of it")]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    #[serde(default)]
    object: Option<Cow<'a, str>>,
    #[serde(default, rename = "type")]
    kind: (),
    #[serde(default)]
    error: (),
    #[serde(default)]
    usage: (),
    #[serde(default)]
    x_groq: (),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "that a member is null is all there is to know of it")]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(default)]
    finish_reason: (),
    #[serde(default)]
    object: (),
    #[serde(default, rename = "type")]
    kind: (),
    #[serde(default)]
    error: (),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "that a member is null is all there is to know of it")]
struct Delta<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    refusal: (),
    #[serde(default)]
    tool_calls: (),
    #[serde(default)]
    reasoning_content: (),
    #[serde(default)]
    reasoning: (),
}

/// The text of a chunk that is a piece of text alone. `None` is no judgement: whoever asks looks closer then.
pub(super) fn text(data: &str) -> Option<Cow<'_, str>> {
    let Chunk { choices: [choice], object, .. } = serde_json::from_str(data).ok()?;
    (choice.index == 0 && object.as_deref() != Some("error")).then_some(choice.delta.content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [&str; 4] = [
        r#"{"choices":[{"delta":{"content":"x"}}]}"#,
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"\u0078"},"finish_reason":null}],"timings":{"n":1},"error":null}"#,
        r#" {"choices":[{"delta":{"content":"x","tool_calls":null,"refusal":null},"message":{"content":"xx"}}]} "#,
    ];

    #[test]
    fn a_piece_of_text_is_read_at_once() {
        for chunk in PLAIN {
            assert_eq!(text(chunk).as_deref(), Some("x"), "{chunk}");
        }
    }

    #[test]
    fn whatever_says_more_or_less_is_left_to_a_closer_look() {
        for chunk in [
            r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"x"},"finish_reason":""}]}"#,
            r#"{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"x"}}],"x_groq":{"usage":{}}}"#,
            r#"{"choices":[{"delta":{"content":"x"}}],"error":"overloaded"}"#,
            r#"{"choices":[{"delta":{"content":"x"}}],"object":"error"}"#,
            r#"{"choices":[{"delta":{"content":"x"}}],"type":"error"}"#,
            r#"{"choices":[{"delta":{"content":"x"},"error":{"code":1}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#,
            r#"{"choices":[{"delta":{"content":"x"}},{"index":1,"delta":{"content":"y"}}]}"#,
            r#"{"choices":[{"delta":{"content":"x","refusal":"no"}}]}"#,
            r#"{"choices":[{"delta":{"content":"x","reasoning":"hm"}}]}"#,
            r#"{"choices":[{"delta":{"content":"x","reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"delta":{"content":"x","tool_calls":[{}]}}]}"#,
            r#"{"choices":[{"delta":{"content":"x","content":"y"}}]}"#,
            r#"{"choices":[{"delta":{"content":["x"]}}]}"#,
            r#"{"choices":[{"delta":{"content":null}}]}"#,
            r#"{"choices":[{"message":{"content":"x"}}]}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"x"}}]"#,
            "[DONE]",
        ] {
            assert_eq!(text(chunk), None, "{chunk}");
        }
    }
}
