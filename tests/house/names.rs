//! Each public name has one home: its room. The root repeats the paved path, thirty names at most.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn parse(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    syn::parse_file(&text).unwrap()
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "hidden")
    })
}

/// The names at the end of a `pub use`, each as it is called from outside.
fn leaves(tree: &syn::UseTree, names: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree, names),
        syn::UseTree::Name(name) => names.push(name.ident.to_string()),
        syn::UseTree::Rename(name) => names.push(name.rename.to_string()),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, names)),
        syn::UseTree::Glob(_) => panic!("a room lists its names one by one"),
    }
}

/// The names that a module exports itself, and its public modules.
fn exports(items: &[syn::Item]) -> (Vec<String>, Vec<&syn::ItemMod>) {
    let (mut names, mut modules) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            syn::Item::Use(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                leaves(&item.tree, &mut names);
            }
            syn::Item::Mod(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                modules.push(item);
            }
            syn::Item::Const(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            syn::Item::Enum(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            syn::Item::Fn(item) if is_public(&item.vis) => names.push(item.sig.ident.to_string()),
            syn::Item::Struct(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            syn::Item::Trait(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            syn::Item::Type(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            _ => {}
        }
    }

    (names, modules)
}

/// Every public module below one, with the names that it exports.
fn walk(
    module: &str,
    items: &[syn::Item],
    folder: &Path,
    found: &mut BTreeMap<String, Vec<String>>,
) {
    let (names, modules) = exports(items);
    found.insert(module.to_owned(), names);
    for child in modules {
        let name = format!("{module}::{}", child.ident);
        let folder = folder.join(child.ident.to_string());
        match &child.content {
            Some((_, items)) => walk(&name, items, &folder, found),
            None => walk(
                &name,
                &parse(&folder.with_extension("rs")).items,
                &folder,
                found,
            ),
        }
    }
}

/// The names that macros put at the root.
fn macros(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                for item in parse(&path).items {
                    if let syn::Item::Macro(item) = item
                        && item.attrs.iter().any(|a| a.path().is_ident("macro_export"))
                        && !is_hidden(&item.attrs)
                    {
                        names.push(item.ident.unwrap().to_string());
                    }
                }
            }
        }
    }

    names
}

fn public_names() -> BTreeMap<String, Vec<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(
        "bailiwick",
        &parse(&source.join("lib.rs")).items,
        &source,
        &mut found,
    );

    found
}

#[test]
fn the_root_repeats_the_paved_path_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut root = public_names().remove("bailiwick").unwrap();
    root.extend(macros(&source));
    let root = BTreeSet::from_iter(root);

    assert!(
        root.len() <= 30,
        "{} names at the root: {root:?}",
        root.len()
    );
    assert!(
        root.contains("Access") && root.contains("table"),
        "the reader has gone blind"
    );
}

#[test]
fn each_name_is_exported_by_one_room() {
    let mut rooms = public_names();
    rooms.remove("bailiwick");

    // Twin rooms offer the same under the same names, each for a framework or provider of its own.
    let twins = [
        ["bailiwick::actix", "bailiwick::axum"],
        ["bailiwick::provider::paypal", "bailiwick::provider::stripe"],
    ];
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    for (room, names) in rooms {
        for name in names {
            let other = homes.insert(name.clone(), room.clone());
            let is_twin = |other: &String| twins.contains(&[other.as_str(), room.as_str()]);
            assert!(
                other.as_ref().is_none_or(is_twin),
                "{name} is exported by {room} and by {other:?}"
            );
        }
    }
    assert!(
        homes.len() > 200,
        "only {} names: the reader has gone blind",
        homes.len()
    );
}

#[test]
fn nothing_imports_the_whole_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let glob = ["bailiwick", "::*"].concat();
    let mut folders: Vec<PathBuf> = ["src", "examples", "tests", "benches", "fuzz"]
        .map(|folder| root.join(folder))
        .into();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(
        !readme.contains(&glob),
        "README.md hides the crates axum and sea_query"
    );
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "rs" || extension == "md")
            {
                let text = fs::read_to_string(&path).unwrap();
                assert!(
                    !text.contains(&glob),
                    "{path:?} hides the crates axum and sea_query"
                );
            }
        }
    }
}
