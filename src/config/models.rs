//! The `[[model]]` tables: servers that speak OpenAI's chat API. Keys come from a variable or a file, never from
//! `widget.toml` itself, and no complaint shows one.

use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::time::Duration;

use url::{Host, Url};

use crate::config::complaint::quoted;
use crate::config::notes::Place;
use crate::config::section::Section;
use crate::config::value::Value;
use crate::config::{Surroundings, credential, leak};
use crate::domain::conversation::Usage;
use crate::domain::money::{self, Charge, PRICED_TOKENS, Price};
use crate::domain::secret::Secret;
use crate::model::{self, MaxTokensField};

/// The model that answers from the FAQ and needs no table.
pub(super) const BUILTIN: &str = "builtin";
/// Of one chain and of the file: each is a line at start and a breaker in memory.
pub(super) const MODELS_MAX: usize = 50;
const NAME_CHARS_MAX: usize = 64;
/// Of a million tokens: a hundred times what the dearest model cost when this was written.
const PRICE_MAX: u64 = 100_000;
const HEADERS_MAX: usize = 20;
/// Bundles of every public authority are a fifth of it.
const CA_FILE_BYTES_MAX: u64 = 1 << 20;
const HEADER_BYTES_MAX: usize = 8 << 10;
/// Written by the connection itself; a second one would contradict it.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "accept-encoding"];

pub(super) struct Models {
    pub(super) settings: Vec<model::Settings>,
    /// Of all tables in their order, also of those with mistakes: agents may name them all the same.
    pub(super) names: Vec<String>,
    pub(super) prices: Vec<(String, Price)>,
    /// Where the price of the others would stand.
    pub(super) unpriced: Vec<(String, Place)>,
}

impl Models {
    /// The most that an answer of so many tokens may be, of those that `chain` names.
    pub(super) fn dearest_answer(&self, chain: &[String], answer_tokens: u32) -> Charge {
        let usage = Usage { input_tokens: 0, output_tokens: answer_tokens };
        let named = self.prices.iter().filter(|(name, _)| chain.contains(name));
        Charge { tokens: usage.total(), nanos: named.map(|(_, price)| price.of(usage)).max().unwrap_or(0) }
    }
}

pub(super) fn read(file: &Section, surroundings: &Surroundings) -> Models {
    let mut models = Models { settings: Vec::new(), names: Vec::new(), prices: Vec::new(), unpriced: Vec::new() };
    for table in file.tables("model", MODELS_MAX) {
        let value = table.get("name").required("name = \"gpt\"");
        let name = value.line(NAME_CHARS_MAX);
        if let Some(name) = &name {
            if name == BUILTIN {
                value.complain("is the model that needs no table; write another name");
            } else if models.names.contains(name) {
                value.complain("is the name of another model; write one of its own");
            }
            models.names.push(name.clone());
            models.prices.extend(read_price(&table).map(|price| (name.clone(), price)));
            let value = table.get("input_price");
            if !value.is_present() && !table.get("output_price").is_present() {
                models.unpriced.push((name.clone(), value.place().clone()));
            }
        }
        models.settings.extend(read_one(&table, name, surroundings));
    }
    models
}

/// None when something required is wrong.
fn read_one(table: &Section, name: Option<String>, surroundings: &Surroundings) -> Option<model::Settings> {
    let url = read_url(table, surroundings);
    let model = table.get("model").required("the server's name of the model, as model = \"gpt-5-mini\"").line(200);
    let key = read_key(table, surroundings);
    let authorities = read_authorities(&table.get("ca_file"), surroundings);
    let headers = read_headers(&table.get("headers"), key.is_some(), surroundings);
    let temperature = table.get("temperature").number(0.0..=2.0); // the API's range
    let max_tokens_field = table.get("max_tokens_field").choice(&[
        ("max_tokens", MaxTokensField::MaxTokens),
        ("max_completion_tokens", MaxTokensField::MaxCompletionTokens),
    ]);
    let stream_options = table.get("stream_options").boolean();
    // Fewer hold no question; more than any model takes.
    let context_tokens = table.get("context_tokens").integer(256..=2_000_000);
    let time = |key, most_s, default_s| {
        let range: RangeInclusive<_> = Duration::from_millis(50)..=Duration::from_secs(most_s);
        table.get(key).duration(range).unwrap_or(Duration::from_secs(default_s))
    };
    let connect_timeout = time("connect_timeout", 60, 5);
    // A local model may have to be loaded first, and it may think long.
    let first_token_timeout = time("first_token_timeout", 600, 20);
    let idle_timeout = time("idle_timeout", 600, 20);
    // A thread is held for so long.
    let total_timeout = time("total_timeout", 3600, 120);
    let pause = time("pause", 3600, 30);
    Some(model::Settings {
        name: name?,
        url: url?,
        model: model?,
        key,
        authorities,
        headers,
        temperature,
        connect_timeout,
        first_token_timeout,
        idle_timeout,
        total_timeout,
        pause,
        stream_options: stream_options.unwrap_or(true),
        max_tokens_field: max_tokens_field.unwrap_or(MaxTokensField::MaxTokens),
        context_tokens: context_tokens.unwrap_or(3000),
    })
}

