//! Events to words: what the chunks of `/v1/chat/completions` say, whichever server wrote them. Pure.
//!
//! Every field is optional and may be of another type than the format says; what is not understood is passed over. The
//! servers named are those that were seen to do it.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::error_body::error_of;
use super::events::Event;
use super::plain;
use crate::domain::conversation::{FinishReason, Usage};
use crate::domain::pieces::Pieces;
use crate::model::ModelError;

/// Of one answer: far beyond any limit of tokens that is sensible for a chat.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Of white space before the first word, behind which a thought may still begin. Small models get stuck in line ends.
const HELD_BYTES_MAX: usize = 1024;

/// What one event brought, beside words for the visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The model is at work: it spoke, or it thinks.
    Progress,
    /// Nothing that counts as progress: a comment's twin, a chunk that is empty.
    Nothing,
    /// `[DONE]`.
    Done,
}

/// An answer under way.
#[derive(Debug, Default)]
pub(super) struct Answer {
    bytes: usize,
    /// Of thoughts that have a price, and that nobody was told of yet.
    thought_bytes: usize,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    wanted_tools: bool,
    thought: ThoughtFilter,
    garbled: Option<String>,
}

impl Answer {
    /// Whether the model has said that it ends.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// Takes an event; what it says to the visitor is added to `said`.
    pub(super) fn event(&mut self, event: &Event, said: &mut Pieces) -> Result<Step, ModelError> {
        let data = event.data.as_str();
        if event.lines == 1 || is_marker(data) || serde_json::from_str::<IgnoredAny>(data).is_ok() {
            return self.data(&event.name, data, said);
        }
        // Proxies that put an error, or the next chunk, into an event without an empty line before it
        // (Wei-Shaw/sub2api#1471).
        let mut last = Step::Nothing;
        for line in data.split('\n') {
            match self.data(&event.name, line, said)? {
                Step::Nothing => {}
                step => last = step,
            }
            if last == Step::Done {
                break;
            }
        }
        Ok(last)
    }

    fn data(&mut self, name: &str, data: &str, said: &mut Pieces) -> Result<Step, ModelError> {
        let data = data.trim();
        if data.starts_with("[DONE]") {
            return Ok(Step::Done);
        }
        // `data: : OPENROUTER PROCESSING`: gateways that wrap comments again (mnfst/llm-gateway#2053).
        if is_marker(data) {
            return Ok(Step::Nothing);
        }
        if name != "error"
            && let Some(text) = plain::text(data)
        {
            return self.say(&text, said);
        }
        match serde_json::from_str::<Value>(data) {
            Ok(value) if name == "error" => {
                Err(ModelError::Failed(error_of(&value).unwrap_or_else(|| "without a reason".into())))
            }
            Ok(value) => self.chunk(&value, said),
            Err(_) if name == "error" => Err(ModelError::Failed(data.chars().take(300).collect())),
            Err(error) => {
                self.garbled.get_or_insert(error.to_string());
                Ok(Step::Nothing)
            }
        }
    }

