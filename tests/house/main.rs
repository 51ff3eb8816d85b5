//! The house itself: the manual names what is there, no import runs up a floor or in a circle, and
//! each public name has one home.

mod imports;
mod manual;
mod names;
