//! Fetches a program and its libraries from Debian's archive into a folder, without root and without touching the system: apt with state,
//! cache and sources of its own. apt checks every file against the archive's signature; the mirror, the keyring, proxies and the rest of
//! apt's policy are the machine's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::progress::Counter;
use super::sources::{Mirror, debian_mirror};
use super::{FetchError, tool};
use crate::process::{Launch, on_path};

/// A program in Debian's archive.
pub(super) struct AptPackage {
    /// The node program, as the user knows it.
    pub(super) node: &'static str,
    /// The variable by which a user may name one instead.
    pub(super) variable: &'static str,
    /// The package.
    pub(super) package: &'static str,
    /// The Debian suite that has it.
    pub(super) suite: &'static str,
    /// Where the program is once unpacked.
    pub(super) binary: &'static str,
}

/// Steps that [`AptPackage::fetch`] reports.
pub(super) const STEPS: usize = 3;

/// Both places of libraries; newer packages have moved them all to the first one.
const LIBRARIES: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
const LOADER: &str = "ld-linux-x86-64.so.2";
const LISTS_LIMIT: Duration = Duration::from_secs(300);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(1_200);
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

/// A fetched package.
pub(super) struct Unpacked {
    pub(super) root: PathBuf,
    pub(super) version: String,
}

impl AptPackage {
    /// How to run the program in an unpacked `root`: by the unpacked loader, for the machine's may be older than the program wants.
    pub(super) fn command(&self, root: &Path) -> (PathBuf, Vec<OsString>) {
        let folders = LIBRARIES.map(|folder| root.join(folder));
        let loader = folders.iter().map(|folder| folder.join(LOADER)).find(|file| file.is_file());
        let mut libraries = OsString::from(&folders[0]);
        libraries.push(":");
        libraries.push(&folders[1]);
        let args = vec!["--library-path".into(), libraries, root.join(self.binary).into()];
        (loader.unwrap_or_else(|| root.join(LOADER)), args)
    }

    /// Fetches into `staging`, where what an earlier attempt left is used again.
    pub(super) fn fetch(&self, staging: &Path, steps: &mut Counter<'_>) -> Result<Unpacked, FetchError> {
        self.check_machine()?;
        let apt = Apt::prepare(self, staging)?;
        steps.begin(self.node, "reading the archive's package list");
        apt.update()?;
        let mut step = steps.begin(self.node, "downloading");
        let files = apt.list(self)?;
        let total = files.iter().map(|file| file.bytes).sum();
        apt.download(&files, |done| step.bytes(done, total))?;
        steps.begin(self.node, "unpacking");
        let root = staging.join("root");
        apt.unpack(&files, &root)?;
        self.check(&root)?;
        let version = files.iter().find(|file| file.package == self.package).map(|file| file.version.clone());
        Ok(Unpacked { root, version: version.unwrap_or_default() })
    }

    fn check_machine(&self) -> Result<(), FetchError> {
        let (node, variable) = (self.node, self.variable);
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        if (os, arch) != ("linux", "x86_64") {
            return Err(FetchError::WrongMachine { node, variable, os, arch });
        }
        match ["apt-get", "dpkg-deb"].into_iter().find(|tool| on_path(tool).is_none()) {
            Some(tool) => Err(FetchError::NoTool { tool, node, variable }),
            None => Ok(()),
        }
    }

    fn check(&self, root: &Path) -> Result<(), FetchError> {
        let loader = self.command(root).0;
        match [root.join(self.binary), loader].into_iter().find(|part| !part.is_file()) {
            Some(part) => {
                let missing = part.strip_prefix(root).unwrap_or(&part).display().to_string();
                Err(FetchError::Incomplete { node: self.node, missing, variable: self.variable })
            }
            None => Ok(()),
        }
    }
}

/// One file to download.
struct Deb {
    package: String,
    version: String,
    file: String,
    bytes: u64,
}

/// apt with folders of its own.
struct Apt {
    config: PathBuf,
    downloads: PathBuf,
    log: PathBuf,
}