    /// One chunk, or a whole answer of a server that does not stream (tinyhumansai/tinyagents#56).
    pub(super) fn chunk(&mut self, chunk: &Value, said: &mut Pieces) -> Result<Step, ModelError> {
        // Before the choices: OpenRouter sends both (block/goose#8031).
        if let Some(message) = error_of(chunk) {
            return Err(ModelError::Failed(message));
        }
        // Groq has it under `x_groq`; xAI sends it with every chunk: the last one counts.
        let usage = [chunk.get("usage"), chunk.pointer("/x_groq/usage")].into_iter().flatten().find_map(usage);
        self.usage = usage.or(self.usage);
        // Azure and OpenAI send chunks without a choice; of several answers only the first was asked for.
        let choices = chunk.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let choice = choices.iter().find(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
        choice.map_or(Ok(Step::Nothing), |choice| self.choice(choice, said))
    }

    fn choice(&mut self, choice: &Value, said: &mut Pieces) -> Result<Step, ModelError> {
        if let Some(message) = error_of(choice) {
            return Err(ModelError::Failed(message));
        }
        // The text of a chunk that also ends the answer (vLLM, vllm-project/vllm#36944) is said first.
        let step = match choice.get("delta").or_else(|| choice.get("message")) {
            Some(delta) => self.delta(delta, said)?,
            None => Step::Nothing,
        };
        // Absent (LiteLLM), null, and "" (Ollama, SGLang) all mean that it goes on; the first reason counts.
        match choice.get("finish_reason").and_then(Value::as_str) {
            None | Some("") => {}
            // OpenRouter; DeepSeek.
            Some(reason @ ("error" | "insufficient_system_resource")) => {
                return Err(ModelError::Failed(reason.into()));
            }
            Some(reason) => {
                self.finish_reason.get_or_insert_with(|| reason.to_owned());
            }
        }
        Ok(step)
    }

    fn delta(&mut self, delta: &Value, said: &mut Pieces) -> Result<Step, ModelError> {
        if delta.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty()) {
            self.wanted_tools = true;
        }
        let (mut text, mut thought_bytes) = content(delta.get("content"));
        // A refusal is the answer's text (OpenAI).
        text.push_str(delta.get("refusal").and_then(Value::as_str).unwrap_or_default());
        // DeepSeek and llama.cpp; vLLM, SGLang and Groq.
        let thoughts = ["reasoning_content", "reasoning"].iter().filter_map(|key| delta.get(*key)?.as_str());
        // Some send both, with the same text.
        thought_bytes += thoughts.map(str::len).max().unwrap_or(0);
        self.thought_bytes += thought_bytes;
        match self.say(&text, said)? {
            Step::Nothing if thought_bytes > 0 => Ok(Step::Progress),
            step => Ok(step),
        }
    }

    fn say(&mut self, text: &str, said: &mut Pieces) -> Result<Step, ModelError> {
        let shown = self.thought.pass(text);
        self.bytes += shown.len();
        self.thought_bytes += std::mem::take(&mut self.thought.hidden_bytes);
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(ModelError::TooLong);
        }
        said.push(&shown);
        Ok(if text.is_empty() { Step::Nothing } else { Step::Progress })
    }

    /// How much was thought since this was asked last.
    pub(super) fn take_thought_bytes(&mut self) -> usize {
        std::mem::take(&mut self.thought_bytes)
    }

    /// Text that was held back, because it might have been the beginning of a thought: little, and the only text then.
    pub(super) fn held_back(&mut self) -> Option<String> {
        let text = self.thought.flush();
        self.bytes += text.len();
        (!text.is_empty()).then_some(text)
    }

    /// What the answer comes to, once nothing more will come. `is_whole`: the stream came to its end, by `[DONE]` or by
    /// its framing, and was not cut.
    pub(super) fn conclude(self, saw_done: bool, is_whole: bool) -> Result<(FinishReason, Option<Usage>), ModelError> {
        let reason = self.finish_reason.as_deref();
        let finish_reason = match reason {
            Some("length" | "max_tokens") => FinishReason::Length,
            Some("content_filter") => FinishReason::ContentFilter,
            _ => FinishReason::Stop,
        };
        if self.bytes == 0 && finish_reason != FinishReason::ContentFilter {
            return Err(match self.garbled {
                _ if self.wanted_tools => ModelError::ToolsOnly,
                Some(error) => ModelError::Garbled(error),
                None if reason.is_none() && !is_whole => ModelError::Cut,
                // Also a 200 with an empty stream: llama-cpp-python, when the prompt is too long.
                None => ModelError::Empty,
            });
        }
        match reason {
            Some(_) => Ok((finish_reason, self.usage)),
            // Some hosts give no reason on whole answers (pydantic/pydantic-ai#6610). llama-cpp-python gives none when it
            // was interrupted, and then cuts its stream.
            None if saw_done && is_whole => Ok((finish_reason, self.usage)),
            None => Err(ModelError::Cut),
        }
    }
}

