//! What a child belongs to, and with whom it ends.

use super::Command;

impl Command {
    /// Whether the child gets a process group (Unix) or a job (Windows) of its own, so that what it
    /// starts can be ended with it: for [`kill_tree`](crate::process::Child::kill_tree) and
    /// [`terminate`](crate::process::Child::terminate). Default: no.
    ///
    /// Ctrl-C in a terminal or console does not reach such a child. Calls that kill it without
    /// being told by name ([`kill_on_drop`](Self::kill_on_drop), [`timeout`](Self::timeout)) kill
    /// its group.
    ///
    /// # Platform notes
    ///
    /// What leaves the group is out of reach: on Unix by `setsid` or `setpgid`. On Windows it is a
    /// new process group as well, in which Ctrl-C is ignored until the program asks for it.
    ///
    /// # References
    ///
    /// - [setpgid(2)](https://man7.org/linux/man-pages/man2/setpgid.2.html)
    /// - [Job Objects]
    /// - [Process Creation Flags], `CREATE_NEW_PROCESS_GROUP`
    ///
    /// [Job Objects]: https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
    /// [Process Creation Flags]: https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags
    pub fn own_group(&mut self, own: bool) -> &mut Self {
        self.own_group = own;
        self
    }

    /// Whether the system ends the child when this process has ended, in any way. Default: no.
    ///
    /// # Platform notes
    ///
    /// - *Linux, Android, FreeBSD*: the child alone, not what it has started, and not if it runs a
    ///   program with other privileges (set-user-ID and the like). It is started by a thread of
    ///   this crate that does not end, because on Linux the end of the thread counts.
    /// - *Windows*: the child and what it has started, by a job that is closed with this process.
    ///   When the child has ended by itself, that is called off.
    /// - *Elsewhere* the spawn fails with [`Unsupported`](std::io::ErrorKind::Unsupported).
    ///
    /// # References
    ///
    /// - [PR_SET_PDEATHSIG(2const)]
    /// - [procctl(2)](https://man.freebsd.org/cgi/man.cgi?query=procctl&sektion=2)
    /// - [Job Objects]
    ///
    /// [PR_SET_PDEATHSIG(2const)]: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    /// [Job Objects]: https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects
    pub fn die_with_parent(&mut self, die: bool) -> &mut Self {
        self.die_with_parent = die;
        self
    }

    /// Whether dropping the [`Child`](crate::process::Child) kills it. Default: no.
    ///
    /// It is killed at once, with its [group](Self::own_group) if it has one, and does not stay as
    /// a zombie.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Whether dropping the [`Child`](crate::process::Child) kills it.
    #[must_use]
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }
}
