//! Conversations with language servers of others, each of whose three standard handles is the
//! blocking end of a pipe of ours.

use std::path::PathBuf;
use std::process::{Child, Command};

use anonpipe::{End, Overlapped, Reader, Writer};
use futures::channel::mpsc::unbounded;
use futures::future::BoxFuture;
use tokio_util::codec::{FramedRead, FramedWrite};

use crate::Backend;
use crate::content_length::{ByHand, ContentLength, Receive, Transmit};
use crate::executor::Executor;
use crate::language_server::{Editor, Language, send_all};
use crate::limit::Limit;

/// Python; the server's threads block in reads and writes of their own.
const RUFF: Language = Language {
    server: "ruff",
    arguments: &["server"],
    name: "ruff",
    farewell: "Server shut down",
    language: "python",
    extension: "py",
    flawed: |line| format!("print(nobody_knows_{line})\n"),
    complaint: |line| format!("Undefined name `nobody_knows_{line}`"),
    crooked: |line| format!("print(  {line}  )\n"),
    straight: |line| format!("print({line})\n"),
};

/// TOML; the server is on tokio, and asks the editor questions of its own.
const TOMBI: Language = Language {
    server: "tombi",
    arguments: &["lsp", "--offline"],
    name: "Tombi",
    farewell: "stopped Tombi LSP server",
    language: "toml",
    extension: "toml",
    flawed: |line| format!("a_key_without_a_value_{line} =\n"),
    complaint: |_| "expected value".to_owned(),
    crooked: |line| format!("key{line}   =  [{line},  {line}]\n"),
    straight: |line| format!("key{line} = [{line}, {line}]\n"),
};

pub(crate) fn ruff_on_tokio(limit: &Limit, backend: Backend) {
    converse_on_tokio(limit, backend, &RUFF);
}

pub(crate) fn ruff_on_smol(limit: &Limit, backend: Backend) {
    converse_on_smol(limit, backend, &RUFF);
}

pub(crate) fn tombi_on_tokio(limit: &Limit, backend: Backend) {
    converse_on_tokio(limit, backend, &TOMBI);
}

pub(crate) fn tombi_on_smol(limit: &Limit, backend: Backend) {
    converse_on_smol(limit, backend, &TOMBI);
}

/// tokio's traits and a codec.
fn converse_on_tokio(limit: &Limit, backend: Backend, language: &'static Language) {
    let Server { child, stdin, stdout, mut stderr } = start(backend, language);
    let errors = async move {
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut text).await.expect("what it says on standard error");
        text
    };
    let (incoming, outgoing) = (FramedRead::new(stdout, ContentLength), FramedWrite::new(stdin, ContentLength));
    converse(Executor::Tokio, limit, language, child, incoming, outgoing, Box::pin(errors));
}

/// The traits of futures, and by hand.
fn converse_on_smol(limit: &Limit, backend: Backend, language: &'static Language) {
    let Server { child, stdin, stdout, mut stderr } = start(backend, language);
    let errors = async move {
        let mut text = String::new();
        futures::AsyncReadExt::read_to_string(&mut stderr, &mut text).await.expect("what it says on standard error");
        text
    };
    let (incoming, outgoing) = (ByHand(futures::io::BufReader::new(stdout)), ByHand(stdin));
    converse(Executor::Smol, limit, language, child, incoming, outgoing, Box::pin(errors));
}

fn converse(
    executor: Executor,
    limit: &Limit,
    language: &'static Language,
    mut child: Child,
    incoming: impl Receive,
    outgoing: impl Transmit,
    errors: BoxFuture<'static, String>,
) {
    let (said, to_say) = unbounded();
    let editor = Editor::new(incoming, said, limit.clone());
    executor.block_on(async {
        let errors = executor.spawn(errors);
        let sent = executor.spawn(send_all(outgoing, to_say));
        let outcome = executor.spawn(editor.converse(language)).await;
        limit.doing("waiting for the end of file on the server's standard error");
        let errors = errors.await;
        outcome.unwrap_or_else(|failure| panic!("{failure}\n{} said:\n{errors}", language.server));
        assert!(errors.contains(language.farewell), "no farewell: {errors}");
        limit.doing("closing the server's standard input");
        sent.await.expect("everything is sent");
    });
    limit.doing("waiting for the server to end");
    let status = child.wait().expect("how the server ended");
    assert!(status.success(), "{} ended with {status}", language.server);
}

struct Server {
    child: Child,
    stdin: Writer<Overlapped>,
    stdout: Reader<Overlapped>,
    stderr: Reader<Overlapped>,
}

fn start(backend: Backend, language: &Language) -> Server {
    let (stdin, childs_stdin) = backend.options().client(End::blocking()).outbound().expect("a pipe");
    let (stdout, childs_stdout) = backend.options().client(End::blocking()).inbound().expect("a pipe");
    let (stderr, childs_stderr) = backend.options().client(End::blocking()).inbound().expect("a pipe");
    let mut command = Command::new(program(language.server));
    command.args(language.arguments).stdin(childs_stdin).stdout(childs_stdout).stderr(childs_stderr);
    // No settings are up there.
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    let child = command.spawn().expect("the server");
    Server { child, stdin, stdout, stderr }
}

/// A program that `scripts/fetch-talkers` provides.
fn program(name: &str) -> PathBuf {
    let folder = std::env::var("ANONPIPE_TALKERS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/talkers").to_owned());
    // Under Wine, the name of a folder of the machine's lacks the drive where they are.
    let folder = if cfg!(windows) && folder.starts_with('/') { format!("Z:{folder}") } else { folder };
    let path = PathBuf::from(folder).join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: run scripts/fetch-talkers first", path.display());
    path
}
