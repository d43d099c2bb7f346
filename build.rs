//! Build script of the packages with programs that have libtorch: they find it without `LD_LIBRARY_PATH`.
//!
//! A build script's link arguments reach only its own package's targets, hence one script that several packages name.

use std::env;
use std::path::{Path, PathBuf};

/// What is printed when there is no libtorch.
const HOW_TO_GET_IT: &str = "run `make libtorch`, or set LIBTORCH to a directory with libtorch 2.13.0";

fn main() {
    println!("cargo::rerun-if-changed={}", workspace().join("build.rs").display());
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=LIBTORCH_LIB");
    watch_page();
    let lib = lib_dir();
    println!("cargo::rerun-if-changed={}", lib.display());
    match lib.canonicalize() {
        Ok(real) if has_libtorch(&real) => link(&lib, &real),
        _ => println!("cargo::error=no libtorch in {}: {HOW_TO_GET_IT}", lib.display()),
    }
}

/// `inspect` holds a page that npm builds: a new one is a new program. Its directory is made here, because Cargo takes a
/// missing one for a change, each time.
fn watch_page() {
    let page = PathBuf::from("web/dist");
    if Path::new("web").is_dir() && std::fs::create_dir_all(&page).is_ok() {
        println!("cargo::rerun-if-changed={}", page.display());
    }
}

/// Prints the link arguments. `real` is `lib` with symbolic links followed.
fn link(lib: &Path, real: &Path) {
    // The link first, so that pointing `.libtorch` elsewhere takes effect without a rebuild; then where it leads today,
    // so that programs outlive the checkout.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if real != lib {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", real.display());
    }
    // No symbol names libtorch's GPU half: without this the linker would drop it, and CUDA would seem unavailable.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        let target = target();
        println!("cargo::rustc-link-arg{target}=-Wl,--no-as-needed");
        println!("cargo::rustc-link-arg{target}=-ltorch");
    }
}

/// Which of the package's programs has libtorch; some have a twin without it, which starts faster.
fn target() -> &'static str {
    match env::var("CARGO_PKG_NAME").as_deref() {
        Ok("thermoflow-actors") => "-bin=thermoflow-actor-torch",
        Ok("thermoflow-inspect") => "-bin=thermoflow-replay-torch",
        Ok("thermoflow-learner") => "-bin=thermoflow-learner",
        _ => "",
    }
}

/// The directory of the libraries that `torch-sys` links, by the same rules.
fn lib_dir() -> PathBuf {
    let from_env = |name| env::var_os(name).filter(|value| !value.is_empty());
    let libtorch = from_env("LIBTORCH_LIB")
        .or_else(|| from_env("LIBTORCH"))
        .unwrap_or_else(|| ".libtorch".into());
    workspace().join(libtorch).join("lib")
}

/// The workspace's root: this package's directory or the one above it. `fuzz/` has a lock of its own and no build script.
fn workspace() -> PathBuf {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file() && dir.join("build.rs").is_file())
        .unwrap_or(&package)
        .to_path_buf()
}

fn has_libtorch(dir: &Path) -> bool {
    ["libtorch.so", "libtorch.dylib"]
        .iter()
        .any(|name| dir.join(name).is_file())
}
