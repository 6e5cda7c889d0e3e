//! `widgetd serve`.

use std::process::ExitCode;

use super::{Options, fail, jwt_secret, load, say};
use crate::config::Config;
use crate::log;
use crate::model;
use crate::server::Server;

pub(super) fn run(options: Options) -> ExitCode {
    let config = match load(&options) {
        Ok(config) => config,
        Err(code) => return code,
    };
    log::start(config.log);
    let lines = (models(&config), config.warnings.clone());
    let server = match Server::start(config, jwt_secret().as_deref()) {
        Ok(server) => server,
        Err(error) => return fail(&error),
    };
    say(format_args!("widgetd {} listening on http://{}/", env!("CARGO_PKG_VERSION"), server.local_addr()));
    say(format_args!("database  {}", server.database().display()));
    let (models, mut warnings) = lines;
    if let Some((url, exposure)) = server.admin_page() {
        say(format_args!("admin     {url}"));
        warnings.extend(exposure);
    }
    if let Some(url) = server.metrics() {
        say(format_args!("metrics   {url}"));
    }
    models.iter().for_each(|line| say(format_args!("model     {line}")));
    warnings.iter().for_each(|warning| say(format_args!("warning   {warning}")));
    match server.run(Box::new(move || options.load())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// One line a model.
fn models(config: &Config) -> Vec<String> {
    let open_ai = config.models.iter().map(|model| format!("{}: {} at {}", model.name, model.model, model.url));
    open_ai.chain([format!("{}: answers from each agent's FAQ", model::BUILTIN)]).collect()
}
