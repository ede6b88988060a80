//! How the shared library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let vendor = std::env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    let environment = std::env::var("CARGO_CFG_TARGET_ENV").unwrap_or_default();
    if environment == "msvc" {
        // The command anonpipe.exe, linked at the same time into the same folder, has an anonpipe.pdb of its own.
        let folder = std::env::var("OUT_DIR").unwrap_or_default();
        println!("cargo:rustc-cdylib-link-arg=/PDB:{folder}\\anonpipe_dll.pdb");
    }
    if vendor == "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libanonpipe.dylib");
    } else if system != "windows" {
        // A thread of ours may be running in it, so it stays in the process after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
