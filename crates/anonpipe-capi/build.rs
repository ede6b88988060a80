//! How the shared library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=ANONPIPE_SONAME");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let vendor = std::env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    let environment = std::env::var("CARGO_CFG_TARGET_ENV").unwrap_or_default();
    if environment == "msvc" {
        // The command anonpipe.exe, linked at the same time into the same folder, has an
        // anonpipe.pdb of its own.
        let folder = std::env::var("OUT_DIR").unwrap_or_default();
        println!("cargo:rustc-cdylib-link-arg=/PDB:{folder}\\anonpipe_dll.pdb");
    }
    let processor = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if system == "windows" && environment == "gnu" && processor == "x86" {
        // On 32-bit x86 a C compiler asks for a function of this calling convention by this name,
        // and rustc exports it by the plain one alone. The plain name stays, for those who look it
        // up in the DLL.
        let exports = format!("{}/stdcall.def", std::env::var("OUT_DIR").unwrap_or_default());
        std::fs::write(&exports, "EXPORTS\n    MyCreatePipeEx@24\n").expect("cargo's own folder can be written");
        println!("cargo:rustc-cdylib-link-arg={exports}");
    }
    if vendor == "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libanonpipe.dylib");
    } else if system != "windows" {
        // A thread of ours may be running in it, so it stays in the process after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // Under which name programs look for it at run time. install.sh gives it that name, and so
        // sets this; cargo-c has ways of its own.
        if std::env::var_os("ANONPIPE_SONAME").is_some() {
            let series = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libanonpipe.so.{series}");
        }
    }
}
