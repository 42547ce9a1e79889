-- Where events are posted to, and how far each has taken them: the event log is the outbox, `delivered` the place in it. The secret that
-- signs what is posted is sealed.
CREATE TABLE webhooks(
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE CHECK(length(id) = 32),
    url        TEXT NOT NULL CHECK(length(url) <= 512),
    kinds      TEXT NOT NULL CHECK(length(kinds) <= 512),
    secret     BLOB NOT NULL CHECK(length(secret) <= 512),
    delivered  INTEGER NOT NULL,
    failures   INTEGER NOT NULL DEFAULT 0,
    trouble    TEXT CHECK(length(trouble) <= 512),
    created_at INTEGER NOT NULL
) STRICT;

-- Books are read by when a swap ended, lists also by with whom it was.
CREATE INDEX swaps_by_end ON swaps(ended_at, n) WHERE ended_at IS NOT NULL;
CREATE INDEX swaps_by_peer ON swaps(peer, n);
