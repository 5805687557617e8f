//! Completions and manual pages.
//!
//! **What.** `oneloop completions SHELL` and `oneloop man [DIR]`.
//!
//! **Why this way.** The program that runs is the one that knows its options, so it writes them
//! itself: nothing to install beside it and nothing that can be out of date.
//!
//! **Costs.** Once, when asked.
//!
//! **Read next.** `src/cli/mod.rs`, where the options are defined.

use super::{Cli, Failure, print};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the completions for a shell to stdout
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  bash:  source <(oneloop completions bash)
  zsh:   oneloop completions zsh > \"${fpath[1]}/_oneloop\"
  fish:  oneloop completions fish > ~/.config/fish/completions/oneloop.fish")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Write the manual: one page a command
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  oneloop man | man -l -                   read it
  oneloop man ~/.local/share/man/man1      install it")]
pub(super) struct Man {
    /// Where the pages go, as files; without it they all go to stdout
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        // Not straight to stdout: clap_complete panics on a broken pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "oneloop", &mut script);
        print(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Man {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let pages = pages().map_err(Failure::Stdout)?;
        match &self.dir {
            Some(dir) => write_pages(dir, &pages)
                .map_err(|error| Failure::Run(format!("man: `{}`: {error}", dir.display())))?,
            None => print(&pages.into_iter().flat_map(|(_, page)| page).collect::<Vec<u8>>())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_pages(dir: &Path, pages: &[(String, Vec<u8>)]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    pages.iter().try_for_each(|(name, page)| std::fs::write(dir.join(name), page))
}

/// The page of the program and that of each command, with their file names.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    std::iter::once(&program).chain(program.get_subcommands()).map(page).collect()
}

fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_long_help().or(command.get_after_help()) {
        render_notes(&notes.to_string(), &mut page)?;
    }
    Ok((man.get_filename(), page))
}

/// Keeps the lines as they are (`.nf`), and what one would copy in ASCII; clap_mangen would fill
/// the tables to paragraphs.
fn render_notes(notes: &str, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH NOTES\n.nf")?;
    for line in notes.lines() {
        // `\\&` keeps a line that begins with a dot from being a request.
        write!(page, "\\&")?;
        for c in line.chars() {
            match c {
                '\\' => write!(page, "\\e")?,
                '-' => write!(page, "\\-")?,
                '\'' => write!(page, "\\(aq")?,
                '`' => write!(page, "\\(ga")?,
                other => write!(page, "{other}")?,
            }
        }
        writeln!(page)?;
    }
    writeln!(page, ".fi")
}
