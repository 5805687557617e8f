//! The settings as flags.
//!
//! **What.** [`GivenArgs`] makes an argument of each entry of [`SETTINGS`], with its environment
//! variable and its default, and reads back what was given and by whom.
//!
//! **Why this way.** By hand and not derived, because the arguments are a table already. clap
//! checks no value here: its errors could not say that a value came from the environment.
//!
//! **Costs.** Once, at start.
//!
//! **Read next.** `src/cli/serve.rs`.

use crate::config::{Given, SETTINGS, Setting, Value};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, ValueHint};
use std::ffi::OsStr;
use std::path::PathBuf;

/// What the command line and the environment say.
#[derive(Debug)]
pub(super) struct GivenArgs {
    /// The settings that were given.
    pub(super) given: Vec<Given>,
    /// The configuration file, and who named it.
    pub(super) file: Option<(PathBuf, String)>,
}

impl clap::Args for GivenArgs {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(setting_arg)).arg(file_arg())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for GivenArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<GivenArgs, Error> {
        let given = SETTINGS.iter().filter_map(|setting| given(setting, matches)).collect();
        let file = origin(matches, "config", "config", "ONELOOP_CONFIG")
            .zip(matches.get_one::<PathBuf>("config"))
            .map(|(origin, path)| (path.clone(), origin));
        Ok(GivenArgs { given, file })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn setting_arg(setting: &'static Setting) -> Arg {
    let (action, hint) = match setting.is_list() {
        true => (ArgAction::Append, ValueHint::Url),
        false => (ArgAction::Set, ValueHint::Other),
    };
    let arg = Arg::new(setting.name);
    let arg = match setting.is_switch() {
        true => arg.num_args(0..=1).default_missing_value("on"),
        false => arg,
    };
    arg.long(setting.flag())
        .value_name(setting.values)
        .help(setting.doc)
        .env(setting.variable())
        .hide_env_values(true)
        .default_values(setting.default())
        .action(action)
        .value_hint(hint)
        .value_parser(Anything(setting))
        .hide_possible_values(true)
}

fn file_arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("A TOML file of settings, named as the flags are, with _ for -. See --check")
        .env("ONELOOP_CONFIG")
        .hide_env_values(true)
        .value_hint(ValueHint::FilePath)
        .value_parser(clap::value_parser!(PathBuf))
}

/// What flag or environment say about `setting`, if they do.
fn given(setting: &'static Setting, matches: &ArgMatches) -> Option<Given> {
    let origin = origin(matches, setting.name, &setting.flag(), &setting.variable())?;
    let texts = matches.get_many::<String>(setting.name)?;
    let from_environment = matches.value_source(setting.name) == Some(ValueSource::EnvVariable);
    let texts: Vec<&str> = if setting.is_list() && from_environment {
        texts.flat_map(|text| text.split(',')).map(str::trim).collect()
    } else {
        texts.map(String::as_str).collect()
    };
    let value = |text: &str| Value { text: text.to_owned(), origin: origin.clone() };
    Some(Given { setting, values: texts.into_iter().map(value).collect() })
}

/// Who gave an argument; `None` if nobody did.
fn origin(matches: &ArgMatches, id: &str, flag: &str, variable: &str) -> Option<String> {
    match matches.value_source(id)? {
        ValueSource::CommandLine => Some(format!("flag --{flag}")),
        ValueSource::EnvVariable => Some(format!("environment {variable}")),
        _ => None,
    }
}

/// Takes any text, yet tells shells which words they may complete.
#[derive(Clone)]
struct Anything(&'static Setting);

impl TypedValueParser for Anything {
    type Value = String;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, text: &OsStr) -> Result<String, Error> {
        let text = text.to_str().ok_or_else(|| {
            let (flag, variable) = (self.0.flag(), self.0.variable());
            let reason = format!("--{flag} or {variable}: {text:?} is not UTF-8\n");
            Error::raw(ErrorKind::InvalidUtf8, reason)
        })?;
        Ok(text.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.words().next()?;
        Some(Box::new(self.0.words().map(PossibleValue::new)))
    }
}
