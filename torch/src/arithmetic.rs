//! Checks of libtorch, of the devices it can use, and of how fast one core multiplies.

use std::path::{Path, PathBuf};
use tch::{Device, TchError, Tensor};
use thermoflow::console::check::{Check, SPEED_SIZE};

/// The libtorch that the Rust binding is made for.
const VERSION: &str = "2.13.0";
/// Which libtorch this is, what it can compute on, and how fast.
pub fn checks() -> Vec<Check> {
    let mut checks = vec![libtorch()];
    checks.extend(devices());
    checks.push(speed());
    checks
}

/// Which libtorch this process has loaded.
fn libtorch() -> Check {
    let name = "libtorch";
    let Some(library) = loaded_library() else {
        return Check::ok(name, "loaded (where from is only known on Linux)");
    };
    let place = library.display();
    let advice = format!("run `make libtorch`, or point LIBTORCH to version {VERSION}, and build again");
    match library.parent().and_then(Path::parent).and_then(version_of) {
        Some(version) if version == VERSION => Check::ok(name, format!("{version}, {place}")),
        Some(version) => Check::warn(name, format!("{version}, {place}: {VERSION} is expected"), advice),
        None => Check::warn(name, format!("{place}: its version is not recorded beside it"), advice),
    }
}

/// The file of libtorch's CPU half, from the process's memory map.
fn loaded_library() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        line.find('/')
            .map(|start| &line[start..])
            .filter(|p| p.contains("libtorch_cpu"))
    })?;
    Some(path.into())
}

/// A libtorch directory's version, from whichever record its distribution has.
fn version_of(directory: &Path) -> Option<String> {
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).ok();
    if let Some(version) = read("build-version") {
        return Some(version.trim().split('+').next()?.to_owned());
    }
    let header = read("include/torch/headeronly/version.h")?;
    let number = |part: &str| {
        let define = format!("#define TORCH_VERSION_{part} ");
        header
            .lines()
            .find_map(|line| line.strip_prefix(&define))
            .map(str::trim)
    };
    Some(format!(
        "{}.{}.{}",
        number("MAJOR")?,
        number("MINOR")?,
        number("PATCH")?
    ))
}

/// Which devices there are, and whether each computes.
fn devices() -> Vec<Check> {
    let mut checks = vec![computes("device cpu", Device::Cpu)];
    let gpus = tch::Cuda::device_count().max(0) as usize;
    if tch::Cuda::is_available() && gpus > 0 {
        checks.extend((0..gpus).map(|index| {
            let mut check = computes("device cuda", Device::Cuda(index));
            check.found = format!("cuda:{index}: {}", check.found);
            check
        }));
    } else {
        checks.push(no_cuda());
    }
    if tch::utils::has_mps() {
        checks.push(computes("device mps", Device::Mps));
    } else {
        checks.push(Check::ok("device mps", "none (only Macs have it)"));
    }
    checks
}

fn no_cuda() -> Check {
    let name = "device cuda";
    let has_gpu = Path::new("/dev/nvidia0").exists();
    if !has_gpu {
        return Check::ok(name, "none (not needed)");
    }
    let cuda_build = loaded_library().is_some_and(|library| library.with_file_name("libtorch_cuda.so").exists());
    if cuda_build {
        return Check::warn(
            name,
            "a GPU is here, but libtorch cannot use it",
            "update the NVIDIA driver",
        );
    }
    let advice =
        format!("for training on it: pip install torch=={VERSION}, then build again with its directory as LIBTORCH");
    Check::warn(name, "a GPU is here, but this libtorch is for CPUs only", advice)
}

/// A product whose answer is known.
fn computes(name: &'static str, device: Device) -> Check {
    let product = || -> Result<Vec<f32>, TchError> {
        let a = Tensor::f_from_slice(&[1f32, 2.0, 3.0, 4.0])?
            .f_reshape([2, 2])?
            .f_to_device(device)?;
        let product = a.f_matmul(&a)?.f_to_device(Device::Cpu)?.f_reshape([4])?;
        Vec::try_from(&product)
    };
    let advice = "train on another device (learner.device, actor.device), or repair this one";
    match product() {
        Ok(answer) if answer == [7.0, 10.0, 15.0, 22.0] => Check::ok(name, "computes"),
        Ok(answer) => Check::fail(name, format!("[1 2; 3 4]² is wrong: {answer:?}"), advice),
        Err(error) => {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            Check::fail(name, format!("does not compute: {first}"), advice)
        }
    }
}

/// Speed of libtorch's products on one thread.
fn speed() -> Check {
    let before = tch::get_num_threads();
    tch::set_num_threads(1);
    let side = SPEED_SIZE as i64;
    let a = Tensor::ones([side, side], (tch::Kind::Float, Device::Cpu));
    let check = Check::speed("speed of libtorch", || drop(a.matmul(&a)));
    tch::set_num_threads(before);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_either_record() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(version_of(directory.path()), None);
        let header = directory.path().join("include/torch/headeronly");
        std::fs::create_dir_all(&header).unwrap();
        let text = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13\n#define TORCH_VERSION_PATCH 1\n";
        std::fs::write(header.join("version.h"), text).unwrap();
        assert_eq!(version_of(directory.path()).as_deref(), Some("2.13.1"));
        std::fs::write(directory.path().join("build-version"), "2.13.0+cu130\n").unwrap();
        assert_eq!(version_of(directory.path()).as_deref(), Some("2.13.0"));
    }
}
