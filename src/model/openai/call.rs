//! One call: sends the question, reads the stream, passes the words on.

use std::io::Read;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::de::IgnoredAny;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body as ResponseBody, BodyReader};

use super::answer::{Answer, Step};
use super::error_body;
use super::events::Events;
use super::request::Body;
use super::waiting::{Call, CallGuard, Limit};
use crate::clock;
use crate::domain::pieces::Pieces;
use crate::domain::time::Timestamp;
use crate::model::{Finished, Listener, ModelError, Settings, Update};

/// Of an error's body that is read.
const ERROR_BYTES_MAX: u64 = 64 * 1024;
/// Of a body that is one JSON document, which a server sends that does not stream.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// After the finish reason: for usage and `[DONE]`, which may never come.
const FINISH_GRACE: Duration = Duration::from_secs(2);
/// After `[DONE]`: for the end of the body, so that the connection can be used again.
const END_GRACE: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 8 * 1024;

/// Asks once. `begun` is when the question was first asked: the limits count from there.
pub(super) fn ask(
    agent: &Agent,
    settings: &Settings,
    body: &Body<'_>,
    begun: Instant,
    listener: &Listener,
) -> Result<Finished, ModelError> {
    let clock = Clock { settings, end: begun + settings.total_timeout };
    let first_token = begun + settings.first_token_timeout;
    let call = Call::begin(listener, clock.until(first_token, Limit::FirstToken));
    let response = send(agent, settings, body, &call).map_err(|error| call.given_up().unwrap_or(error))?;
    let response = checked(response, settings).map_err(|error| call.given_up().unwrap_or(error))?;
    let reader = response.into_body().into_reader();
    let mut stream = Stream { call, clock, reader, answer: Answer::default(), said: Pieces::default() };
    let (saw_done, is_whole) = stream.read().map_err(|error| match error {
        ModelError::Failed(reason) => ModelError::Failed(settings.strike_out(&reason)),
        error => error,
    })?;
    if let Some(text) = stream.answer.held_back() {
        stream.call.tell(Update::Text(&Pieces::from(text.as_str())))?;
    }
    let (finish_reason, usage) = stream.answer.conclude(saw_done, is_whole)?;
    Ok(Finished { finish_reason, usage, model: settings.name.clone() })
}

fn send(
    agent: &Agent,
    settings: &Settings,
    body: &Body<'_>,
    call: &Call,
) -> Result<Response<ResponseBody>, ModelError> {
    let mut request = agent.post(&settings.url).header("Accept", "text/event-stream, application/json");
    if let Some(key) = &settings.key {
        request = request.header("Authorization", format!("Bearer {}", key.expose()));
    }
    for (name, value) in &settings.headers {
        request = request.header(name, value.expose());
    }
    let json = serde_json::to_vec(body).map_err(|error| ModelError::Garbled(error.to_string()))?;
    request.content_type("application/json").send(&json[..]).map_err(|error| call.exchange.get().failure(&error))
}

/// An answer that may hold a stream, or the reason why it holds none.
fn checked(mut response: Response<ResponseBody>, settings: &Settings) -> Result<Response<ResponseBody>, ModelError> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let status = response.status();
    if status.is_redirection() {
        let message = format!("it redirects to {:?}: put that URL into widget.toml", header("location"));
        return Err(ModelError::Status { status: status.as_u16(), message, retry_after: None });
    }
    if !status.is_success() {
        let retry_after = retry_after(&response);
        let body = response.body_mut().with_config().limit(ERROR_BYTES_MAX).lossy_utf8(true).read_to_string();
        let message = body.ok().and_then(|body| error_body::message(&settings.strike_out(&body)));
        let message = message.unwrap_or_else(|| status.canonical_reason().unwrap_or("an error").to_owned());
        return Err(ModelError::Status { status: status.as_u16(), message, retry_after });
    }
    let encoding = header("content-encoding");
    if !matches!(encoding, "" | "identity") {
        return Err(ModelError::Garbled(format!("it is compressed by {encoding:?}, which was not asked for")));
    }
    // A log-in page or a proxy's error. Any other type may hold events (openclaw/openclaw#97454).
    if header("content-type").starts_with("text/html") {
        return Err(ModelError::Garbled("it is an HTML page".into()));
    }
    Ok(response)
}

/// OpenAI's `retry-after-ms`, else `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(response: &Response<ResponseBody>) -> Option<Duration> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let number = |name| header(name)?.trim().parse::<f64>().ok().filter(|number| (0.0..1e6).contains(number));
    let date = || {
        let since_epoch = httpdate::parse_http_date(header("retry-after")?).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::from_ms(0).plus(since_epoch).since(clock::now()))
    };
    number("retry-after-ms")
        .map(|ms| Duration::from_secs_f64(ms / 1000.0))
        .or_else(|| number("retry-after").map(Duration::from_secs_f64))
        .or_else(date)
}

/// The deadlines of a call.
struct Clock<'a> {
    settings: &'a Settings,
    /// Of the whole answer.
    end: Instant,
}

