//! The embedded model: says what the FAQ has, word by word. It needs no key and no network, and never fails.

use super::{BUILTIN, BuiltinAnswer, Finished, Listener, ModelError, Prompt, Update};
use crate::domain::conversation::{FinishReason, Usage};
use crate::domain::pieces::Pieces;

pub(super) fn ask(prompt: &Prompt, listener: &Listener) -> Result<Finished, ModelError> {
    let text = match &prompt.builtin {
        BuiltinAnswer::Found { answer, url: Some(url) } => format!("{answer}\n\n{url}"),
        BuiltinAnswer::Found { answer, url: None } => answer.clone(),
        BuiltinAnswer::Unknown { text } => text.clone(),
    };
    let mut words = Pieces::default();
    text.split_inclusive(' ').for_each(|word| words.push(word));
    if listener(Update::Waiting).is_break() || listener(Update::Text(&words)).is_break() {
        return Err(ModelError::Cancelled);
    }
    Ok(Finished { finish_reason: FinishReason::Stop, usage: Some(Usage::default()), model: BUILTIN.to_owned() })
}
