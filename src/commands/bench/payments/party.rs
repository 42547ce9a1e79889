//! The bench's hand on a node's process.

use super::talk::{Answer, Ask, Books, Costs, Name, Paid, Paying};
use anyhow::Context;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A node's process, killed when this is dropped.
pub struct Party {
    /// Who it is.
    pub name: Name,
    folder: PathBuf,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Party {
    /// Starts one on what is in that folder.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let program = std::env::current_exe().context("this program can't find itself")?;
        let mut child = Command::new(program)
            .args(["bench", "payments", "--serve"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("a node could not be started")?;
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().context("a node has no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let name = serde_json::from_str(&line).context("a node did not come up")?;
        Ok(Self { name, folder: folder.to_owned(), child, input, output })
    }

    /// The same again, stopped in between.
    pub fn restart(mut self) -> anyhow::Result<Self> {
        // It ends when nobody asks any more.
        self.input.take();
        self.child.wait()?;
        Self::start(&self.folder)
    }

    /// Puts a question. [`Party::hear`] has the answer.
    pub fn ask(&mut self, ask: &Ask) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the node was stopped")?;
        writeln!(input, "{}", serde_json::to_string(ask)?)?;
        Ok(input.flush()?)
    }

    /// Waits for the answer.
    pub fn hear(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("a node has ended")
    }

    fn answer(&mut self, ask: &Ask) -> anyhow::Result<Answer> {
        self.ask(ask)?;
        self.hear()
    }

    /// Has it done.
    pub fn done(&mut self, ask: &Ask) -> anyhow::Result<()> {
        match self.answer(ask)? {
            Answer::Done => Ok(()),
            other => anyhow::bail!("a node answers something else: {other:?}"),
        }
    }

    /// Begins to pay.
    pub fn begin(&mut self, paying: &Paying) -> anyhow::Result<()> {
        self.ask(&Ask::Pay(paying.clone()))
    }

    /// What came of it.
    pub fn paid(&mut self) -> anyhow::Result<Paid> {
        match self.hear()? {
            Answer::Paid(paid) => Ok(paid),
            other => anyhow::bail!("a node answers something else: {other:?}"),
        }
    }

    /// Its books, after that row.
    pub fn books(&mut self, after: u64) -> anyhow::Result<Books> {
        match self.answer(&Ask::Books(after))? {
            Answer::Books(books) => Ok(books),
            other => anyhow::bail!("a node answers something else: {other:?}"),
        }
    }

    /// What it has cost.
    pub fn costs(&mut self) -> anyhow::Result<Costs> {
        match self.answer(&Ask::Costs)? {
            Answer::Costs(costs) => Ok(costs),
            other => anyhow::bail!("a node answers something else: {other:?}"),
        }
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
