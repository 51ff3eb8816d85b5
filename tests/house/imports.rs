//! No import runs up a floor, and none goes in a circle, inside a room too.
//!
//! Every file below `src/` is parsed, and each path that it names, in a `use`, a signature or a
//! macro, is followed through re-exports to the file that defines what it names. That file is
//! imported. A room's page that lists its own children imports nothing by that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// The rooms by floor, ground first, as ARCHITECTURE.md draws them. A room may import from its own
/// floor and from the floors below.
const FLOORS: &[&[&str]] = &[
    &[
        "change",
        "digest",
        "id",
        "money",
        "payment_method",
        "period",
        "problem",
        "quota",
        "right",
    ],
    &["account", "plan", "policy"],
    &["paid_time", "subscription"],
    &["tenant"],
    &["gate"],
    &["credit", "scope", "throttle"],
    &[
        "bank_transfer",
        "charge",
        "danger",
        "provider",
        "registration",
    ],
    &["actix", "axum", "governor", "http", "migration", "testkit"],
];

/// A path from the crate's root: `["credit", "Wallet"]`.
type Name = Vec<String>;

/// What the source says of itself.
#[derive(Default)]
struct House {
    /// Modules, and the file that each stands in.
    modules: BTreeMap<Name, String>,
    /// Definitions, and the file that each stands in.
    definitions: BTreeMap<Name, String>,
    /// Names that are exported, and what each stands for.
    exports: BTreeMap<Name, Name>,
    /// The importing file, and the name that it imports.
    imports: Vec<(String, Name)>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut house = Self::default();
        let mut files = Vec::new();
        collect(&root, &mut files);
        for path in files {
            let file = path.strip_prefix(&root).unwrap();
            let module: Name = file
                .with_extension("")
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .filter(|part| part != "lib")
                .collect();
            let file = file.to_str().unwrap().replace('\\', "/");
            house.modules.insert(module.clone(), file.clone());
            let source = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            Reader {
                house: &mut house,
                file,
                module,
            }
            .visit_file(&source);
        }

        house
    }

    /// The file that defines what a path names. Where a macro makes the definition, that is the file
    /// of the module that holds it.
    fn definition(&self, path: &[String], steps: usize) -> Option<&str> {
        // An export that leads back to itself, such as a module that exports its own child.
        if steps == 0 {
            return None;
        }

        let mut module = None;
        for length in 1..=path.len() {
            let (start, rest) = path.split_at(length);
            let is_module = self.modules.contains_key(start);
            // A function may be called like the module beside it; what goes on is the module.
            if let Some(target) = self.exports.get(start)
                && (rest.is_empty() || !is_module)
            {
                let target: Name = target.iter().chain(rest).cloned().collect();
                if target != path
                    && let Some(file) = self.definition(&target, steps - 1)
                {
                    return Some(file);
                }
            }
            if !is_module {
                let definition = self.definitions.get(start).map(String::as_str);
                return definition.or(module);
            }
            module = self.modules.get(start).map(String::as_str);
        }

        module
    }

    /// What each file imports: the other file, and the names by which it does.
    fn imports(&self) -> BTreeMap<&str, BTreeMap<&str, BTreeSet<String>>> {
        let mut imports: BTreeMap<&str, BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
        for (file, name) in &self.imports {
            // The front page lists what the rooms export, and no room imports from it.
            let Some(other) = self.definition(name, 20) else {
                continue;
            };
            if file != "lib.rs" && other != "lib.rs" && other != file {
                let names = imports.entry(file).or_default().entry(other).or_default();
                names.insert(name.join("::"));
            }
        }

        imports
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Reads one file into the house.
struct Reader<'h> {
    house: &'h mut House,
    file: String,
    module: Name,
}

impl Reader<'_> {
    fn define(&mut self, name: &syn::Ident) {
        let mut path = self.module.clone();
        path.push(name.to_string());
        self.house.definitions.insert(path, self.file.clone());
    }

    fn import(&mut self, name: Name) {
        self.house.imports.push((self.file.clone(), name));
    }

    /// A path from the root; `None` where it does not begin with `crate`, `self` or `super`.
    fn absolute(&self, path: &[String]) -> Option<Name> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.parent(),
            _ => return None,
        };
        let ups = rest.iter().take_while(|part| *part == "super").count();
        at.truncate(at.len().saturating_sub(ups));
        at.extend_from_slice(&rest[ups..]);

        Some(at)
    }

    fn parent(&self) -> Name {
        self.module
            .split_last()
            .map(|(_, parent)| parent.to_vec())
            .unwrap_or_default()
    }

    /// A path that a file names without `crate` may begin with one of its own modules or imports.
    fn resolve(&self, path: &[String]) -> Name {
        self.absolute(path)
            .unwrap_or_else(|| [&self.module[..], path].concat())
    }

    /// Paths within a macro's tokens: whatever begins with `crate`, `self` or `super`.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Name = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                }
                other => {
                    self.import_tokens(std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Group(group) => self.read_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.import_tokens(path);
    }

    fn import_tokens(&mut self, path: Name) {
        if path.len() > 1
            && let Some(name) = self.absolute(&path)
        {
            self.import(name);
        }
    }
}

