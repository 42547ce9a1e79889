//! Where answers go: tables for people, JSON for programs.

use super::error::CliError;
use super::table::Style;
use super::times::system_now;
use super::{ClientArgs, ColorChoice};
use photon_chains::UnixTime;
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};

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

    /// Says why it was not done, beside the answer.
    pub(super) fn fail(&mut self, error: &CliError) {
        let text = if self.json {
            error.json().to_string()
        } else {
            format!("photon: {}", super::table::clean_lines(&error.to_string()))
        };
        // Nobody may be listening any more; the exit code still says it.
        let _ = writeln!(self.err, "{text}");
    }
}

/// A part of a terminal that is drawn over.
#[derive(Debug, Default)]
pub struct Redraw {
    lines: usize,
}

impl Redraw {
    /// Draws `text` over what was drawn before. Its lines must fit the terminal's width; what does not fit its height is
    /// left out, because what has scrolled away can't be drawn over.
    pub fn draw(&mut self, out: &mut dyn Write, text: &str) -> std::io::Result<()> {
        if self.lines > 0 {
            // Up to its first line, and clear from there to the end of the screen.
            write!(out, "\x1b[{}A\x1b[J", self.lines)?;
        }
        let height = crossterm::terminal::size().map_or(24, |(_, height)| usize::from(height));
        let text = fit(text, height);
        self.lines = text.split('\n').count();
        writeln!(out, "{text}")?;
        out.flush()
    }
}

/// The first and the last lines of a text that is too high; one line is left for the cursor.
fn fit(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let room = height.saturating_sub(1).max(3);
    if lines.len() <= room {
        return lines.join("\n");
    }
    let (shown, rest) = lines.split_at(room.saturating_sub(2).min(lines.len()));
    let last = rest.last().copied().unwrap_or_default();
    format!("{}\n… {} more lines: make the window higher\n{last}", shown.join("\n"), rest.len() - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_that_is_too_high_keeps_its_beginning_and_its_end() {
        assert_eq!(fit("a\nb\nc\n", 4), "a\nb\nc");
        assert_eq!(fit("a\nb\nc\nd\ne\n", 5), "a\nb\n… 2 more lines: make the window higher\ne");
        assert_eq!(fit("a\nb\nc\nd\ne\n", 0).split('\n').count(), 3);
    }

    #[test]
    fn drawing_goes_over_what_was_drawn_and_nothing_else() {
        let (mut out, mut screen) = (Vec::new(), Redraw::default());
        screen.draw(&mut out, "one\ntwo\n").unwrap();
        screen.draw(&mut out, "three").unwrap();
        screen.draw(&mut out, "four").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "one\ntwo\n\x1b[2A\x1b[Jthree\n\x1b[1A\x1b[Jfour\n");
    }
}
