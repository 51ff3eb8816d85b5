//! The scope: which rows.

#[path = "../model/scope.rs"]
mod model;
#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod danger;
mod database;
mod generate;
mod oracle;
mod parsed;
mod properties;
mod row_level_security;
mod run;
mod statements;
#[allow(unused_macros, reason = "what the generated statements need")]
mod tables;
