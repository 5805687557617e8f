//! The configuration file.
//!
//! **What.** [`read`] turns a TOML file into what it gives, each value with its line and column.
//!
//! **Why this way.** The file is one flat table with the names of the settings, so a line of it can
//! be learned from the help. It is read as TOML's own tree with positions: serde's
//! `deny_unknown_fields` was rejected, for it lists the keys but does not find the nearest one, and
//! it checks types where the settings check values.
//!
//! **Costs.** One file read at start.
//!
//! **Read next.** `src/config/mod.rs`, which merges it with the rest.

use super::settings::{SETTINGS, Setting};
use super::{ConfigError, Given, Value};
use crate::net::unknown;
use std::fs;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads the file at `path`, which `origin` named.
///
/// # Errors
/// It cannot be read, is no TOML, or has a key that no setting has. Values are not looked at yet.
pub fn read(path: &Path, origin: &str) -> Result<Vec<Given>, ConfigError> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        ConfigError(format!("config ({origin}): `{name}` cannot be read: {error}"))
    })?;
    let place = |span: Range<usize>| format!("file {name}:{}", position(&text, span.start));
    let table = DeTable::parse(&text).map_err(|error| {
        let place = place(error.span().unwrap_or(0..0));
        ConfigError(format!("config ({place}): {}", error.message()))
    })?;
    let mut given = Vec::new();
    for (key, value) in table.get_ref() {
        let Some(setting) = Setting::find(key.get_ref()) else {
            let reason = unknown("key", key.get_ref(), SETTINGS.iter().map(|known| known.name));
            return Err(ConfigError(format!("config ({}): {reason}", place(key.span()))));
        };
        let scalars = scalars(setting, value)
            .map_err(|(reason, span)| super::error(setting, &place(span), &reason))?;
        let value = |(text, span)| Value { text, origin: place(span) };
        given.push(Given { setting, values: scalars.into_iter().map(value).collect() });
    }
    Ok(given)
}

/// Text, and where it stands in the file.
type Placed = (String, Range<usize>);

/// The text of a value, or of each value of a list; else what is wrong with it.
fn scalars(setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Vec<Placed>, Placed> {
    let scalar = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Ok((text.to_string(), value.span())),
        DeValue::Integer(number) => Ok((number.to_string(), value.span())),
        DeValue::Float(number) => Ok((number.to_string(), value.span())),
        DeValue::Boolean(truth) => Ok((truth.to_string(), value.span())),
        other => {
            let reason =
                format!("it cannot be of type {}: write {}", other.type_str(), setting.values);
            Err((reason, value.span()))
        }
    };
    match value.get_ref() {
        DeValue::Array(values)
            if setting.is_list() && values.is_empty() && !setting.default().is_empty() =>
        {
            Err((format!("the list is empty: write at least one {}", setting.values), value.span()))
        }
        DeValue::Array(values) if setting.is_list() => values.iter().map(scalar).collect(),
        _ => Ok(vec![scalar(value)?]),
    }
}

/// "LINE:COLUMN", from 1, of the byte at `at`.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{line}:{column}")
}
