//! All integration tests, in one binary: each further one would link the whole crate again.

// Says to clippy that a helper here may `unwrap` like the test that calls it.
#![cfg(test)]

// Which clients call, what they use, and that neither an end nor a stranger spoils the counts.
#[cfg(feature = "cli")]
mod awareness;
// Access tokens and read tokens at the reference server, as their clients meet them.
#[cfg(feature = "cli")]
mod access_tokens;
// What a request costs in allocations and bytes over the bare service.
mod allocations;
// Several ways of signing on one route.
mod any_of;
// That nothing malformed gets through or hurts, told by tables and sent over real sockets.
mod bad_input;
// That what an operator changes in a database ends what a cache keeps of it, whatever breaks.
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod cache;
// What the command line prints, and how it ends.
#[cfg(feature = "cli")]
mod cli;
// What a killed program leaves in the store: nothing half done.
#[cfg(all(feature = "cli", target_os = "linux"))]
mod cli_kills;
// Foreign clients, run as they are.
mod clients;
// That a running server explains refusals of keys under debug, to operators only.
#[cfg(feature = "cli")]
mod debugged;
// Why tokens are refused in a running server, and a development server that tells its callers.
#[cfg(feature = "cli")]
mod development;
// What a signature covers, and that the docs say so.
mod covers;
// Mistakes that clients make, and what is said about them.
mod explain;
// Which operation of a GraphQL document runs, and that the executor agrees.
#[cfg(feature = "graphql")]
mod graphql_operations;
// Who the caller is, and that nobody else says so.
mod identity;
// What a request costs in instructions over the bare service.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod instructions;
// Tokens: their one spelling, and what other libraries say to them.
#[cfg(feature = "oauth2")]
mod jwt;
// What docs/keys-in-sql.md shows works, on both engines.
#[cfg(feature = "cli")]
mod keys_in_sql;
// What a killed run of these tests leaves behind: nothing.
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod kills;
// Which secret was used, and when.
mod last_used;
// What the source may import from where, and that every file says what it is for.
mod layering;
// That nothing anywhere prints a secret, or a signature that may be valid.
mod leaks;
// What `Debug` shows of whatever holds a secret.
#[cfg(all(feature = "cli", feature = "client"))]
mod leaks_of_debug;
// The same of servers, whose log, metrics and answers are searched.
#[cfg(feature = "cli")]
mod leaks_of_servers;
// What a request may cost before it is verified: bytes, time, turns.
mod limits;
// What is measured, and that docs, dashboard and alerts say the same.
#[cfg(feature = "cli")]
mod metrics;
// Where the layer may stand, and what the inner service then reads.
mod middleware;
// The issuer of tokens, and who gets through with them.
#[cfg(feature = "oauth2")]
mod oauth2;
// Stand-ins of the providers, for those who test their clients.
#[cfg(feature = "mock")]
mod mock;
// One word and one name for what became of each request.
mod outcomes;
// What a verified caller may do, and how it is told that it may not.
mod permissions;
// What holds for every request of every scheme.
mod properties;
// What README.md shows works.
#[cfg(feature = "cli")]
mod readme;
// The reference server, as an operator and the providers' clients meet it.
#[cfg(feature = "cli")]
mod reference_server;
// What a caller that is refused gets to see.
mod refusals;
// What clients sign, and that it gets through.
#[cfg(feature = "client")]
mod signers;
// How fast a revoked key stops, on two servers under load.
#[cfg(feature = "cli")]
mod revocation;
// That an upload held open does not outlive the key it was begun with.
mod revocation_in_flight;
// What HTTP/1.1 and HTTP/2 make of requests and refusals, over real sockets.
mod sockets;
// What every key store does and refuses, run over each of them.
#[cfg(feature = "sqlite")]
mod store_contract;
// What a server answers whose key store is damaged, or away.
#[cfg(feature = "cli")]
mod store_trouble;
// What several of these share.
mod support;
// Which of the URLs that clients type a server can know again.
mod url_arrivals;
// The providers' own signatures and recorded requests.
mod vectors;
