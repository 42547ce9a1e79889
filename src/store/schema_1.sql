-- Rows are facts and duties, never a snapshot of the world. Ids and hashes are 32-byte blobs, amounts decimal text, times unix
-- seconds. Every text has a bound: whoever writes it, it can't fill the disk alone.

CREATE TABLE meta(
    key   TEXT NOT NULL PRIMARY KEY CHECK(length(key) BETWEEN 1 AND 128),
    value TEXT NOT NULL CHECK(length(value) <= 1048576)
) STRICT, WITHOUT ROWID;

-- Every secret hash ever agreed to, or about to be, in any role: a row is never deleted.
CREATE TABLE hashlocks(
    hash        BLOB NOT NULL PRIMARY KEY CHECK(length(hash) = 32),
    reserved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE offers(
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB NOT NULL UNIQUE CHECK(length(id) = 32),
    body        TEXT NOT NULL CHECK(length(body) <= 16384 AND json_valid(body)),
    state       TEXT NOT NULL CHECK(state IN ('open', 'taken', 'cancelled', 'expired')),
    valid_until INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX offers_open ON offers(valid_until) WHERE state = 'open';

CREATE TABLE swaps(
    n              INTEGER PRIMARY KEY AUTOINCREMENT,
    id             BLOB NOT NULL UNIQUE CHECK(length(id) = 32),
    role           TEXT NOT NULL CHECK(role IN ('initiator', 'participant')),
    secret_hash    BLOB NOT NULL UNIQUE REFERENCES hashlocks(hash),
    peer           BLOB NOT NULL CHECK(length(peer) = 20),
    peer_endpoint  TEXT NOT NULL CHECK(length(peer_endpoint) <= 512),
    terms          TEXT NOT NULL CHECK(length(terms) <= 65536 AND json_valid(terms)),
    own_signature  BLOB NOT NULL CHECK(length(own_signature) <= 256),
    peer_signature BLOB CHECK(length(peer_signature) <= 256),
    salt           BLOB NOT NULL CHECK(length(salt) = 16),
    alpha_since    INTEGER NOT NULL,
    beta_since     INTEGER NOT NULL,
    offer          BLOB CHECK(length(offer) = 32),
    created_at     INTEGER NOT NULL,
    agreed_at      INTEGER,
    ended_at       INTEGER,
    outcome        TEXT CHECK(length(outcome) BETWEEN 1 AND 64),
    CHECK((peer_signature IS NULL) = (agreed_at IS NULL)),
    CHECK((outcome IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE INDEX swaps_live ON swaps(n) WHERE ended_at IS NULL;
CREATE INDEX swaps_ended ON swaps(n) WHERE ended_at IS NOT NULL;
CREATE INDEX swaps_void ON swaps(ended_at) WHERE outcome = 'void';

-- What is known of a swap, in the order it became known. The body of a fact that holds a secret is sealed.
CREATE TABLE facts(
    n      INTEGER PRIMARY KEY AUTOINCREMENT,
    swap   INTEGER NOT NULL REFERENCES swaps(n) ON DELETE CASCADE,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL CHECK(length(kind) BETWEEN 1 AND 64),
    digest BLOB NOT NULL CHECK(length(digest) = 32),
    body   TEXT CHECK(length(body) <= 65536 AND json_valid(body)),
    sealed BLOB CHECK(length(sealed) <= 66560),
    CHECK((body IS NULL) <> (sealed IS NULL)),
    UNIQUE(swap, kind, digest)
) STRICT;
CREATE INDEX facts_in_order ON facts(swap, n);

-- What must still be done outside. A row is deleted when it is done; a duty that comes back is a new row.
CREATE TABLE outbox(
    n    INTEGER PRIMARY KEY AUTOINCREMENT,
    swap INTEGER NOT NULL REFERENCES swaps(n) ON DELETE CASCADE,
    at   INTEGER NOT NULL,
    key  TEXT NOT NULL CHECK(length(key) BETWEEN 1 AND 128),
    body TEXT NOT NULL CHECK(length(body) <= 65536 AND json_valid(body)),
    UNIQUE(swap, key)
) STRICT;

-- Every transaction ever signed. The bytes are sealed: a redeem holds the secret before the chain shows it.
CREATE TABLE transactions(
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    intent       TEXT NOT NULL CHECK(length(intent) <= 80),
    ledger       TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    txid         BLOB NOT NULL CHECK(length(txid) = 32),
    raw          BLOB NOT NULL CHECK(length(raw) <= 1048576),
    account      BLOB CHECK(length(account) = 20),
    nonce        INTEGER,
    inputs       TEXT NOT NULL CHECK(length(inputs) <= 1048576 AND json_valid(inputs)),
    fee          TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    settled_at   INTEGER,
    ending       TEXT CHECK(ending IN ('mined', 'replaced')),
    block_height INTEGER,
    block_hash   BLOB CHECK(length(block_hash) = 32),
    paid_fee     TEXT,
    succeeded    INTEGER CHECK(succeeded IN (0, 1)),
    CHECK((account IS NULL) = (nonce IS NULL)),
    CHECK((ending IS NULL) = (settled_at IS NULL)),
    CHECK((ending IS 'mined') = (block_height IS NOT NULL)),
    CHECK((ending IS 'mined') = (block_hash IS NOT NULL)),
    CHECK((ending IS 'mined') = (paid_fee IS NOT NULL)),
    CHECK((ending IS 'mined') = (succeeded IS NOT NULL)),
    UNIQUE(ledger, txid)
) STRICT;
CREATE INDEX transactions_by_intent ON transactions(intent, n);
CREATE INDEX transactions_unsettled ON transactions(ledger, n) WHERE ending IS NULL;
CREATE INDEX transactions_by_nonce ON transactions(ledger, account, nonce) WHERE account IS NOT NULL;

-- What mined transactions paid, summed up: nobody should have to read them all to know.
CREATE TABLE fees_paid(
    ledger TEXT NOT NULL PRIMARY KEY,
    total  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Payments from the wallet that were asked for through the API.
CREATE TABLE sends(
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE CHECK(length(id) = 32),
    asset      TEXT NOT NULL CHECK(length(asset) <= 128),
    amount     TEXT NOT NULL,
    recipient  TEXT NOT NULL CHECK(length(recipient) <= 256),
    state      TEXT NOT NULL CHECK(state IN ('pending', 'sent', 'done', 'refused')),
    reason     TEXT CHECK(length(reason) <= 1024),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sends_unfinished ON sends(n) WHERE state IN ('pending', 'sent');

CREATE TABLE peers(
    identity  BLOB NOT NULL PRIMARY KEY CHECK(length(identity) = 20),
    endpoint  TEXT NOT NULL CHECK(length(endpoint) <= 512),
    alias     TEXT UNIQUE CHECK(length(alias) BETWEEN 1 AND 64),
    last_seen INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX peers_strangers ON peers(last_seen) WHERE alias IS NULL;

-- What was answered to a creating call, by the key the client chose.
CREATE TABLE answers(
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    key        TEXT NOT NULL UNIQUE CHECK(length(key) BETWEEN 1 AND 128),
    request    BLOB NOT NULL CHECK(length(request) = 32),
    status     INTEGER,
    body       TEXT CHECK(length(body) <= 65536),
    created_at INTEGER NOT NULL,
    CHECK((status IS NULL) = (body IS NULL))
) STRICT;
CREATE INDEX answers_by_age ON answers(created_at);

-- What happened, for whoever listens. Only the newest are kept.
CREATE TABLE events(
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK(length(kind) BETWEEN 1 AND 64),
    swap BLOB CHECK(length(swap) = 32),
    body TEXT NOT NULL CHECK(length(body) <= 16384 AND json_valid(body))
) STRICT;
