//! Reads the machine's own apt sources, in both of apt's formats (sources.list(5)), to learn which mirror of Debian it uses and which
//! keyring it trusts for it. Pure: text in, mirrors out.

use std::path::Path;

/// A Debian archive as this machine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// The address, as written.
    pub(crate) uri: String,
    /// The keyring named for it; none means apt's trusted keys.
    pub(crate) signed_by: Option<String>,
    suites: Vec<String>,
    components: Vec<String>,
}

/// Debian's release names whose main archive carries every suite we may ask for.
const SUITES: [&str; 10] =
    ["bookworm", "trixie", "forky", "duke", "sid", "stable", "testing", "unstable", "oldstable", "bullseye"];

/// The first mirror of Debian's main archive (not security, not a third party's) that the given source files name.
pub(crate) fn debian_mirror<'a>(files: impl Iterator<Item = (&'a Path, &'a str)>) -> Option<Mirror> {
    files
        .flat_map(|(path, text)| match path.extension().and_then(|e| e.to_str()) {
            Some("sources") => deb822(text),
            Some("list") => one_line(text),
            _ => Vec::new(),
        })
        .find(is_debian)
}

/// Updates and security suites have a suffix; others who build for Debian have a component of their own instead of `main`.
/// Cloud images name their mirror by a list in a file.
fn is_debian(mirror: &Mirror) -> bool {
    let suite = mirror.suites.iter().any(|suite| SUITES.contains(&suite.as_str()));
    let main = mirror.components.iter().any(|component| component == "main");
    let path = mirror.uri.trim_end_matches('/');
    suite && main && (path.ends_with("/debian") || path.contains("/debian/") || path.ends_with("/mirrors/debian.list"))
}

fn one_line(text: &str) -> Vec<Mirror> {
    text.lines().filter_map(one_source).collect()
}

/// `deb [option=value …] uri suite component…`
fn one_source(line: &str) -> Option<Mirror> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    // Not `deb-src`.
    let rest = rest.strip_prefix(|c: char| c.is_whitespace())?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let uri = words.next()?.to_owned();
    let suite = words.next()?.to_owned();
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(|value| value.to_owned());
    Some(Mirror { uri, signed_by, suites: vec![suite], components: words.map(str::to_owned).collect() })
}

/// Stanzas of `Key: value` lines, parted by empty lines; a value goes on over indented lines.
fn deb822(text: &str) -> Vec<Mirror> {
    let mut mirrors = Vec::new();
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain(std::iter::once("")) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            mirrors.extend(stanza_mirrors(&stanza));
            stanza.clear();
        } else if line.starts_with(char::is_whitespace) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            stanza.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    mirrors
}

fn stanza_mirrors(stanza: &[(String, String)]) -> Vec<Mirror> {
    let field = |name: &str| stanza.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let words = |name: &str| field(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_off = field("enabled").is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "no" | "false" | "0"));
    if is_off || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    // A key written into the stanza itself can't be named in a one-line source; apt's trusted keys must do then.
    let signed_by = field("signed-by").filter(|value| value.starts_with('/') && !value.contains('\n')).map(str::to_owned);
    let (suites, components) = (words("suites"), words("components"));
    words("uris")
        .into_iter()
        .map(|uri| Mirror { uri, signed_by: signed_by.clone(), suites: suites.clone(), components: components.clone() })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn find(name: &str, text: &str) -> Option<Mirror> {
        debian_mirror([(Path::new(name), text)].into_iter())
    }

    #[test]
    fn deb822_gives_mirror_and_keyring() {
        let text = "# a comment\nTypes: deb\n# another\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/d.gpg\n\nTypes: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n";
        let mirror = find("debian.sources", text).unwrap();
        assert_eq!(
            (mirror.uri.as_str(), mirror.signed_by.as_deref()),
            ("http://mirror.example/debian", Some("/usr/share/keyrings/d.gpg"))
        );
    }

    #[test]
    fn one_line_gives_mirror_with_and_without_options() {
        let plain = find("sources.list", "deb http://mirror.example/debian/ trixie main contrib # x\n").unwrap();
        assert_eq!((plain.uri.as_str(), plain.signed_by), ("http://mirror.example/debian/", None));
        let signed =
            find("sources.list", "deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/pub/debian bookworm main\n").unwrap();
        assert_eq!(signed.signed_by.as_deref(), Some("/k.gpg"));
    }

    #[test]
    fn what_is_not_debians_main_archive_is_passed_over() {
        for text in [
            "deb-src http://mirror.example/debian bookworm main",
            "# deb http://mirror.example/debian bookworm main",
            "deb http://mirror.example/ubuntu jammy main",
            "deb http://mirror.example/debian bookworm-updates main",
            "deb https://packages.example/apt stable main",
            "deb https://download.example/linux/debian bookworm stable",
            "deb",
            "deb [unclosed http://mirror.example/debian bookworm main",
        ] {
            assert_eq!(find("sources.list", text), None, "{text}");
        }
        let off = "Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n";
        assert_eq!(find("debian.sources", off), None);
    }

    #[test]
    fn an_embedded_key_falls_back_to_the_trusted_keys() {
        let text = "Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n";
        assert_eq!(find("debian.sources", text).unwrap().signed_by, None);
    }
}
