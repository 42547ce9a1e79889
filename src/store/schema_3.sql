-- How often what was begun with a peer came to nothing after money of ours was locked.
CREATE INDEX swaps_refunded ON swaps(peer, ended_at) WHERE outcome = 'refunded';