impl Apt {
    fn prepare(package: &AptPackage, staging: &Path) -> Result<Self, FetchError> {
        let mirror = machine_mirror().ok_or(FetchError::NoArchive { node: package.node, variable: package.variable })?;
        let folder = staging.join("apt");
        let downloads = staging.join("downloads");
        for folder in [folder.join("lists/partial"), folder.join("cache/archives/partial"), downloads.clone()] {
            std::fs::create_dir_all(&folder).map_err(FetchError::disk("could not create", &folder))?;
        }
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(FetchError::disk("could not write", &path)).map(|()| path)
        };
        // Nothing counts as installed, so that every library is named.
        write("status", String::new())?;
        write("sources.list", source_line(&mirror, package.suite))?;
        let config = write("apt.conf", configuration(&folder))?;
        Ok(Self { config, downloads, log: staging.join("apt.log") })
    }

    fn apt_get(&self, log: &Path) -> Launch {
        // Read after all of the machine's configuration, which keeps its proxies and its policy but neither its folders nor its hooks.
        let mut launch = Launch::new("apt-get", log).arg("-c").arg(&self.config).arg("-q");
        launch.dir = Some(self.downloads.clone());
        launch.envs = vec![("LC_ALL".into(), "C".into())];
        launch
    }

    fn update(&self) -> Result<(), FetchError> {
        let launch = self.apt_get(&self.log).args(["-o", "APT::Update::Error-Mode=any", "update"]);
        tool::run(&launch, "reading the Debian archive's package list", LISTS_LIMIT, || ())
    }

    /// The package and the libraries it needs. It also depends on the system's init for a service that we don't run.
    fn list(&self, package: &AptPackage) -> Result<Vec<Deb>, FetchError> {
        let out = self.log.with_file_name("uris.txt");
        let _ = std::fs::remove_file(&out);
        let launch = self.apt_get(&out).args(["--no-install-recommends", "--print-uris", "install", package.package]);
        tool::run(&launch, "finding the packages in the Debian archive", LISTS_LIMIT, || ())?;
        let text = std::fs::read_to_string(&out).map_err(FetchError::disk("could not read", &out))?;
        let wanted = |deb: &Deb| {
            let library = (deb.package.starts_with("lib") && !deb.package.starts_with("libsystemd")) || deb.package == "zlib1g";
            library || deb.package == package.package
        };
        Ok(text.lines().filter_map(printed_uri).filter(wanted).collect())
    }

    fn download(&self, files: &[Deb], mut progress: impl FnMut(u64)) -> Result<(), FetchError> {
        let names = files.iter().map(|deb| format!("{}={}", deb.package, deb.version));
        let launch = self.apt_get(&self.log).args(["-o", "Acquire::Retries=3", "download"]).args(names);
        tool::run(&launch, "downloading from the Debian archive", DOWNLOAD_LIMIT, || progress(folder_bytes(&self.downloads)))?;
        progress(u64::MAX);
        Ok(())
    }

    fn unpack(&self, files: &[Deb], root: &Path) -> Result<(), FetchError> {
        for deb in files {
            let launch = Launch::new("dpkg-deb", &self.log).arg("-x").arg(self.downloads.join(&deb.file)).arg(root);
            tool::run(&launch, "unpacking a Debian package", UNPACK_LIMIT, || ())?;
        }
        Ok(())
    }
}

/// `'uri' file size hash`, where the file is `package_version_arch.deb` with `:` in the version written as `%3a`.
fn printed_uri(line: &str) -> Option<Deb> {
    let mut words = line.split_whitespace();
    words.next()?.strip_prefix('\'')?;
    let file = words.next()?;
    let bytes = words.next()?.parse().ok()?;
    let mut parts = file.strip_suffix(".deb")?.splitn(3, '_');
    let package = parts.next()?.to_owned();
    let version = parts.next()?.replace("%3a", ":");
    parts.next()?;
    Some(Deb { package, version, file: file.to_owned(), bytes })
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(|meta| meta.is_file()).map(|meta| meta.len()).sum()
}

fn machine_mirror() -> Option<Mirror> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    let mut parts: Vec<PathBuf> =
        std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    parts.sort();
    paths.extend(parts);
    let files: Vec<(PathBuf, String)> =
        paths.into_iter().filter_map(|path| std::fs::read_to_string(&path).ok().map(|text| (path, text))).collect();
    debian_mirror(files.iter().map(|(path, text)| (path.as_path(), text.as_str())))
}

fn source_line(mirror: &Mirror, suite: &str) -> String {
    let signed_by = mirror.signed_by.as_ref().map(|key| format!(" signed-by={key}")).unwrap_or_default();
    format!("deb [arch=amd64{signed_by}] {} {suite} main\n", mirror.uri)
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/cache/archives";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
"#
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn printed_uris_are_read_and_other_lines_are_not() {
        let deb = printed_uri("'http://m.example/z.deb' zlib1g_1%3a1.3.dfsg-4_amd64.deb 92424 SHA256:00").unwrap();
        assert_eq!((deb.package.as_str(), deb.version.as_str(), deb.bytes), ("zlib1g", "1:1.3.dfsg-4", 92_424));
        assert_eq!(deb.file, "zlib1g_1%3a1.3.dfsg-4_amd64.deb");
        for line in ["", "Reading package lists...", "'http://m.example/x' x.deb", "'u' x_1.deb 5 h"] {
            assert!(printed_uri(line).is_none(), "{line}");
        }
    }
}
