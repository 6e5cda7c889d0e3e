//! Where the settings of the first configuration come from: flags first; what they leave open is asked, or as suggested.

use std::io;
use std::path::{Path, absolute};

use super::draft::{Draft, Key, Model, twin};
use super::{Flags, INSTALLED_FOLDER, ask};
use crate::cli::{Options, complain};
use crate::config;
use crate::domain::origin::Origin;

pub(super) enum Wrong {
    /// What is wrong with the flags, all at once.
    Flags(Vec<String>),
    Terminal(io::Error),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Terminal(error)
    }
}

pub(super) fn draft(options: &Options, flags: &Flags, is_installed: bool) -> Result<Draft, Wrong> {
    let asks = !flags.yes && ask::is_possible();
    if flags.site.is_empty() && !asks {
        return Err(Wrong::Flags(vec![
            "there is nobody to ask, and --site is missing: the site whose pages show the widget, such as --site \
             https://www.example.com; `widgetd init --help` lists what else can be said"
                .to_owned(),
        ]));
    }
    let mut wrong = Vec::new();
    let mut sites = Vec::new();
    for text in &flags.site {
        match site(text) {
            Ok(site) if !sites.contains(&site) => sites.push(site),
            Ok(_) => {}
            Err(why) => wrong.push(format!("--site: {why}")),
        }
    }
    if sites.is_empty() && wrong.is_empty() {
        complain(format_args!("An empty answer takes what stands in brackets. All of it can be changed later.\n"));
        sites.push(ask::ask("Your site, as the browser shows it, such as https://www.example.com", "", site)?);
    }
    if !flags.no_twin
        && let [only] = &sites[..]
        && let Some(twin) = twin(only)
    {
        let question = format!("Is it also at {twin}? (Browsers take it for another site)");
        let is_asked = asks && flags.site.is_empty();
        if !is_asked || ask::confirm(&question)? {
            sites.push(twin);
        }
    }
    let folder = folder(options, flags, is_installed);
    let listen = options.listen.map_or_else(|| "127.0.0.1:8080".to_owned(), |listen| listen.to_string());
    let mut draft = Draft::new(sites, listen, folder);
    from_flags(&mut draft, flags, options.listen.is_some(), &mut wrong);
    if !wrong.is_empty() {
        return Err(Wrong::Flags(wrong));
    }
    if asks {
        from_person(&mut draft, flags, options.listen.is_some())?;
    }
    Ok(draft)
}

/// The origin of a page's address; one without a scheme is taken as it is meant.
fn site(text: &str) -> Result<Origin, String> {
    let text = text.trim();
    let is_local = text.starts_with("localhost") || text.starts_with("127.") || text.starts_with("[::1]");
    let scheme = if is_local { "http" } else { "https" };
    let whole = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    let origin = Origin::of_url(&whole).map_err(|error| format!("{text:?} {error}"))?;
    let is_web = origin.as_str().starts_with("https://") || origin.as_str().starts_with("http://");
    let is_name = text.contains("://") || text.contains('.') || is_local;
    if is_web && is_name {
        Ok(origin)
    } else {
        Err(format!("{text:?} is not the address of a site; write one like https://www.example.com"))
    }
}

/// The flag is relative to the file; `--data` of all commands is relative to where one stands.
fn folder(options: &Options, flags: &Flags, is_installed: bool) -> String {
    let data = || options.data.as_ref().map(|data| absolute(data).unwrap_or_else(|_| data.clone()));
    let suggested = if is_installed { INSTALLED_FOLDER } else { "data" };
    flags
        .folder
        .clone()
        .or_else(|| data().map(|data| data.display().to_string()))
        .unwrap_or_else(|| suggested.to_owned())
}

