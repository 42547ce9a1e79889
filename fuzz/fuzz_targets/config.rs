//! The configuration file, and what is put over it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use photon::config::Config;
use std::path::Path;

fuzz_target!(|text: &str| {
    let (file, set) = text.split_once('\0').unwrap_or((text, "network=regtest"));
    if let Err(error) = Config::read(file, Path::new("config.toml"), std::iter::empty(), &[set.to_owned()]) {
        assert!(error.to_string().len() > 10, "{error}");
    }
});
