//! Starts children, by `std::process::Command`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::in_child::{Identity, InChild};
use super::{Child, parent_death};
use crate::sys::{ChildStdio, SpawnOptions};

/// A program, its arguments and its environment; makes any number of children.
#[derive(Debug)]
pub(crate) struct Builder {
    std: Command,
    identity: Identity,
    /// The process group that was asked for by number.
    group: Option<i32>,
    setsid: bool,
    /// What the child does itself, if it has to do anything.
    in_child: InChild,
}

impl Builder {
    pub(crate) fn new(program: &OsStr) -> Self {
        Self {
            std: Command::new(program),
            identity: Identity::default(),
            group: None,
            setsid: false,
            in_child: InChild::default(),
        }
    }

    pub(crate) fn arg(&mut self, arg: &OsStr) {
        self.std.arg(arg);
    }

    pub(crate) fn env(&mut self, key: &OsStr, value: &OsStr) {
        self.std.env(key, value);
    }

    pub(crate) fn env_remove(&mut self, key: &OsStr) {
        self.std.env_remove(key);
    }

    pub(crate) fn env_clear(&mut self) {
        self.std.env_clear();
    }

    pub(crate) fn current_dir(&mut self, dir: &Path) {
        self.std.current_dir(dir);
    }

    pub(crate) fn program(&self) -> &OsStr {
        self.std.get_program()
    }

    pub(crate) fn args(&self) -> impl Iterator<Item = &OsStr> {
        self.std.get_args()
    }

    pub(crate) fn envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.std.get_envs()
    }

    pub(crate) fn dir(&self) -> Option<&Path> {
        self.std.get_current_dir()
    }

    pub(crate) fn arg0(&mut self, arg: &OsStr) {
        self.std.arg0(arg);
    }

    pub(crate) fn uid(&mut self, id: u32) {
        self.identity.uid = Some(id);
    }

    pub(crate) fn gid(&mut self, id: u32) {
        self.identity.gid = Some(id);
    }

    pub(crate) fn groups(&mut self, ids: &[u32]) {
        self.identity.groups = Some(ids.to_vec());
    }

    pub(crate) fn process_group(&mut self, group: i32) {
        self.group = Some(group);
    }

    pub(crate) fn setsid(&mut self, setsid: bool) {
        self.setsid = setsid;
    }

    /// # Safety
    ///
    /// As for std's method of this name.
    pub(crate) unsafe fn pre_exec(&mut self, run: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
        // SAFETY: the caller has promised what std asks for.
        unsafe { self.std.pre_exec(run) };
    }

    /// Whether a child would lead a process group, or session, of its own.
    pub(crate) fn leads_group(&self) -> bool {
        self.setsid || self.group == Some(0)
    }

    /// Starts a child. Keeps none of its handles.
    pub(crate) fn spawn(&mut self, stdio: [ChildStdio; 3], options: &SpawnOptions) -> io::Result<Child> {
        let leads_group = options.own_group || self.leads_group();
        self.choose_group(options.own_group);
        self.in_child.prepare(&mut self.std, &self.identity, self.setsid, options);
        let [stdin, stdout, stderr] = stdio.map(into_std);
        self.std.stdin(stdin).stdout(stdout).stderr(stderr);
        let spawned = if options.die_with_parent { parent_death::spawn(&mut self.std) } else { self.std.spawn() };
        // Otherwise the ends would stay open as long as the command.
        self.std.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.in_child.forget();
        Child::new(spawned?.id(), leads_group)
    }

    fn choose_group(&mut self, own: bool) {
        if self.setsid {
            // The leader of a group cannot make a session, and a session is a group, too.
            return;
        }
        if own || self.group.is_some() {
            self.std.process_group(if own { 0 } else { self.group.unwrap_or(0) });
            self.in_child.has_group = true;
        } else if self.in_child.has_group {
            // std cannot take it back; this process's own group is what a child is in anyway.
            self.std.process_group(rustix::process::getpgrp().as_raw_nonzero().get());
        }
    }
}

fn into_std(stdio: ChildStdio) -> Stdio {
    match stdio {
        ChildStdio::Inherit => Stdio::inherit(),
        ChildStdio::Null => Stdio::null(),
        ChildStdio::Handle(fd) => Stdio::from(fd),
    }
}
