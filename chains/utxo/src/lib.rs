//! Bitcoin and Litecoin behind the ledger port
