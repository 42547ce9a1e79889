//! Names of things: a swap, an offer, and the salt that makes them unlike any other.

use photon_chains::fixed_bytes;

fixed_bytes!(
    /// Names a swap: SHA-256 of every field of its terms. Other terms are another swap.
    SwapId, 32, ""
);
fixed_bytes!(
    /// Names an offer: SHA-256 of every other field of it.
    OfferId, 32, ""
);
fixed_bytes!(
    /// Sixteen random bytes from which a party derives its secret and keys for one swap. Random and not a counter, so that a
    /// restored old database can't hand out a published secret again.
    Salt, 16, ""
);