/// What a million tokens cost. None if the table has no prices, or wrong ones.
fn read_price(table: &Section) -> Option<Price> {
    let [input, output] = ["input_price", "output_price"].map(|key| table.get(key));
    let [input, output] = match (input.is_present(), output.is_present()) {
        (true, false) => [input, output.required("output_price = 0.60, beside input_price")],
        (false, true) => [input.required("input_price = 0.15, beside output_price"), output],
        _ => [input, output],
    };
    let (input_nanos, output_nanos) = (read_token_price(&input), read_token_price(&output));
    Some(Price { input_nanos: input_nanos?, output_nanos: output_nanos? })
}

/// The price of a million tokens as nanos of one: three digits after the point are all that there is room for.
fn read_token_price(value: &Value) -> Option<u64> {
    let nanos = value.money(PRICE_MAX)?;
    if !nanos.is_multiple_of(PRICED_TOKENS) {
        let meant = money::decimal(nanos.next_multiple_of(PRICED_TOKENS));
        value.complain(&format!("has more than three digits after the point; write {meant}"));
    }
    Some(nanos.div_ceil(PRICED_TOKENS))
}

fn read_url(table: &Section, surroundings: &Surroundings) -> Option<String> {
    let value = table.get("url").required("url = \"https://api.example.com/v1\"");
    let text = value.string()?;
    let url = Url::parse(text).ok();
    if let Some(url) = &url
        && (!url.username().is_empty() || url.password().is_some())
    {
        let text = "holds a user name or a password; put them in headers, as { Authorization = \"env:NAME\" }";
        value.hidden().complain(text);
        return None;
    }
    let endpoint = value.parse(|text| {
        model::endpoint(text).map_err(|error| {
            format!("{error}; write a URL that begins with https:// or http://, such as \"https://api.example.com/v1\"")
        })
    })?;
    if url.is_some_and(|url| url.scheme() == "http" && !is_loopback(&url)) {
        surroundings.notes.warn(
            value.place(),
            "http without TLS to another machine: the key and every message can be read on the way",
        );
    }
    Some(endpoint)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

fn read_key(table: &Section, surroundings: &Surroundings) -> Option<Secret> {
    for wrong in ["key", "api_key", "apikey", "token", "secret"] {
        let text = "a key does not stand in this file; put it in a variable and write key_env = \"MODEL_KEY\", or in a \
                    file and write key_file = \"model.key\"";
        table.refuse(wrong, text);
    }
    let (value, key) = credential::read(table, "key_env", "key_file", surroundings)?;
    header_value(&value, key)
}

/// The certificates of a PEM file.
fn read_authorities(value: &Value, surroundings: &Surroundings) -> Vec<Vec<u8>> {
    let read = |name: String| {
        let mut pem = Vec::new();
        let file = File::open(surroundings.folder.join(name)).map_err(|error| format!("cannot be read: {error}"))?;
        file.take(CA_FILE_BYTES_MAX).read_to_end(&mut pem).map_err(|error| format!("cannot be read: {error}"))?;
        match model::certificates(&pem) {
            Some(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err("holds no certificates; write the name of a PEM file with \"BEGIN CERTIFICATE\" in it".to_owned()),
        }
    };
    value.line(4096).and_then(|name| value.parse(|_| read(name))).unwrap_or_default()
}

fn read_headers(value: &Value, has_key: bool, surroundings: &Surroundings) -> Vec<(String, Secret)> {
    let entries = value.entries(HEADERS_MAX).unwrap_or_default();
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for (name, value) in entries {
        let value = value.hidden();
        if let Err(text) = check_header_name(name, has_key) {
            value.refuse(&format!("{} {text}", quoted(name)));
            continue;
        }
        let text = value.parse(|text| match text.strip_prefix("env:") {
            Some(name) => credential::read_variable(name, surroundings),
            None if leak::kind_of_key(text).is_some() => {
                Err("seems to hold a secret key; put it in a variable and write \"env:NAME\"")
            }
            None => Ok(text.to_owned()),
        });
        if let Some(text) = text.and_then(|text| header_value(&value, text)) {
            headers.push((name.to_owned(), text));
        }
    }
    headers
}

fn check_header_name(name: &str, has_key: bool) -> Result<(), &'static str> {
    let lower = name.to_ascii_lowercase();
    // RFC 9110, section 5.6.2.
    let is_token =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !is_token {
        return Err("is not the name of a header");
    }
    if OWN_HEADERS.contains(&lower.as_str()) {
        return Err("is a header that the server writes itself; take it out");
    }
    if lower == "authorization" && has_key {
        return Err("is already made of the key; take this header or the key out");
    }
    Ok(())
}

/// What may stand in a header (RFC 9110, section 5.5): visible ASCII with blanks inside.
fn header_value(value: &Value, text: String) -> Option<Secret> {
    let is_visible = |b: u8| (0x20..=0x7e).contains(&b) || b == b'\t';
    if text.len() > HEADER_BYTES_MAX || text.trim() != text || !text.bytes().all(is_visible) {
        value.complain("gives a text that no header can hold: one line of ASCII, at most 8 KiB, no blanks around it");
        return None;
    }
    Some(Secret::new(text))
}
