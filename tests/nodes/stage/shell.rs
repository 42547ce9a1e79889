//! The real program on a real command line.

use super::PHOTON;
use photon_regtest::process::{Launch, Process};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A folder whose node is asked, or made.
pub struct Shell {
    folder: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

const LIMIT: Duration = Duration::from_secs(180);

impl Shell {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PHOTON);
        command.arg("--datadir").arg(&self.folder).args(args).kill_on_drop(true);
        // Nothing of the developer's own node leaks in.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs a command to its end, whatever comes of it. It is piped, so it must not paint.
    pub async fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, "").await
    }

    /// The same, with something on its standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> Done {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that does not read its input is no failure.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = ended.unwrap_or_else(|_| panic!("photon {args:?} did not end")).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'), "photon {args:?} paints a pipe: {done:?}");
        done
    }

    /// Runs a command that must succeed; what it printed.
    pub async fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args).await;
        assert_eq!(done.code, Some(0), "photon {args:?}: {done:?}");
        done.out
    }

    /// The same with `--json`, read.
    pub async fn json<T: DeserializeOwned>(&self, args: &[&str]) -> T {
        let out = self.ok(&[&["--json"], args].concat()).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("photon --json {args:?}: {error}: {out}"))
    }

    /// Runs a command that must fail; its exit code and what it said.
    pub async fn no(&self, args: &[&str]) -> (i32, String) {
        let done = self.run(args).await;
        let code = done.code.unwrap_or_else(|| panic!("photon {args:?} was killed: {done:?}"));
        assert_ne!(code, 0, "photon {args:?}: {done:?}");
        (code, done.err)
    }

    /// Starts `photon node` with these arguments; it ends with the test at the latest.
    pub fn node(&self, args: &[&str]) -> Process {
        let launch = Launch::new(PHOTON, self.folder.join("log")).arg("--datadir").arg(&self.folder).arg("node").args(args);
        launch.env("RUST_LOG", "info").start().unwrap()
    }
}
