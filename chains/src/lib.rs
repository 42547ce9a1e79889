//! The words every part of Photon shares: amounts, secrets, locks, time, and the port a ledger fills
