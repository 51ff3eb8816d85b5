//! The root of the tree, wherever the package that runs these tests stands in it.

use std::path::{Path, PathBuf};

/// Returns the path of a file or folder below the root of the tree.
pub fn in_tree(path: impl AsRef<Path>) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package
        .ancestors()
        .find(|folder| folder.join("src/manual").is_dir())
        .expect("the tests stand below the root of the tree");
    root.join(path)
}
