//! Ethereum and SMT behind the ledger port
