//! A chain of models: each is asked if the ones before it could not even begin to answer.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::breaker::{Breaker, LinkStatus};
use super::openai::OpenAi;
use super::{Asked, BUILTIN, Finished, Listener, ModelError, Prompt, Settings, Unreported, Update, builtin};
use crate::clock;
use crate::metrics;

/// One model, shared by all agents that name it: its connections, and what is known of its health.
pub(crate) struct Link {
    kind: Kind,
    breaker: Mutex<Breaker>,
    counted: metrics::Model,
}

enum Kind {
    OpenAi(Box<OpenAi>),
    Builtin,
}

impl Link {
    /// `calls_max` is how many answers may run at once: so many connections are kept.
    pub(crate) fn open_ai(settings: Settings, calls_max: usize) -> Self {
        let breaker = Mutex::new(Breaker::new(settings.pause));
        let counted = metrics::models().model(&settings.name);
        Self { kind: Kind::OpenAi(Box::new(OpenAi::new(settings, calls_max))), breaker, counted }
    }

    pub(crate) fn builtin() -> Self {
        // It never fails.
        let breaker = Mutex::new(Breaker::new(Duration::ZERO));
        Self { kind: Kind::Builtin, breaker, counted: metrics::models().model(BUILTIN) }
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
            Ok(_) => {
                let ends_pause = self.breaker.lock().succeeded();
                if ends_pause {
                    tracing::info!(model = self.name(), "a model answers again");
                }
            }
            Err(ModelError::Cancelled) => {}
            Err(error) => {
                let begins_pause = error.speaks_against_server() && self.breaker.lock().failed(clock::monotonic());
                tracing::warn!(model = self.name(), %error, begins_pause, "a model gave no answer");
            }
        }
        answered
    }
}

impl Link {
    /// Counts a call that began at `asked_at` and has ended now, with its first word, if it said one.
    fn count(&self, asked_at: Duration, spoke_at: Option<Duration>, answered: &Result<Finished, ModelError>) {
        self.counted.asked();
        if let Some(spoke_at) = spoke_at {
            self.counted.spoke(spoke_at.saturating_sub(asked_at));
        }
        match answered.as_ref().map_err(ModelError::kind) {
            Ok(_) => self.counted.answered(clock::monotonic().saturating_sub(asked_at)),
            Err(Some(kind)) => self.counted.failed(kind),
            Err(None) => self.counted.cancelled(),
        }
    }
}

/// Models in the order in which they are asked.
pub(crate) struct Chain(Vec<Arc<Link>>);

impl Chain {
    pub(crate) fn new(links: Vec<Arc<Link>>) -> Self {
        Self(links)
    }

    /// Asks until somebody answers. Once a word was said there is no other model to turn to.
    pub(crate) fn ask(&self, prompt: &Prompt, listener: &Listener) -> Asked {
        let heard = Rc::new(Heard::default());
        let listener = heard.before(listener);
        let mut unreported = Unreported::default();
        let mut failure = ModelError::NoModel;
        for (place, link) in self.0.iter().enumerate() {
            // The last one is asked even in its pause: there is nobody else.
            let is_last = place + 1 == self.0.len();
            if !link.breaker.lock().admit(clock::monotonic()) && !is_last {
                continue;
            }
            let asked_at = clock::monotonic();
            let answered = link.ask(prompt, &listener);
            link.count(asked_at, heard.spoke_at.take(), &answered);
            let output_bytes = heard.bytes.take();
            let has_price = match &answered {
                Ok(finished) => finished.usage.is_none(),
                Err(error) => error.may_have_cost() || output_bytes > 0,
            };
            if has_price {
                unreported.calls += 1;
                unreported.output_bytes += output_bytes;
            }
            match answered {
                Err(error) if !heard.has_spoken.get() && error != ModelError::Cancelled => failure = error,
                answered => return Asked { answered, unreported },
            }
        }
        Asked { answered: Err(failure), unreported }
    }
}

/// What of an answer came by.
#[derive(Default)]
struct Heard {
    /// A word that the visitor hears.
    has_spoken: Cell<bool>,
    /// When it came, until it is counted.
    spoke_at: Cell<Option<Duration>>,
    /// Words and thoughts of the link that is being asked.
    bytes: Cell<usize>,
}

impl Heard {
    /// A listener that takes note of what it passes on to `listener`.
    fn before(self: &Rc<Self>, listener: &Listener) -> Listener {
        let (heard, listener) = (self.clone(), listener.clone());
        Rc::new(move |update| {
            let bytes = match update {
                Update::Waiting => 0,
                Update::Thought(bytes) => bytes,
                Update::Text(said) => {
                    if !heard.has_spoken.replace(true) {
                        heard.spoke_at.set(Some(clock::monotonic()));
                    }
                    said.text().len()
                }
            };
            heard.bytes.set(heard.bytes.get() + bytes);
            listener(update)
        })
    }
}
