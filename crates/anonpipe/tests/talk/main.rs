//! Real talk over the overlapped ends, through the async traits: with language servers of others,
//! between parent and child in frames that flood both directions, and inside one process through
//! what tokio, tokio-util and futures make of any reader and writer.
//!
//! A test's name is `talk::TOPIC::RULE::BACKEND`. Every rule has a time limit, and says what it was
//! doing when it hangs. The language servers come from `scripts/fetch-talkers`.

#![allow(missing_docs, reason = "a rule's name says what it is about")]

#[path = "../conformance/backend.rs"]
#[allow(dead_code, reason = "the conformance tests use the rest")]
mod backend;
mod content_length;
mod executor;
mod frames;
mod language_server;
mod limit;

mod children;
mod copies;
mod floods;
mod lines;
mod servers;

use backend::Backend;

/// Declares tests, each on every way to make a pair that this system has.
macro_rules! rules {
    ($($topic:ident { $($rule:ident),+ $(,)? })+) => {$(
        mod $topic {$(
            mod $rule {
                #[cfg(unix)]
                rules!(@one $topic $rule unix = Unix);
                #[cfg(windows)]
                rules!(@one $topic $rule unnamed = Unnamed);
                #[cfg(windows)]
                rules!(@one $topic $rule named = Named);
            }
        )+}
    )+};
    (@one $topic:ident $rule:ident $name:ident = $backend:ident) => {
        #[test]
        fn $name() {
            let name = concat!("talk::", stringify!($topic), "::", stringify!($rule), "::", stringify!($name));
            crate::limit::limited(name, |limit| crate::$topic::$rule(limit, crate::Backend::$backend));
        }
    };
}

mod talk {
    rules! {
        servers {
            ruff_on_tokio,
            ruff_on_smol,
            tombi_on_tokio,
            tombi_on_smol,
        }
        children {
            frames_over_a_childs_stdin,
            frames_over_an_inherited_handle,
            what_a_child_flushed_survives_it,
        }
        floods {
            frames_on_both_ends,
            frames_on_split_ends,
            frames_through_the_compat_layer_on_smol,
        }
        copies {
            tokios_copy_bidirectional,
            tokios_copy,
            futures_copy,
            streams_of_chunks,
        }
        lines {
            of_tokio,
            of_futures,
            of_futures_through_the_compat_layer_on_tokio,
        }
    }
}
