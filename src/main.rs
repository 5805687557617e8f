//! The tool. All of it is in `src/cli/mod.rs`.

fn main() -> std::process::ExitCode {
    oneloop::cli::main()
}
