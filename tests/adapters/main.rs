//! The adapters: the same requests through axum and actix-web.

#[cfg(any(feature = "axum", feature = "actix"))]
#[path = "../adapter/mod.rs"]
mod adapter;

#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "axum")]
mod axum;
