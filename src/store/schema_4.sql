-- Payment channels. What is live is read at a start; the rest is history, and its number slows nothing. A row is bytes of the
-- core's, with one byte before it: 0 plain, 1 sealed.
CREATE TABLE channel_live(
    ledger TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    key    BLOB NOT NULL CHECK(length(key) BETWEEN 1 AND 128),
    row    BLOB NOT NULL CHECK(length(row) <= 1048576),
    at     INTEGER NOT NULL,
    memo   TEXT CHECK(length(memo) <= 512),
    PRIMARY KEY(ledger, key)
) STRICT, WITHOUT ROWID;

-- What each update of ours committed to: an old one can come back at a close.
CREATE TABLE channel_sent(
    ledger  TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    channel BLOB NOT NULL CHECK(length(channel) = 32),
    epoch   INTEGER NOT NULL,
    nonce   INTEGER NOT NULL,
    row     BLOB NOT NULL CHECK(length(row) <= 1024),
    PRIMARY KEY(ledger, channel, epoch, nonce)
) STRICT, WITHOUT ROWID;

-- Locks that are gone, and by which update: with those that are live, the list of any update is found again.
CREATE TABLE channel_gone(
    ledger   TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    channel  BLOB NOT NULL CHECK(length(channel) = 32),
    epoch    INTEGER NOT NULL,
    incoming INTEGER NOT NULL CHECK(incoming IN (0, 1)),
    number   INTEGER NOT NULL,
    gone_by  INTEGER NOT NULL,
    row      BLOB NOT NULL CHECK(length(row) <= 65536),
    PRIMARY KEY(ledger, channel, epoch, incoming, number)
) STRICT, WITHOUT ROWID;

-- Payments that have ended, for their owner.
CREATE TABLE payments(
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    ledger     TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    incoming   INTEGER NOT NULL CHECK(incoming IN (0, 1)),
    id         BLOB NOT NULL CHECK(length(id) = 16),
    channel    BLOB NOT NULL CHECK(length(channel) = 32),
    payee      BLOB CHECK(length(payee) = 20),
    amount     TEXT NOT NULL,
    fee        TEXT NOT NULL,
    hash       BLOB CHECK(length(hash) = 32),
    receipt    BLOB CHECK(length(receipt) <= 128),
    failed     TEXT CHECK(length(failed) BETWEEN 1 AND 32),
    memo       TEXT CHECK(length(memo) <= 512),
    created_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL
) STRICT;
-- Asking twice for the same payment pays once.
CREATE UNIQUE INDEX payments_made ON payments(ledger, id) WHERE incoming = 0;
CREATE INDEX payments_of_hash ON payments(hash) WHERE hash IS NOT NULL AND incoming = 1;

-- What the owner wants of the chain, until it is done.
CREATE TABLE channel_wishes(
    ledger TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    key    TEXT NOT NULL CHECK(length(key) BETWEEN 1 AND 160),
    body   TEXT NOT NULL CHECK(length(body) <= 65536 AND json_valid(body)),
    at     INTEGER NOT NULL,
    PRIMARY KEY(ledger, key)
) STRICT, WITHOUT ROWID;
