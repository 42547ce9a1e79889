-- Payments that came in without a request are looked for by nobody's hash. Hashes come in no order: an index of all of them would have
-- a page of its own written for each payment. Of what came in before this nothing is known, so it stays in the index.
ALTER TABLE payments ADD COLUMN unasked INTEGER CHECK(unasked = 1);
DROP INDEX payments_of_hash;
CREATE INDEX payments_of_request ON payments(hash) WHERE hash IS NOT NULL AND incoming = 1 AND unasked IS NULL;
