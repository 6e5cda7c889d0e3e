//! What the visitors do, and what the model says to them.
//!
//! All that is sent tells what must be stored: a question determines its answer, the id of an event the size of its batch,
//! and each field of a lead the number of its post. So the database can be judged without knowing what was acknowledged.

use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde_json::{Value, json};

use super::Random;
use super::ledger::Ledger;
use crate::fake_model::{Recorded, Step, done, finish, head, last_chunk, token, usage};
use crate::support::client::{Connection, Request};
use crate::support::site::{Site, Visitor};
use crate::support::sse::EventStream;

/// What the model says to `question`, in its pieces, and whether it is cut off after them.
fn script(question: &str) -> (Vec<String>, bool) {
    let seed = question.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut random = Random(seed);
    let pieces = (0..=random.below(24)).map(|n| format!("{question}, {n}; ")).collect();
    (pieces, random.below(16) == 0)
}

/// All that the model says to `question`, and whether that is a whole answer.
pub(crate) fn said_to(question: &str) -> (String, bool) {
    let (pieces, is_cut) = script(question);
    (pieces.concat(), !is_cut)
}

/// The scripted model's answer: the pieces, now and then with a pause before one.
pub(crate) fn answer(request: &Recorded) -> Vec<Step> {
    let messages = request.body["messages"].as_array().expect("messages");
    let question = messages.last().expect("a message")["content"].as_str().expect("a text");
    let (pieces, is_cut) = script(question);
    let mut steps = vec![head()];
    for (n, piece) in pieces.iter().enumerate() {
        if n % 4 == 3 {
            steps.push(Step::Pause(Duration::from_millis(1)));
        }
        steps.push(token(piece));
    }
    steps.extend(if is_cut { vec![Step::Close] } else { vec![finish("stop"), usage(20, 10), done(), last_chunk()] });
    steps
}

/// One thing that a visitor does.
#[derive(Clone)]
enum Action {
    /// Leaves after so many pieces, if it is streamed and has more.
    Stream {
        question: String,
        patience: usize,
    },
    Whole {
        question: String,
    },
    /// By their ids; one is sent on its own.
    Events(Vec<String>),
    Lead {
        email: String,
        post: u64,
    },
}

/// The server died before it had answered.
struct Gone;

/// One visitor after another. What nobody answered is sent again after the restart, as a browser does.
pub(crate) struct Client {
    number: u64,
    random: Random,
    visitor: Visitor,
    /// What it has done, from 1: no text and no id comes twice.
    count: u64,
    unanswered: Option<Action>,
}

impl Client {
    pub(crate) fn new(site: &Site, number: u64, random: Random) -> Self {
        Self { number, random, visitor: site.init("demo"), count: 0, unanswered: None }
    }

    /// Finds the server again after its restart; often as a new visitor, if nothing is left to be sent.
    pub(crate) fn arrive(&mut self, site: &Site) {
        let is_new = self.unanswered.is_none() && self.random.below(2) == 0;
        self.visitor = if is_new { site.init("demo") } else { self.visitor.at(site) };
    }

    /// Until the server is gone.
    pub(crate) fn go_on(&mut self, ledger: &Mutex<Ledger>, told: &Sender<()>) {
        loop {
            let action = self.unanswered.take().unwrap_or_else(|| self.choose());
            if self.perform(&action, ledger).is_err() {
                self.unanswered = Some(action);
                return;
            }
            // After the kill nobody counts.
            let _ = told.send(());
        }
    }

    fn choose(&mut self) -> Action {
        self.count += 1;
        let name = format!("c{}n{}", self.number, self.count);
        let size = match self.random.below(8) {
            0..=2 => return Action::Stream { question: name, patience: self.random.below(60) as usize },
            3 => return Action::Whole { question: name },
            4 => 1,
            5 => 2 + self.random.below(49),
            // Some of them are the first of their address, most are not.
            _ => {
                let email = format!("{}@client{}.example", self.random.below(self.count), self.number);
                return Action::Lead { email, post: self.count };
            }
        };
        Action::Events((1..=size).map(|n| format!("{name}-{n}of{size}")).collect())
    }

