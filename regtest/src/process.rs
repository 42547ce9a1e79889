//! Starts programs so that they end when this process ends, however it ends.
//!
//! On Linux the kernel does it: `setpriv --pdeathsig KILL` (util-linux) asks for a signal upon the parent's death, and `exec` keeps the
//! request. "Parent" means the *thread* that started the child, so all children are started by one thread that lives as long as the process.
//! A parent that dies before the request is made would be missed; the small shell in between sees that its parent has changed, and stops.
//! Elsewhere a shell waits at the other end of a pipe that only we hold open, and kills the child when it closes.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a waiting loop looks again.
const POLL: Duration = Duration::from_millis(20);

/// What to start. Both output streams go to the end of `log`.
#[derive(Debug, Clone)]
pub struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) log: PathBuf,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) envs: Vec<(OsString, OsString)>,
}

impl Launch {
    /// A program, and the file that gets what it prints.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new(), log: log.into(), dir: None, envs: Vec::new() }
    }

    /// With one more argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With an environment variable.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.envs.push((key.into(), value.into()));
        self
    }

    /// Starts it.
    pub fn start(&self) -> io::Result<Process> {
        self.start_by(setpriv())
    }

    fn start_by(&self, setpriv: Option<&Path>) -> io::Result<Process> {
        let stdout = File::options().create(true).append(true).open(&self.log)?;
        let stderr = stdout.try_clone()?;
        let mut command = match setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--", "/bin/sh", "-c", r#"test "$PPID" = "$0" && exec "$@""#]);
                command.arg(std::process::id().to_string()).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        // A group of its own: Ctrl-C in a terminal is for us alone to hear, and to act upon in order.
        command.args(&self.args).stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0);
        command.envs(self.envs.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let child = spawn(command)?;
        let watchdog = match setpriv {
            Some(_) => None,
            None => Some(watch_over(child.id())?),
        };
        Ok(Process { child, watchdog })
    }

    /// The end of what it printed.
    pub fn tail(&self) -> String {
        tail(&self.log)
    }
}

/// The last lines of a log file; empty where there is none.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 25;
    const BYTES: usize = 4_000;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(text.get(text.len().saturating_sub(BYTES)..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

/// A program that was started, and ends with its owner.
#[derive(Debug)]
pub struct Process {
    child: Child,
    watchdog: Option<Child>,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let ended = self.child.try_wait()?;
        if ended.is_some() {
            self.dismiss_watchdog();
        }
        Ok(ended)
    }

    /// Asks it to end, and kills it if it has not within `grace`.
    pub fn stop(&mut self, grace: Duration) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::SIGTERM)?;
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if self.ended()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        self.kill()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.ended()?.is_none() {
            self.child.kill()?;
            self.child.wait()?;
            self.dismiss_watchdog();
        }
        Ok(())
    }

    /// Not yet waited for, so the id can't have passed to a stranger.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(id), signal).map_err(io::Error::from)
    }

    fn dismiss_watchdog(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            // Killed before its pipe closes, so that it never acts on an id that may have passed to a stranger.
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Starts a command from the thread that outlives every other.
fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        // The static keeps the sender, so the loop has no end but the process's.
        std::thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = mpsc::channel();
    spawner.send((command, reply)).map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

/// Where `setpriv` is, on systems that have it.
fn setpriv() -> Option<&'static Path> {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    SETPRIV.get_or_init(|| if cfg!(target_os = "linux") { on_path("setpriv") } else { None }).as_deref()
}

fn watch_over(id: u32) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"read -r _; kill -KILL "$0""#]).arg(id.to_string());
    // The write end stays in the `Child`, unread and unwritten, until we end.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    spawn(command)
}

/// The first file of that name on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn ends_soon(process: &mut Process) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if process.ended().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(POLL);
        }
        false
    }

    #[test]
    fn without_setpriv_the_watchdog_kills_when_our_end_of_its_pipe_closes() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Launch::new("/bin/sleep", folder.path().join("log")).arg("60").start_by(None).unwrap();
        assert!(process.ended().unwrap().is_none());
        // What the system does when we end.
        drop(process.watchdog.as_mut().unwrap().stdin.take());
        assert!(ends_soon(&mut process));
    }

    #[test]
    fn a_child_that_ignores_the_request_to_stop_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = r#"trap "" TERM; echo ready; while :; do sleep 1; done"#;
        let mut process = Launch::new("/bin/sh", &log).args(["-c", script]).start().unwrap();
        while tail(&log) != "ready" {
            std::thread::sleep(POLL);
        }
        process.stop(Duration::from_millis(200)).unwrap();
        assert!(process.ended().unwrap().is_some());
    }

    #[test]
    fn the_tail_is_the_end_of_a_long_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, (0..10_000).map(|line| format!("line {line}\n")).collect::<String>()).unwrap();
        let tail = tail(&log);
        assert!(tail.ends_with("line 9999") && tail.lines().count() == 25, "{tail}");
        assert_eq!(super::tail(Path::new("/nonexistent")), "");
    }
}
