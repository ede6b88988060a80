//! The environment of a child: this process's own, with changes.
//!
//! # References
//!
//! - [Environment Variables]
//! - [`CompareStringOrdinal`]
//!
//! [Environment Variables]: https://learn.microsoft.com/en-us/windows/win32/procthread/environment-variables
//! [`CompareStringOrdinal`]: https://learn.microsoft.com/en-us/windows/win32/api/stringapiset/nf-stringapiset-comparestringordinal

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt;

use windows_sys::Win32::Globalization::{CSTR_EQUAL, CSTR_LESS_THAN, CompareStringOrdinal};

use super::units;

/// What is different from this process's environment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    is_cleared: bool,
    /// `None`: removed.
    changes: BTreeMap<Name, Option<OsString>>,
}

/// The name of a variable, compared as the system does: without regard to case.
#[derive(Debug, Clone)]
struct Name(OsString);

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let units = |name: &Self| name.0.encode_wide().collect::<Vec<u16>>();
        let (this, other) = (units(self), units(other));
        let length = |units: &[u16]| i32::try_from(units.len()).unwrap_or(i32::MAX);
        // SAFETY: two strings of the lengths that are given.
        let order = unsafe { CompareStringOrdinal(this.as_ptr(), length(&this), other.as_ptr(), length(&other), 1) };
        match order {
            CSTR_LESS_THAN => Ordering::Less,
            CSTR_EQUAL => Ordering::Equal,
            _ => Ordering::Greater,
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Name {}

impl Environment {
    pub(super) fn set(&mut self, key: &OsStr, value: &OsStr) {
        self.change(key, Some(value.to_owned()));
    }

    pub(super) fn remove(&mut self, key: &OsStr) {
        if self.is_cleared {
            self.changes.remove(&Name(key.to_owned()));
        } else {
            self.change(key, None);
        }
    }

    /// The last spelling of a name counts.
    fn change(&mut self, key: &OsStr, value: Option<OsString>) {
        let name = Name(key.to_owned());
        self.changes.remove(&name);
        self.changes.insert(name, value);
    }

    pub(super) fn clear(&mut self) {
        self.is_cleared = true;
        self.changes.clear();
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.changes.iter().map(|(name, value)| (name.0.as_os_str(), value.as_deref()))
    }

    /// The child's own `PATH`, if it does not have this process's.
    pub(super) fn path(&self) -> Option<&OsStr> {
        self.changes.get(&Name("PATH".into()))?.as_deref()
    }

    /// All variables, as the system expects them. `None`: those of this process.
    pub(super) fn block(&self) -> io::Result<Option<Vec<u16>>> {
        if !self.is_cleared && self.changes.is_empty() {
            return Ok(None);
        }
        let mut all = BTreeMap::new();
        if !self.is_cleared {
            all.extend(env::vars_os().map(|(key, value)| (Name(key), value)));
        }
        for (name, value) in &self.changes {
            all.remove(name);
            if let Some(value) = value {
                all.insert(name.clone(), value.clone());
            }
        }
        let mut block = Vec::new();
        for (name, value) in all {
            let name = units(&name.0)?;
            // The first unit may be one: the system has such variables of its own.
            if name.is_empty() || name[1..].contains(&u16::from(b'=')) {
                let why = "the name of a variable cannot be empty, and cannot contain an equals sign";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            block.extend(name);
            block.push(u16::from(b'='));
            block.extend(units(&value)?);
            block.push(0);
        }
        if block.is_empty() {
            block.push(0);
        }
        block.push(0);
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;

    fn block(environment: &Environment) -> String {
        String::from_utf16(&environment.block().expect("a block").expect("changes")).expect("text")
    }

    #[test]
    fn a_block_is_sorted_and_the_case_of_names_does_not_count() {
        let mut environment = Environment::default();
        assert!(environment.block().expect("a block").is_none());
        environment.clear();
        assert_eq!(block(&environment), "\0\0");
        environment.set("b".as_ref(), "1".as_ref());
        environment.set("_".as_ref(), "2".as_ref());
        environment.set("A".as_ref(), "3".as_ref());
        environment.set("B".as_ref(), "4".as_ref());
        assert_eq!(block(&environment), "A=3\0B=4\0_=2\0\0");
        environment.remove("a".as_ref());
        assert_eq!(block(&environment), "B=4\0_=2\0\0");
        environment.set("x=y".as_ref(), "".as_ref());
        assert!(environment.block().is_err());
    }

    #[test]
    fn what_is_removed_is_not_inherited() {
        let mut environment = Environment::default();
        environment.remove("path".as_ref());
        environment.set("ANONPIPE_NEW".as_ref(), "1".as_ref());
        let block = block(&environment).to_uppercase();
        assert!(!block.contains("\0PATH=") && !block.starts_with("PATH="), "{block}");
        assert!(block.contains("ANONPIPE_NEW=1\0"));
        assert!(block.contains("SYSTEMROOT="));
    }
}