fn from_flags(draft: &mut Draft, flags: &Flags, has_listen: bool, wrong: &mut Vec<String>) {
    let mut judge = |flag: &str, key: &str, draft: &Draft, text: &str| {
        if let Some(why) = secret(text).or_else(|| draft.complaint(key)) {
            wrong.push(format!("{flag}: {why}"));
        }
    };
    if let Some(name) = &flags.name {
        draft.name.clone_from(name);
        judge("--name", "agent[0].name", draft, name);
    }
    if let Some(id) = &flags.agent {
        draft.id.clone_from(id);
        judge("--agent", "agent[0].id", draft, id);
    }
    if let Some(language) = &flags.language {
        draft.language.clone_from(language);
        judge("--language", "agent[0].language", draft, language);
    }
    if let Some(url) = &flags.public_url {
        draft.public_url = Some(url.trim_end_matches('/').to_owned());
        judge("--public-url", "server.public_url", draft, url);
    }
    draft.proxy = flags.proxy.clone().filter(|proxy| proxy != "none").or_else(|| suggested_proxy(draft, flags));
    if let Some(proxy) = &flags.proxy {
        judge("--proxy", "server.trusted_proxies", draft, proxy);
    }
    if !has_listen {
        draft.listen = suggested_listen(draft);
    }
    if let (Some(url), Some(model)) = (&flags.model_url, &flags.model) {
        let key = match (&flags.key_env, &flags.key_file) {
            (Some(name), _) => Key::Variable(name.clone()),
            (None, Some(path)) => Key::File(path.clone()),
            (None, None) => Key::None,
        };
        draft.model = Some(Model { url: url.clone(), model: model.clone(), key: key.clone() });
        judge("--model-url", "model[0].url", draft, url);
        judge("--model", "model[0].model", draft, model);
        if let Err(why) = judge_key(&key) {
            wrong.push(format!("{}: {why}", if flags.key_env.is_some() { "--key-env" } else { "--key-file" }));
        }
    }
    if let Some(why) = draft.complaint("storage.folder") {
        wrong.push(format!("--folder: {why}"));
    }
}

fn from_person(draft: &mut Draft, flags: &Flags, has_listen: bool) -> Result<(), Wrong> {
    if flags.name.is_none() {
        ask_for(draft, "What the agent is called", "agent[0].name", |draft| &mut draft.name)?;
    }
    if flags.agent.is_none() {
        ask_for(draft, "Its id, for the tag on your page", "agent[0].id", |draft| &mut draft.id)?;
    }
    if flags.language.is_none() {
        let question = "The language of the widget's own words: ar, de, en, es, fr, it, nl, pt";
        ask_for(draft, question, "agent[0].language", |draft| &mut draft.language)?;
    }
    if flags.model_url.is_none() {
        ask_for_model(draft)?;
    }
    if flags.public_url.is_none() {
        let question = "Where visitors will reach widgetd, such as https://chat.example.com, or none for now";
        draft.public_url = ask::ask(question, "none", |answer| {
            let url = (answer != "none").then(|| answer.trim_end_matches('/').to_owned());
            let tried = Draft { public_url: url.clone(), ..draft.clone() };
            tried.complaint("server.public_url").map_or(Ok(url), Err)
        })?;
        draft.proxy = suggested_proxy(draft, flags);
        if draft.public_url.is_some() && flags.proxy.is_none() {
            let question = "The address of the proxy before it (Caddy, nginx), or none";
            let suggested = draft.proxy.clone().unwrap_or_else(|| "none".to_owned());
            draft.proxy = ask::ask(question, &suggested, |answer| {
                let proxy = (answer != "none").then(|| answer.to_owned());
                let tried = Draft { proxy: proxy.clone(), ..draft.clone() };
                tried.complaint("server.trusted_proxies").map_or(Ok(proxy), Err)
            })?;
        }
        if !has_listen {
            draft.listen = suggested_listen(draft);
        }
    }
    if flags.folder.is_none() {
        let question = "The folder of the database, which is made at the first start";
        ask_for(draft, question, "storage.folder", |draft| &mut draft.folder)?;
    }
    Ok(())
}

/// Asks for one text of the draft, and suggests what stands there.
fn ask_for(
    draft: &mut Draft,
    question: &str,
    key: &str,
    field: impl Fn(&mut Draft) -> &mut String,
) -> Result<(), io::Error> {
    let suggested = field(draft).clone();
    ask::ask(question, &suggested, |answer| {
        answer.clone_into(field(draft));
        secret(answer).or_else(|| draft.complaint(key)).map_or(Ok(()), Err)
    })
}

