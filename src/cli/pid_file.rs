//! The file that tells which process serves.
//!
//! **What.** [`PidFile`] is claimed before the server starts, written when it serves, and removed
//! at its end. `oneloop upgrade --pid-file` reads it.
//!
//! **Why this way.** A number in a file may be anybody's by now. So a file that names a server that
//! runs is taken by nobody but its successor; one left behind by a server that was killed is
//! replaced; and what is no number is no file of ours to replace. It is put in place by a rename,
//! so that nobody reads half of it. Rejected: a lock, which would have to be handed on with the
//! sockets.
//!
//! **Costs.** A few small files, once.
//!
//! **Read next.** `src/cli/upgrade.rs`.

use super::Failure;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process;

/// A file with our number, from [`write`](PidFile::write) to the end.
pub(super) struct PidFile(Option<PathBuf>);

impl PidFile {
    /// Looks whether the file may be ours. Nothing to do without one.
    pub(super) fn claim(path: Option<PathBuf>) -> Result<PidFile, Failure> {
        let Some(path) = path else { return Ok(PidFile(None)) };
        let refused = |why: &str| Failure::Usage(format!("pid_file: {}: {why}", path.display()));
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(refused(&error.to_string())),
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => match text.trim().parse() {
                Ok(pid) if pid != parent_id() && is_oneloop(pid) => {
                    return Err(refused(&format!(
                        "process {pid} serves: end it, replace it by `oneloop upgrade`, or name \
                         another file"
                    )));
                }
                Ok(_) => {}
                Err(_) => {
                    let why = "there is no number in it, so it is left alone: name another file";
                    return Err(refused(why));
                }
            },
        }
        Ok(PidFile(Some(path)))
    }

    /// We serve.
    pub(super) fn write(&self) -> Result<(), Failure> {
        let Some(path) = &self.0 else { return Ok(()) };
        put(path, process::id())
            .map_err(|error| Failure::Run(format!("pid_file: {}: {error}", path.display())))
    }
}

impl Drop for PidFile {
    /// It may be our successor's by now.
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.trim() == process::id().to_string() {
            // If it stays, it is stale, and the next one sees that.
            let _ = fs::remove_file(path);
        }
    }
}

fn put(path: &Path, pid: u32) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{pid}"));
    fs::write(&draft, format!("{pid}\n"))?;
    fs::rename(&draft, path)
}

/// Whether a process runs a binary of our name, as `oneloop upgrade` asks.
fn is_oneloop(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "oneloop")
}
