//! Temporary.
#![cfg(test)]
mod mock;
mod support;
