//! Corezoid.

mod call;
mod conv;
mod direct;
mod flow;
mod group;
mod node;
mod object;
mod op;
mod package;
mod refusal;
mod scheme;
mod session;
mod state;
mod task;
mod upload;
mod value;
#[cfg(test)]
mod tests;
mod zip;
