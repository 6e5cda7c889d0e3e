//! A chain of models: each is asked if the ones before it could not even begin to answer.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::breaker::{Breaker, LinkStatus};
use super::openai::OpenAi;
use super::{BUILTIN, Finished, Listener, ModelError, Prompt, Settings, Update, builtin};
use crate::clock;

/// One model, shared by all agents that name it: its connections, and what is known of its health.
pub(crate) struct Link {
    kind: Kind,
    breaker: Mutex<Breaker>,
}

enum Kind {
    OpenAi(Box<OpenAi>),
    Builtin,
}

impl Link {
    /// `calls_max` is how many answers may run at once: so many connections are kept.
    pub(crate) fn open_ai(settings: Settings, calls_max: usize) -> Self {
        Self { kind: Kind::OpenAi(Box::new(OpenAi::new(settings, calls_max))), breaker: Mutex::default() }
    }

    pub(crate) fn builtin() -> Self {
        Self { kind: Kind::Builtin, breaker: Mutex::default() }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.kind {
            Kind::OpenAi(model) => &model.settings().name,
            Kind::Builtin => BUILTIN,
        }
    }

    /// Whether it was made from these settings, so that a reload may keep it.
    pub(crate) fn has_settings(&self, settings: &Settings) -> bool {
        matches!(&self.kind, Kind::OpenAi(model) if model.settings() == settings)
    }

    pub(crate) fn status(&self, now: Duration) -> LinkStatus {
        self.breaker.lock().status(now)
    }

    fn ask(&self, prompt: &Prompt, listener: &Listener) -> Result<Finished, ModelError> {
        let answered = match &self.kind {
            Kind::OpenAi(model) => model.ask(prompt, listener),
            Kind::Builtin => builtin::ask(prompt, listener),
        };
        match &answered {
            Ok(_) => self.breaker.lock().succeeded(),
            Err(ModelError::Cancelled) => {}
            Err(error) => {
                let begins_pause = error.speaks_against_server() && self.breaker.lock().failed(clock::monotonic());
                tracing::warn!(model = self.name(), %error, begins_pause, "a model gave no answer");
            }
        }
        answered
    }
}

/// Models in the order in which they are asked.
pub(crate) struct Chain(Vec<Arc<Link>>);

impl Chain {
    pub(crate) fn new(links: Vec<Arc<Link>>) -> Self {
        Self(links)
    }

    /// Asks until somebody answers. Once a word was said there is no other model to turn to.
    pub(crate) fn ask(&self, prompt: &Prompt, listener: &Listener) -> Result<Finished, ModelError> {
        let has_spoken = Rc::new(Cell::new(false));
        let listener: Listener = {
            let (listener, has_spoken) = (listener.clone(), has_spoken.clone());
            Rc::new(move |update| {
                has_spoken.set(has_spoken.get() || matches!(update, Update::Text(_)));
                listener(update)
            })
        };
        let mut failure = ModelError::NoModel;
        for (place, link) in self.0.iter().enumerate() {
            // The last one is asked even in its pause: there is nobody else.
            let is_last = place + 1 == self.0.len();
            if !link.breaker.lock().admit(clock::monotonic()) && !is_last {
                continue;
            }
            match link.ask(prompt, &listener) {
                Ok(finished) => return Ok(finished),
                Err(error) if has_spoken.get() || error == ModelError::Cancelled => {
                    return Err(error);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}