    fn perform(&self, action: &Action, ledger: &Mutex<Ledger>) -> Result<(), Gone> {
        match action {
            Action::Stream { question, patience } => self.stream(question, *patience, ledger),
            Action::Whole { question } => self.whole(question, ledger),
            Action::Events(ids) => self.events(ids, ledger),
            Action::Lead { email, post } => self.lead(email, *post, ledger),
        }
    }

    fn stream(&self, question: &str, patience: usize, ledger: &Mutex<Ledger>) -> Result<(), Gone> {
        let request = self.visitor.request("/v1/widget/messages/stream", &message(question));
        match self.connect()?.try_stream(&request).ok_or(Gone)? {
            Ok(stream) => listen(stream, question, patience, ledger),
            // Its last visitor has just left, and that was not noticed yet.
            Err(response) => {
                response.refused(409, "generation_in_progress");
                Ok(())
            }
        }
    }

    fn whole(&self, question: &str, ledger: &Mutex<Ledger>) -> Result<(), Gone> {
        let (status, answer) = self.call("messages", &message(question))?;
        match status {
            200 => {
                let mut ledger = ledger.lock().unwrap();
                ledger.question(text(&answer["user_message"]["id"]), question);
                let (id, content) = (text(&answer["message"]["id"]), text(&answer["message"]["content"]));
                ledger.answer(id, content, text(&answer["message"]["status"]) == "complete");
            }
            // Cut off by the model, or the visitor before has just left.
            _ => assert!([409, 502].contains(&status), "{status} {answer:#}"),
        }
        Ok(())
    }

    fn events(&self, ids: &[String], ledger: &Mutex<Ledger>) -> Result<(), Gone> {
        let mut events: Vec<Value> = ids.iter().map(|id| json!({"type": "custom.load", "id": id})).collect();
        let body = if ids.len() == 1 { events.remove(0) } else { json!({"events": events}) };
        let (status, answer) = self.call("events", &body)?;
        assert_eq!((status, &answer["accepted"]), (202, &json!(ids.len())), "{answer:#}");
        ids.iter().for_each(|id| ledger.lock().unwrap().event(id));
        Ok(())
    }

    fn lead(&self, email: &str, post: u64, ledger: &Mutex<Ledger>) -> Result<(), Gone> {
        let post_text = post.to_string();
        let body = json!({"email": email, "name": post_text, "message": post_text, "fields": {"post": post_text}});
        let (status, answer) = self.call("leads", &body)?;
        assert!([200, 201].contains(&status), "{status} {answer:#}");
        ledger.lock().unwrap().lead(email, post);
        Ok(())
    }

    fn connect(&self) -> Result<Connection, Gone> {
        self.visitor.try_connect().ok_or(Gone)
    }

    fn call(&self, endpoint: &str, body: &Value) -> Result<(u16, Value), Gone> {
        let request: Request = self.visitor.request(&format!("/v1/widget/{endpoint}"), body);
        self.connect()?.try_call(&request.header("Connection", "close")).ok_or(Gone)
    }
}

/// Under an id of its own, so that it can be sent again.
fn message(question: &str) -> Value {
    json!({"content": question, "client_message_id": question})
}

/// Reads until the end, the visitor's or the server's.
fn listen(mut stream: EventStream, question: &str, patience: usize, ledger: &Mutex<Ledger>) -> Result<(), Gone> {
    let (mut answer, mut seen, mut pieces) = (String::new(), String::new(), 0);
    while let Some(event) = stream.next() {
        match event.name.as_str() {
            "start" => {
                ledger.lock().unwrap().question(text(&event.data["user_message_id"]), question);
                answer = text(&event.data["message_id"]).to_owned();
            }
            "token" if pieces == patience => {
                ledger.lock().unwrap().begun(&answer, &seen);
                stream.leave();
                return Ok(());
            }
            "token" => {
                seen.push_str(text(&event.data["text"]));
                pieces += 1;
            }
            "done" => ledger.lock().unwrap().answer(&answer, &seen, event.data["finish_reason"] != "cancelled"),
            _ if seen.is_empty() => {}
            _ => ledger.lock().unwrap().answer(&answer, &seen, false),
        }
    }
    if stream.is_complete {
        return Ok(());
    }
    ledger.lock().unwrap().begun(&answer, &seen);
    Err(Gone)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
