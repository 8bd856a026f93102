//! Checks of the workspace itself: which crate may use which, how long files are, which licences come in; and the
//! reports that it prints about its accuracy and speed.

pub mod accuracy;
pub mod bench;
pub mod layers;
pub mod licences;
pub mod machine;
pub mod markdown;
pub mod tidy;
