//! The same source does the same with `tokio::process` and with ours: what `ordinary.rs` has is
//! compiled twice, and two `use`s are the difference.

mod with_tokio {
    use std::process::Stdio;
    use tokio::process::{Child, ChildStdin, ChildStdout, Command};

    include!("same_source/ordinary.rs");
}

mod with_ours {
    use anonpipe::process::Stdio;
    use anonpipe::process::{Child, ChildStdin, ChildStdout, Command};

    include!("same_source/ordinary.rs");
}

pub(crate) fn ordinary_programs_do_the_same_as_with_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let theirs = runtime.block_on(with_tokio::ordinary());
    let ours = runtime.block_on(with_ours::ordinary());
    assert_eq!(ours, theirs);
    assert!(ours.len() >= 10, "{ours:?}");
}
