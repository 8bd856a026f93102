//! The fenced examples of the documentation: where they stand, what each is for, and what completes a fragment to a whole file.

mod block;
mod command;
mod kind;
mod whole;

pub use block::{Block, blocks, root};
pub use command::{commands, without_redirection};
pub use kind::Kind;
pub use whole::{File, files};