/// Data that says nothing.
fn is_marker(data: &str) -> bool {
    data.is_empty() || data.starts_with(':') || data.starts_with("[DONE]")
}

/// The text of a content, and how many bytes of thoughts are in it. Mistral's is a list of parts.
fn content(content: Option<&Value>) -> (String, usize) {
    match content {
        Some(Value::String(text)) => (text.clone(), 0),
        Some(Value::Array(parts)) => {
            let is_thinking = |part: &Value| part.get("type").is_some_and(|kind| kind == "thinking");
            let text = parts.iter().filter(|part| !is_thinking(part)).filter_map(|part| part.get("text")?.as_str());
            // With the marks around them: a thought's own form is not worth taking apart.
            let thoughts = parts.iter().filter(|part| is_thinking(part)).map(|part| part.to_string().len());
            (text.collect(), thoughts.sum())
        }
        _ => (String::new(), 0),
    }
}

/// None too if it claims that nothing was used, as servers do that do not count.
fn usage(usage: &Value) -> Option<Usage> {
    let tokens = |key| usage.get(key)?.as_u64().map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    let usage =
        Usage { input_tokens: tokens("prompt_tokens")?, output_tokens: tokens("completion_tokens").unwrap_or(0) };
    (usage.total() > 0).then_some(usage)
}

/// Leaves out the `<think>…</think>` with which some servers begin an answer instead of a field of its own.
#[derive(Debug, Default)]
struct ThoughtFilter {
    state: Thought,
    held: String,
    /// Of thoughts, since this was looked at.
    hidden_bytes: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Thought {
    /// It may still begin with a thought.
    #[default]
    Unknown,
    Inside,
    /// The white space after a thought, which is not said either.
    After,
    /// The rest is said.
    Over,
}

impl ThoughtFilter {
    const OPEN: &str = "<think>";
    const CLOSE: &str = "</think>";

    /// What of `text` is to be said now.
    fn pass<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        match self.state {
            Thought::Unknown | Thought::Inside => {}
            Thought::After => return self.begin(text).into(),
            Thought::Over => return text.into(),
        }
        self.held.push_str(text);
        if self.state == Thought::Unknown {
            let begins = self.held.trim_start();
            if let Some(thought) = begins.strip_prefix(Self::OPEN) {
                self.held = thought.to_owned();
                self.state = Thought::Inside;
            } else if Self::OPEN.starts_with(begins) && self.held.len() <= HELD_BYTES_MAX {
                return "".into();
            } else {
                self.state = Thought::Over;
                return std::mem::take(&mut self.held).into();
            }
        }
        let held = std::mem::take(&mut self.held);
        match held.split_once(Self::CLOSE) {
            Some((thought, said)) => {
                self.hidden_bytes += thought.len();
                self.state = Thought::After;
                self.begin(said).to_owned().into()
            }
            None => {
                self.hidden_bytes += text.len();
                // Only the end of it can be the beginning of the closing mark.
                let keep = held.len().saturating_sub(Self::CLOSE.len());
                let keep = (0..=keep).rev().find(|at| held.is_char_boundary(*at)).unwrap_or(0);
                self.held = held[keep..].to_owned();
                "".into()
            }
        }
    }

    /// What of the first text after a thought is said.
    fn begin<'a>(&mut self, text: &'a str) -> &'a str {
        let said = text.trim_start();
        if !said.is_empty() {
            self.state = Thought::Over;
        }
        said
    }

    /// White space, or `<thi` at the very end: no thought after all.
    fn flush(&mut self) -> String {
        match self.state {
            Thought::Unknown => std::mem::take(&mut self.held),
            Thought::Inside | Thought::After | Thought::Over => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
