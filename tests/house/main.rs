//! The house itself: what the manual says is there, and no import runs up a floor or in a circle.

mod manual;
