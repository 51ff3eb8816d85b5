//! Independent models that the tests compare the crate with. They are written from the design alone
//! and share no code with `src/`; a `…_facts` file beside a model turns its facts into the crate's.
//! Fuzz targets include files by path.
#![allow(dead_code, reason = "each test uses the models that it needs")]

pub mod gate;
pub mod gate_facts;