impl Clock<'_> {
    fn until(&self, deadline: Instant, limit: Limit) -> (Instant, Limit) {
        if deadline < self.end { (deadline, limit) } else { (self.end, Limit::Total) }
    }

    fn within(&self, patience: Duration, limit: Limit) -> (Instant, Limit) {
        self.until(Instant::now() + patience, limit)
    }
}

struct Stream<'a> {
    call: CallGuard,
    clock: Clock<'a>,
    reader: BodyReader<'static>,
    answer: Answer,
    /// What is to be passed on.
    said: Pieces,
}

/// What a read brought.
enum Arrived {
    Bytes(usize),
    End,
    /// The connection was cut, or we stopped waiting after all was said.
    Cut,
}

impl Stream<'_> {
    /// Reads to the end: whether `[DONE]` came, and whether the body came to a regular end.
    fn read(&mut self) -> Result<(bool, bool), ModelError> {
        let mut buffer = vec![0; READ_BYTES];
        let mut events = Events::default();
        let mut document = Vec::new();
        let mut is_document = None;
        loop {
            let bytes = match self.fill(&mut buffer)? {
                Arrived::Bytes(bytes) => &buffer[..bytes],
                ended => {
                    let last =
                        if is_document == Some(true) { self.document(&document)? } else { self.last_event(events)? };
                    return Ok((last, matches!(ended, Arrived::End)));
                }
            };
            // Some servers answer with one JSON document, or one a line, whatever they call it.
            let mut visible = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
            is_document = is_document.or_else(|| visible.next().map(|byte| matches!(byte, b'{' | b'[')));
            if is_document == Some(true) {
                document.extend_from_slice(bytes);
                if document.len() > DOCUMENT_BYTES_MAX {
                    return Err(ModelError::TooLong);
                }
                continue;
            }
            let heard = self.hear(&mut events, bytes);
            if self.pass_on(heard)? {
                return Ok((true, self.read_to_end(&mut buffer)));
            }
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<Arrived, ModelError> {
        match self.reader.read(buffer) {
            Ok(0) => Ok(Arrived::End),
            Ok(bytes) => Ok(Arrived::Bytes(bytes)),
            Err(_) => match self.call.given_up() {
                // After the finish reason nothing need come any more.
                Some(ModelError::Cut) | None => Ok(Arrived::Cut),
                Some(error) => Err(error),
            },
        }
    }

    /// Takes what one read brought, to its end or to `[DONE]`.
    fn hear(&mut self, events: &mut Events, mut bytes: &[u8]) -> Result<Step, ModelError> {
        let mut last = Step::Nothing;
        while last != Step::Done
            && let Some(event) = events.next(&mut bytes)?
        {
            match self.answer.event(event, &mut self.said)? {
                Step::Nothing => {}
                step => last = step,
            }
        }
        Ok(last)
    }

    /// Says what there is to say, all that came together in one go, and moves the deadline if that was progress. True at
    /// `[DONE]`. What was said before an error is said before it is returned.
    fn pass_on(&mut self, heard: Result<Step, ModelError>) -> Result<bool, ModelError> {
        let thought_bytes = self.answer.take_thought_bytes();
        if thought_bytes > 0 {
            self.call.tell(Update::Thought(thought_bytes))?;
        }
        if !self.said.is_empty() {
            self.call.tell(Update::Text(&self.said))?;
            self.said.clear();
        }
        match heard? {
            Step::Done => return Ok(true),
            Step::Nothing if !self.answer.is_finished() => {}
            Step::Progress | Step::Nothing => self.call.set_deadline(if self.answer.is_finished() {
                self.clock.within(FINISH_GRACE, Limit::Grace)
            } else {
                self.clock.within(self.clock.settings.idle_timeout, Limit::Idle)
            }),
        }
        Ok(false)
    }

    /// A stream that ended without an empty line may have left a whole event, or a piece of one.
    fn last_event(&mut self, events: Events) -> Result<bool, ModelError> {
        let Some(event) = events.finish()? else {
            return Ok(false);
        };
        let is_whole = event
            .data
            .split('\n')
            .all(|line| line.trim().starts_with("[DONE]") || serde_json::from_str::<IgnoredAny>(line).is_ok());
        if !is_whole {
            return Ok(false);
        }
        let heard = self.answer.event(&event, &mut self.said);
        self.pass_on(heard)
    }

    /// A whole answer, or a chunk a line.
    fn document(&mut self, bytes: &[u8]) -> Result<bool, ModelError> {
        let chunks = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        for chunk in chunks {
            let chunk = chunk.map_err(|error| ModelError::Garbled(error.to_string()))?;
            let heard = self.answer.chunk(&chunk, &mut self.said);
            self.pass_on(heard)?;
        }
        Ok(false)
    }

    /// Whether the body ends regularly, and soon. A connection that is read to its end goes back to the pool.
    fn read_to_end(&mut self, buffer: &mut [u8]) -> bool {
        self.call.set_deadline((Instant::now() + END_GRACE, Limit::Grace));
        loop {
            match self.reader.read(buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                // Held open: the answer is whole all the same. Cut: it may not be.
                Err(_) => return self.call.given_up().is_some(),
            }
        }
    }
}
