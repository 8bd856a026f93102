//! Reports about the workspace: `cargo run -p xtask -- accuracy FOLDER` and `cargo run -p xtask -- bench`.

use anyhow::bail;
use std::env::args;
use xtask::{accuracy, bench};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["accuracy", folder] => print!("{}", accuracy::report(folder)?),
        ["bench"] => print!("{}", bench::report()?),
        _ => bail!("say `accuracy FOLDER` or `bench`"),
    }
    Ok(())
}
