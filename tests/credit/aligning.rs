//! Credits that follow paid time, as properties over courses of facts, spending and time, and
//! against a naive second reading of the rules.

mod course;
mod exhaustive;
mod orders;
mod properties;
mod random;
mod rules;
mod worth;
