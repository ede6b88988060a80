//! What only Unix has.

use std::ffi::OsStr;
use std::io;

use super::Command;

impl Command {
    /// Sets the child's user. If this program is root's and no [groups](Self::groups) are set, the
    /// child has no supplementary groups.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.system.uid(id);
        self
    }

    /// Sets the child's group.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.system.gid(id);
        self
    }

    /// Sets the child's supplementary groups. Only root may do so.
    pub fn groups(&mut self, ids: &[u32]) -> &mut Self {
        self.system.groups(ids);
        self
    }

    /// Sets what the child sees as its own name, its argument zero. Default: the program.
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.system.arg0(arg.as_ref());
        self
    }

    /// Puts the child into the process group of that number, or, for 0, into a new one of its own.
    /// Ctrl-C in a terminal does not reach the child then.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Self {
        self.system.process_group(pgroup);
        self
    }

    /// Whether the child begins a session of its own, which has no terminal. Default: no.
    pub fn setsid(&mut self, setsid: bool) -> &mut Self {
        self.system.setsid(setsid);
        self
    }

    /// Has the child call `f` between fork and exec; an error of it is the error of the spawn.
    ///
    /// Several are called in the order in which they were added.
    ///
    /// # Safety
    ///
    /// As for std's [`pre_exec`](std::os::unix::process::CommandExt::pre_exec): the child is a copy
    /// of this process with one thread, where any lock may be held for ever. So `f` must neither
    /// allocate nor lock, and may make only calls that are safe in a signal handler.
    #[allow(unsafe_code, reason = "the caller's promise is passed on")]
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller has promised it.
        unsafe { self.system.pre_exec(f) };
        self
    }
}
