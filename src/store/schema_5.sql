-- Payment requests of ours, as their payers were given them.
CREATE TABLE payment_requests(
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    hash        BLOB NOT NULL UNIQUE CHECK(length(hash) = 32),
    ledger      TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    text        TEXT NOT NULL CHECK(length(text) BETWEEN 1 AND 1024),
    state       TEXT NOT NULL CHECK(state IN ('open', 'given_up', 'expired')),
    valid_until INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX payment_requests_open ON payment_requests(valid_until) WHERE state = 'open';

-- In which token a payment was; none for the ledger's own coin.
ALTER TABLE payments ADD COLUMN token BLOB CHECK(length(token) = 20);

-- What mediating has earned, by token; an empty one is the ledger's own coin.
CREATE TABLE channel_fees(
    ledger   TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    token    BLOB NOT NULL CHECK(length(token) IN (0, 20)),
    earned   TEXT NOT NULL,
    payments INTEGER NOT NULL,
    PRIMARY KEY(ledger, token)
) STRICT, WITHOUT ROWID;

-- Channels that are to be closed together, and from when on alone.
CREATE TABLE channel_fallbacks(
    ledger  TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    channel BLOB NOT NULL CHECK(length(channel) = 32),
    at      INTEGER NOT NULL,
    PRIMARY KEY(ledger, channel)
) STRICT, WITHOUT ROWID;
