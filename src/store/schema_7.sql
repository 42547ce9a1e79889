-- What the channels' engine has changed of its live rows since they were last brought up to date: records, each sealed whole,
-- in the order in which they were written. `upto` counts the bytes of this one and of all before it.
CREATE TABLE channel_log(
    n      INTEGER PRIMARY KEY,
    ledger TEXT NOT NULL CHECK(length(ledger) BETWEEN 1 AND 32),
    at     INTEGER NOT NULL,
    upto   INTEGER NOT NULL,
    body   BLOB NOT NULL CHECK(length(body) <= 4194304)
) STRICT;
