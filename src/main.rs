//! The `photon` program.

use clap::{Parser, Subcommand};
use photon::cli;
use photon::commands::{LocalArgs, backup, bench, deploy, doctor, init, node, rescue};
use std::process::ExitCode;

/// Swap BTC, LTC, ETH, SMT and ERC20 tokens with people you don't trust, and pay over channels, with nobody in the middle.
#[derive(Debug, Parser)]
#[command(name = "photon", version, max_term_width = 110)]
struct Args {
    #[command(flatten)]
    client: cli::ClientArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Node(node::NodeArgs),
    Deploy(deploy::DeployArgs),
    Doctor(doctor::DoctorArgs),
    Backup(backup::BackupArgs),
    Rescue(rescue::RescueArgs),
    Bench(bench::BenchArgs),
    /// Real nodes on this machine, three daemons, sixteen swaps, then payments over channels
    #[cfg(feature = "demo")]
    Demo(photon::demo::DemoArgs),
    #[command(flatten)]
    Client(cli::ClientCommand),
}

fn main() -> ExitCode {
    let Args { client, command } = Args::parse();
    let local = LocalArgs { datadir: client.datadir.clone() };
    let json = client.json;
    let done = match command {
        Command::Init(args) => init::run(&local, &args, json),
        Command::Node(args) => node::run(&local, &args),
        Command::Deploy(args) => deploy::run(&local, &args, json),
        Command::Backup(args) => backup::run(&local, &args, json),
        Command::Rescue(args) => rescue::run(&local, &args, json),
        Command::Bench(args) => bench::run(&args, json),
        Command::Doctor(args) => match doctor::run(&local, &args, json) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        #[cfg(feature = "demo")]
        Command::Demo(args) => return photon::demo::run(&args),
        Command::Client(command) => return cli::run(client, command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if json => {
            eprintln!("{}", cli::CliError::Failed(format!("{error:#}")).json());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("photon: {error:#}");
            ExitCode::FAILURE
        }
    }
}
