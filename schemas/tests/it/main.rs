//! What is on the wire, byte for byte.

mod facts;
mod golden;
mod strictness;
