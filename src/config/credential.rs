//! A secret of `widget.toml` that does not stand there: `…_env` names the variable that holds it, `…_file` the file. No
//! complaint shows one.

use crate::config::section::Section;
use crate::config::value::Value;
use crate::config::{Surroundings, leak, secret};

/// The secret, and the setting that led to it. None if there is neither key, or what it names holds no secret.
pub(super) fn read<'a>(
    table: &Section<'a>,
    env_key: &'static str,
    file_key: &'static str,
    surroundings: &Surroundings,
) -> Option<(Value<'a>, String)> {
    let variable = table.get(env_key);
    let file = table.get(file_key);
    if variable.is_present() && file.is_present() {
        file.refuse(&format!("{env_key} and {file_key} are both set; take one out"));
        return None;
    }
    if surroundings.overrides.without_secrets {
        return [variable, file].into_iter().find(Value::is_present).map(|value| (value, PLACEHOLDER.to_owned()));
    }
    if let Some(text) = variable.parse(|name| read_variable(name, surroundings)) {
        return Some((variable, text));
    }
    let path = surroundings.folder.join(file.line(4096)?);
    match secret::read_key_file(&path) {
        Ok(text) => Some((file, text)),
        Err(error) => {
            file.refuse(&error.to_string());
            None
        }
    }
}

/// Stands for a secret that is not read: long enough for any.
const PLACEHOLDER: &str = "a secret that this command does not read";

/// The variable's text. Whoever takes the setting for the key itself does not see that key in the complaint.
pub(super) fn read_variable(name: &str, surroundings: &Surroundings) -> Result<String, &'static str> {
    if !is_variable_name(name) || leak::kind_of_key(name).is_some() {
        return Err("is not the name of a variable; write one like \"MODEL_KEY\"");
    }
    if surroundings.overrides.without_secrets {
        return Ok(PLACEHOLDER.to_owned());
    }
    match (surroundings.env)(name) {
        Some(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Some(_) => Err("names a variable that is empty; set it before the server starts"),
        None => Err("names a variable that is not set; set it before the server starts"),
    }
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
