//! Real servers for tests: each private to the test that starts it, in a directory of its own,
//! reached through a Unix socket there, and gone when it is dropped.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(
    clippy::disallowed_methods,
    reason = "a server takes its time to start"
)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const REDIS: &str = "redis-server";
/// Debian and its kin keep PostgreSQL's servers here, by major version, and off the path.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// A Redis that writes nothing to disk.
pub struct Redis {
    process: Child,
    directory: Directory,
}

impl Redis {
    /// `None` where Redis is not installed; under CI that panics.
    pub fn start() -> Option<Self> {
        let Some(mut command) = installed(REDIS).map(Command::new) else {
            return skipped("redis-server", "redis-server");
        };
        let directory = Directory::new("redis", None);
        command.args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
        ]);
        command
            .arg("--unixsocket")
            .arg(directory.0.join("redis.sock"))
            .arg("--dir")
            .arg(&directory.0);
        let mut process = directory.spawn(&mut command);
        directory.await_ready(&mut process, || {
            UnixStream::connect(directory.0.join("redis.sock")).is_ok()
        });
        Some(Self { process, directory })
    }

    /// As the `redis` crate takes it.
    pub fn url(&self) -> String {
        format!(
            "redis+unix://{}",
            self.directory.0.join("redis.sock").display()
        )
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A PostgreSQL with an empty database, that trusts whoever reaches its socket and does not wait
/// for the disk.
pub struct Postgres {
    process: Child,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    directory: Directory,
}

impl Postgres {
    /// `None` where PostgreSQL is not installed; under CI that panics.
    pub fn start() -> Option<Self> {
        let Some(binaries) = newest_postgres() else {
            return skipped("PostgreSQL server", "postgresql");
        };
        let user = unprivileged();
        let directory = Directory::new("postgres", user);
        let data = directory.0.join("data");
        let mut initdb = command(&binaries.join("initdb"), user);
        initdb.args([
            "--no-sync",
            "--no-instructions",
            "--auth=trust",
            "--username=postgres",
        ]);
        initdb
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data);
        let made = directory.spawn(&mut initdb).wait().unwrap();
        assert!(made.success(), "initdb failed: {}", directory.log());
        let mut postgres = command(&binaries.join("postgres"), user);
        postgres.arg("-D").arg(&data).arg("-k").arg(&directory.0);
        let settings = [
            "listen_addresses=",
            "max_connections=100",
            "fsync=off",
            "full_page_writes=off",
            "shared_buffers=32MB",
            "log_min_messages=fatal",
        ];
        postgres.args(settings.iter().flat_map(|setting| ["-c", setting]));
        let mut process = directory.spawn(&mut postgres);
        // The socket is there before it answers; this file says when it does.
        let state = data.join("postmaster.pid");
        directory.await_ready(&mut process, || {
            fs::read_to_string(&state).is_ok_and(|text| text.contains("ready"))
        });
        Some(Self {
            process,
            binaries,
            user,
            directory,
        })
    }

    /// As `sqlx` takes it.
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost:5432/postgres?host={}",
            self.directory.0.display()
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Killed outright, it would leave a segment of shared memory behind.
        let mut stop = command(&self.binaries.join("pg_ctl"), self.user);
        stop.args(["stop", "--mode=immediate", "-D"])
            .arg(self.directory.0.join("data"));
        let is_stopped = self
            .directory
            .spawn(&mut stop)
            .wait()
            .is_ok_and(|status| status.success());
        if !is_stopped {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// Says aloud that a test did not run. Nothing may go unnoticed under CI.
fn skipped<T>(what: &str, package: &str) -> Option<T> {
    let line = format!("no {what}; apt-get install {package}");
    assert!(std::env::var_os("CI").is_none(), "{line}");
    // Past the harness, which shows the output of failed tests alone.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("skipped: {line}\n").as_bytes(),
    );
    None
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

fn newest_postgres() -> Option<PathBuf> {
    let versions = fs::read_dir(POSTGRES_VERSIONS)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        });
    let found = versions
        .filter(|(_, binaries)| binaries.join("postgres").is_file())
        .max();
    found
        .map(|(_, binaries)| binaries)
        .or_else(|| Some(installed("postgres")?.parent()?.to_owned()))
}

/// Whom PostgreSQL runs as, where the test is root's: it refuses root.
fn unprivileged() -> Option<(u32, u32)> {
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    if is_root {
        of("postgres").or_else(|| of("nobody"))
    } else {
        None
    }
}

fn command(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.gid(gid).uid(uid);
    }
    command
}

/// A directory that goes with its server.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str, owner: Option<(u32, u32)>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("bailiwick-{name}-{process}-{number}"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        if let Some((uid, gid)) = owner {
            chown(&path, Some(uid), Some(gid)).unwrap();
        }
        Self(path)
    }

    /// Runs a program here; what it says goes to the log.
    fn spawn(&self, command: &mut Command) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.0.join("log"))
            .unwrap();
        let errors = log.try_clone().unwrap();
        let spawned = command
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.join("log")).unwrap_or_default()
    }

    fn await_ready(&self, process: &mut Child, is_ready: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_ready() {
            let is_over =
                process.try_wait().unwrap().is_some() || start.elapsed() > Duration::from_secs(30);
            assert!(!is_over, "the server did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
