//! Runs the real program on ephemeral ports.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take on a machine busy with other tests.
const LIMIT: Duration = Duration::from_secs(20);

/// Flags that make every part listen on loopback ports of the system's choice.
pub(crate) const EPHEMERAL: [&str; 6] = [
    "--listen-web",
    "127.0.0.1:0",
    "--listen-turn",
    "127.0.0.1:0",
    "--listen-metrics",
    "127.0.0.1:0",
];

/// The program with nothing of this environment that it would read.
pub(crate) fn watari() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watari"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WATARI_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What the program answers when it ends by itself; one that goes on for 20 s is killed.
pub(crate) fn answer(arguments: &[&str]) -> Output {
    let mut command = watari();
    let mut child = command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A suite that runs on ephemeral ports; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    /// What it announced.
    pub(crate) announced: Value,
}

impl Running {
    pub(crate) fn start(state: &Path, more: &[&str]) -> Self {
        let state = ["--state", state.to_str().unwrap()];
        Self::start_as(&[&EPHEMERAL, &state[..], more].concat())
    }

    /// With these flags alone.
    pub(crate) fn start_as(flags: &[&str]) -> Self {
        let mut child = watari()
            .args(["up", "--json"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        if line.is_empty() {
            let mut errors = String::new();
            child
                .stderr
                .as_mut()
                .unwrap()
                .read_to_string(&mut errors)
                .unwrap();
            panic!("the suite did not start: {errors}");
        }
        Self {
            child,
            announced: serde_json::from_str(&line).unwrap(),
        }
    }

    /// The first URL announced under `part`.
    pub(crate) fn url(&self, part: &str) -> String {
        self.announced[part][0]
            .as_str()
            .unwrap_or_else(|| panic!("no {part}: {}", self.announced))
            .to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Waits for the end; returns the exit code, how long it took, and what was logged.
    pub(crate) fn wait(mut self) -> (Option<i32>, Duration, String) {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = self.child.try_wait().unwrap() {
                let took = start.elapsed();
                let mut log = String::new();
                self.child
                    .stderr
                    .as_mut()
                    .unwrap()
                    .read_to_string(&mut log)
                    .unwrap();
                return (status.code(), took, log);
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("still running after 20 s");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of a page; HTTP/1.0, so that the end of the body is the end of the connection.
pub(crate) fn page(url: &str) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    page_asked_for_as(host, url)
}

/// The same for a client that knows the server as `site`.
pub(crate) fn page_asked_for_as(site: &str, url: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {site}\r\n\r\n").unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A port of loopback that is free over UDP and TCP, as far as anyone can tell.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Relays take theirs above.
        if port < 49_152 && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder for one test, with a `state` folder that does not exist yet.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    (folder, state)
}
