//! What is on the wire, byte for byte.

mod golden;
mod strictness;