/// Every name at the end of a `use`, with the name that it is given here.
fn leaves(tree: &syn::UseTree, mut path: Name, found: &mut Vec<(Name, String)>) {
    match tree {
        syn::UseTree::Path(part) => {
            path.push(part.ident.to_string());
            leaves(&part.tree, path, found);
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            let last = path.last().cloned().unwrap_or_default();
            found.push((path, last));
        }
        syn::UseTree::Name(name) => {
            path.push(name.ident.to_string());
            found.push((path, name.ident.to_string()));
        }
        syn::UseTree::Rename(name) => {
            path.push(name.ident.to_string());
            found.push((path, name.rename.to_string()));
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, path.clone(), found);
            }
        }
        // A glob of this crate would hide what it imports; one of another crate is no import here.
        syn::UseTree::Glob(_) => {
            let first = path.first().map(String::as_str);
            let is_own = matches!(first, Some("crate" | "self" | "super"));
            assert!(!is_own, "{}::* hides what it imports", path.join("::"));
        }
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item(&mut self, item: &'a syn::Item) {
        match item {
            syn::Item::Const(item) => self.define(&item.ident),
            syn::Item::Enum(item) => self.define(&item.ident),
            syn::Item::Fn(item) => self.define(&item.sig.ident),
            syn::Item::Static(item) => self.define(&item.ident),
            syn::Item::Struct(item) => self.define(&item.ident),
            syn::Item::Trait(item) => self.define(&item.ident),
            syn::Item::Type(item) => self.define(&item.ident),
            syn::Item::Mod(item) if item.content.is_some() => {
                let outside = self.module.clone();
                self.module.push(item.ident.to_string());
                self.house
                    .modules
                    .insert(self.module.clone(), self.file.clone());
                syn::visit::visit_item_mod(self, item);
                self.module = outside;
                return;
            }
            _ => {}
        }
        syn::visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let is_export = !matches!(item.vis, syn::Visibility::Inherited);
        let mut found = Vec::new();
        leaves(&item.tree, Vec::new(), &mut found);
        for (path, name) in found {
            let target = self.resolve(&path);
            let is_own = target.len() > self.module.len() && target.starts_with(&self.module);
            if is_export {
                let mut exported = self.module.clone();
                exported.push(name);
                self.house.exports.insert(exported, target.clone());
            }
            if !(is_export && is_own) {
                self.import(target);
            }
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Name = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if names.len() > 1 {
            self.import(self.resolve(&names));
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        self.read_tokens(item.tokens.clone());
        syn::visit::visit_macro(self, item);
    }

    // `pub(super)` and `#[doc(...)]` import nothing.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}
    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}
}

fn floor(file: &str) -> Option<usize> {
    let room = file.split('/').next().unwrap().trim_end_matches(".rs");
    FLOORS.iter().position(|floor| floor.contains(&room))
}

#[test]
fn every_room_has_a_floor() {
    let house = House::read();
    for file in house.modules.values() {
        let is_outside = file == "lib.rs" || file.starts_with("manual");
        assert!(
            is_outside || floor(file).is_some(),
            "{file} belongs to a room without a floor"
        );
    }
}

#[test]
fn no_import_runs_up_a_floor() {
    let house = House::read();
    let mut count = 0;
    for (file, imported) in house.imports() {
        for (other, names) in imported {
            assert!(
                floor(file) >= floor(other),
                "{file} imports {names:?} from {other} above it"
            );
            count += 1;
        }
    }
    assert!(
        count > 300,
        "only {count} imports were found: the reader has gone blind"
    );
}

#[test]
fn no_import_goes_in_a_circle() {
    let house = House::read();
    let imports = house.imports();
    let reached = |start: &str| {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(file) = open.pop() {
            for other in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(*other) {
                    open.push(other);
                }
            }
        }
        reached
    };

    for file in imports.keys() {
        let around: Vec<&str> = reached(file)
            .into_iter()
            .filter(|other| reached(other).contains(file))
            .collect();
        assert!(
            around.is_empty(),
            "these files import one another in a circle: {around:?}"
        );
    }
}
