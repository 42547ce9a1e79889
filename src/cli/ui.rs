//! Where answers go: tables for people, JSON for programs.

use super::error::CliError;
use super::table::Style;
use super::times::system_now;
use super::{ClientArgs, ColorChoice};
use photon_chains::UnixTime;
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

/// The caller's side of a command.
pub(super) struct Ui {
    pub json: bool,
    pub style: Style,
    /// True if what is shown may be drawn over, and a person can be asked.
    pub terminal: bool,
    pub now: fn() -> UnixTime,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    input: Box<dyn BufRead + Send>,
}

impl Ui {
    pub(super) fn standard(args: &ClientArgs) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match args.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stdout().is_terminal() && !no_color,
        };
        Self {
            json: args.json,
            style: Style { color, width: Style::terminal_width() },
            terminal,
            now: system_now,
            out: Box::new(std::io::stdout()),
            err: Box::new(std::io::stderr()),
            input: Box::new(std::io::BufReader::new(std::io::stdin())),
        }
    }

    #[cfg(test)]
    pub(super) fn of_test(
        json: bool,
        input: &'static str,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        now: fn() -> UnixTime,
    ) -> Self {
        let terminal = !input.is_empty();
        Self { json, style: Style::PLAIN, terminal, now, out, err, input: Box::new(input.as_bytes()) }
    }

    /// Shows an answer: as it is to programs, as `text` to people.
    pub(super) fn answer<T: Serialize>(&mut self, answer: &T, text: impl FnOnce(&Self) -> String) -> Result<(), CliError> {
        if self.json {
            let json = serde_json::to_string(answer).map_err(|error| CliError::Failed(error.to_string()))?;
            return self.line(&json);
        }
        let text = text(self);
        self.line(text.trim_end())
    }

    /// Writes one line, or several.
    pub(super) fn line(&mut self, text: &str) -> Result<(), CliError> {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        written.map_err(|error| CliError::Failed(format!("can't write the answer: {error}")))
    }

    /// A screen that is drawn over and over.
    pub(super) fn redraw(&mut self, screen: &mut Redraw, text: &str) -> Result<(), CliError> {
        screen.draw(&mut self.out, text).map_err(|error| CliError::Failed(format!("can't write the answer: {error}")))
    }

    /// Asks a person; only `y` or `yes` is a yes.
    pub(super) fn confirm(&mut self, question: &str) -> Result<bool, CliError> {
        let failed = |error: std::io::Error| CliError::Failed(format!("can't ask: {error}"));
        write!(self.err, "{question} [y/N] ").and_then(|()| self.err.flush()).map_err(failed)?;
        let mut typed = String::new();
        self.input.read_line(&mut typed).map_err(failed)?;
        Ok(matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Says why it was not done: to people beside the answer, to programs in its place.
    pub(super) fn fail(&mut self, error: &CliError) -> ExitCode {
        if matches!(error, CliError::Silent) {
            return ExitCode::from(error.exit_code());
        }
        // Nobody may be listening any more; the code still says it.
        let _ = if self.json {
            writeln!(self.out, "{}", error.json())
        } else {
            writeln!(self.err, "photon: {}", super::table::clean_lines(&error.to_string()))
        };
        ExitCode::from(error.exit_code())
    }
}

/// A part of a terminal that is drawn over.
#[derive(Debug, Default)]
pub struct Redraw {
    lines: usize,
}

impl Redraw {
    /// Draws `text` over what was drawn before. Its lines must fit the terminal's width.
    pub fn draw(&mut self, out: &mut dyn Write, text: &str) -> std::io::Result<()> {
        if self.lines > 0 {
            // Up to its first line, and clear from there to the end of the screen.
            write!(out, "\x1b[{}A\x1b[J", self.lines)?;
        }
        let text = text.trim_end_matches('\n');
        self.lines = text.split('\n').count();
        writeln!(out, "{text}")?;
        out.flush()
    }
}
