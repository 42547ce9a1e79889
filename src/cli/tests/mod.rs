//! The commands against the real API, over a service in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod channels;
mod commands;
mod failures;
mod pictures;
mod watching;

use super::ui::Ui;
use super::{ClientArgs, ClientCommand, execute_with};
use crate::api::fake::NOW;
use crate::api::tests::World;
use clap::Parser;
use photon_chains::UnixTime;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    client: ClientArgs,
    #[command(subcommand)]
    command: ClientCommand,
}

/// What a command wrote, and how it ended.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> serde_json::Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn now() -> UnixTime {
    UnixTime::from_secs(NOW)
}

fn parse(words: &[&str]) -> Result<Program, clap::Error> {
    Program::try_parse_from([&["photon"], words].concat())
}

/// Runs a command of a person who types `typed` if asked; with nothing to type there is no terminal.
async fn run_typing(world: &World, typed: &'static str, words: &[&str]) -> Ran {
    let (out, err) = (Page::default(), Page::default());
    let code = run_onto(world, typed, words, &out, &err).await;
    Ran { code, out: out.text(), err: err.text() }
}

async fn run_onto(world: &World, typed: &'static str, words: &[&str], out: &Page, err: &Page) -> u8 {
    let mut program = parse(words).unwrap_or_else(|error| panic!("{error}"));
    program.client.api.get_or_insert_with(|| format!("http://{}", world.address));
    program.client.datadir.get_or_insert_with(|| world.folder.path().to_owned());
    let mut ui = Ui::of_test(program.client.json, typed, Box::new(out.clone()), Box::new(err.clone()), now);
    execute_with(&program.client, program.command, &mut ui).await
}

async fn run(world: &World, words: &[&str]) -> Ran {
    run_typing(world, "", words).await
}

/// Runs one that must succeed.
async fn done(world: &World, words: &[&str]) -> Ran {
    let ran = run(world, words).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}: {}", ran.out);
    ran
}
