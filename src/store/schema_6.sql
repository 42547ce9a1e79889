-- How agreed swaps with each peer ended: completed; refunded after money of ours was locked and the peer walked away; or otherwise.
-- Kept when the swaps themselves are forgotten.
CREATE TABLE scores(
    peer       BLOB NOT NULL PRIMARY KEY CHECK(length(peer) = 20),
    completed  INTEGER NOT NULL,
    walked     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Of whom there is nothing to tell but that nothing came of it: strangers make such rows, so they go in time.
CREATE INDEX scores_of_nothing ON scores(changed_at) WHERE completed = 0 AND walked = 0;
INSERT INTO scores(peer, completed, walked, failed, changed_at)
    SELECT peer, sum(outcome = 'completed'), sum(outcome = 'refunded'), sum(outcome NOT IN ('completed', 'refunded')), max(ended_at)
    FROM swaps WHERE outcome IS NOT NULL AND agreed_at IS NOT NULL GROUP BY peer;