fn ask_for_model(draft: &mut Draft) -> Result<(), io::Error> {
    let question = "A model's URL, such as https://api.openai.com/v1, or none (then the FAQ answers)";
    let with = |draft: &Draft, model| Draft { model: Some(model), ..draft.clone() };
    let model = |url: &str, model: &str| Model { url: url.to_owned(), model: model.to_owned(), key: Key::None };
    let url = ask::ask(question, "none", |answer| match answer {
        "none" => Ok(None),
        url => match secret(url).or_else(|| with(draft, model(url, "m")).complaint("model[0].url")) {
            Some(why) => Err(why),
            None => Ok(Some(url.to_owned())),
        },
    })?;
    let Some(url) = url else { return Ok(()) };
    let name = ask::ask("What that server calls the model, such as gpt-4o-mini", "", |name| {
        let why = secret(name).or_else(|| with(draft, model(&url, name)).complaint("model[0].model"));
        why.map_or_else(|| Ok(name.to_owned()), Err)
    })?;
    let question = "The variable that holds its key, or its file (a name with / or .), or none";
    let key = ask::ask(question, suggested_key(&url), |answer| {
        let key = match answer {
            "none" => Key::None,
            path if path.contains(['/', '.']) => Key::File(path.to_owned()),
            name => Key::Variable(name.to_owned()),
        };
        judge_key(&key).map(|()| key)
    })?;
    draft.model = Some(Model { url, model: name, key });
    Ok(())
}

/// Whoever pastes the key itself is told before it stands in a file.
fn secret(text: &str) -> Option<String> {
    config::kind_of_key(text).map(|owner| {
        format!(
            "that seems to be a secret key of {owner}. It is not written anywhere: give the name of a variable that will hold \
             it, or of a file"
        )
    })
}

/// The configuration looks at variables and files when it runs; here it is about their names.
fn judge_key(key: &Key) -> Result<(), String> {
    let text = match key {
        Key::None => return Ok(()),
        Key::Variable(text) | Key::File(text) => text,
    };
    if let Some(why) = secret(text) {
        return Err(why);
    }
    let is_name = matches!(key, Key::File(_)) || config::is_variable_name(text);
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        _ if !is_name => Err(format!("{} is not the name of a variable; write one like MODEL_KEY", shown(text))),
        _ if text.contains(char::is_control) => Err("it holds a control character; remove it".to_owned()),
        _ if Path::new(text).is_dir() => Err(format!("{text} is a folder; name the file in it")),
        _ => Ok(()),
    }
}

/// What may be a key is not shown.
fn shown(text: &str) -> String {
    if text.chars().count() > 20 { "this".to_owned() } else { format!("{text:?}") }
}

fn suggested_key(url: &str) -> &'static str {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    match host {
        host if host.starts_with("api.openai.com") => "OPENAI_API_KEY",
        host if ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local)) => "none",
        _ => "MODEL_KEY",
    }
}

/// widgetd speaks no TLS itself: who has it has a proxy, mostly on the same machine.
fn suggested_proxy(draft: &Draft, flags: &Flags) -> Option<String> {
    let is_tls = draft.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let loopback = if draft.listen.starts_with("[::1]:") { "::1" } else { "127.0.0.1" };
    (is_tls && flags.proxy.is_none()).then(|| loopback.to_owned())
}

/// Only where visitors, or a proxy on another machine, come by the network.
fn suggested_listen(draft: &Draft) -> String {
    let is_local = |address: &str| address.starts_with("127.") || address == "::1" || address.starts_with("localhost");
    let (tls, url) = match draft.public_url.as_deref().map(|url| url.split_once("://").unwrap_or(("", url))) {
        Some((scheme, rest)) => (scheme == "https", rest),
        None => return "127.0.0.1:8080".to_owned(),
    };
    match &draft.proxy {
        Some(proxy) if is_local(proxy) => "127.0.0.1:8080".to_owned(),
        Some(_) => "0.0.0.0:8080".to_owned(),
        None if tls || is_local(url) => "127.0.0.1:8080".to_owned(),
        None => {
            let port = url.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or(80);
            format!("0.0.0.0:{port}")
        }
    }
}
