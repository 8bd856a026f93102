//! Writes the seeds of every fuzz target into FOLDER/TARGET: `fuzz-seeds FOLDER`.

use fuzz_bodies::{TARGETS, seeds};
use std::{fs, io, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("fuzz-seeds: name a folder");
        return ExitCode::from(2);
    };
    match write_all(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "fuzz-seeds: cannot write into {}: {error}",
                folder.display()
            );
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &Path) -> io::Result<()> {
    for (target, _) in TARGETS {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (idx, seed) in seeds::of(target).iter().enumerate() {
            fs::write(folder.join(format!("seed-{idx}")), seed)?;
        }
    }
    Ok(())
}
