//! Numbers that look like chance and are the same in every run.

/// The next number of a sequence, below 2³¹ (Knuth's MMIX).
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}
