//! What this process uses, according to the system.

pub(crate) use system::{allow_files, memory, threads};

#[cfg(unix)]
mod system {
    use std::io;

    /// How many threads this process has.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads() -> io::Result<u64> {
        status("Threads:")
    }

    /// How many bytes of memory this process has resident.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory() -> io::Result<u64> {
        Ok(status("VmRSS:")? * 1024)
    }

    #[cfg(target_os = "linux")]
    fn status(name: &str) -> io::Result<u64> {
        let text = std::fs::read_to_string("/proc/self/status")?;
        let number = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("/proc/self/status has no number for {name}")))
    }

    /// Other systems have no portable way to tell: the number of lines that ps prints for this
    /// process, less its heading.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn threads() -> io::Result<u64> {
        let every_thread = if cfg!(target_vendor = "apple") { "-M" } else { "-H" };
        let lines = u64::try_from(ps(&[every_thread])?.lines().count()).map_err(io::Error::other)?;
        lines.checked_sub(1).ok_or_else(|| io::Error::other("ps printed nothing"))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn memory() -> io::Result<u64> {
        // In units of 1024 bytes, on all of them.
        Ok(ps(&["-o", "rss="])?.trim().parse::<u64>().map_err(io::Error::other)? * 1024)
    }

    #[cfg(not(target_os = "linux"))]
    fn ps(arguments: &[&str]) -> io::Result<String> {
        let process = std::process::id().to_string();
        let output = std::process::Command::new("ps").args(arguments).args(["-p", &process]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Lets this process have `count` files open, if its user may.
    pub(crate) fn allow_files(count: u32) -> io::Result<()> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the struct is writable.
        if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let wanted = libc::rlim_t::from(count).min(limit.rlim_max);
        if limit.rlim_cur < wanted {
            limit.rlim_cur = wanted;
            // SAFETY: the struct is initialised.
            if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

#[cfg(windows)]
mod system {
    use std::io;
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

    use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
    use windows_sys::Win32::System::Diagnostics::ToolHelp::{
        CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
    };
    use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
    use windows_sys::Win32::System::Threading::GetCurrentProcess;

    /// How many threads this process has.
    pub(crate) fn threads() -> io::Result<u64> {
        // SAFETY: asks for the threads of all processes; there is no way to ask for those of one.
        let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
        if snapshot == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the handle is new and ours.
        let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
        let mut entry = THREADENTRY32 { dwSize: size_of_u32::<THREADENTRY32>()?, ..THREADENTRY32::default() };
        let mut count = 0;
        // SAFETY: an open snapshot, and an entry that says its size.
        let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
        while more != 0 {
            count += u64::from(entry.th32OwnerProcessID == std::process::id());
            // SAFETY: as above.
            more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
        }
        Ok(count)
    }

    /// How many bytes of memory this process has resident: its working set, which Wine takes from
    /// Linux (VmRSS).
    pub(crate) fn memory() -> io::Result<u64> {
        let mut counters = PROCESS_MEMORY_COUNTERS::default();
        let size = size_of_u32::<PROCESS_MEMORY_COUNTERS>()?;
        // SAFETY: takes nothing, and cannot fail.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: this process, and a struct of that size.
        if unsafe { K32GetProcessMemoryInfo(process, &raw mut counters, size) } == 0 {
            return Err(io::Error::last_os_error());
        }
        u64::try_from(counters.WorkingSetSize).map_err(io::Error::other)
    }

    fn size_of_u32<T>() -> io::Result<u32> {
        u32::try_from(size_of::<T>()).map_err(io::Error::other)
    }

    /// Windows has no such limit.
    #[expect(clippy::unnecessary_wraps, reason = "other systems' can fail")]
    pub(crate) fn allow_files(_count: u32) -> io::Result<()> {
        Ok(())
    }
}
