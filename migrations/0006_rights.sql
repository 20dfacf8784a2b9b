-- What proves the rows that give rights. rights: keyed hashes of the rows of policy, job_policy, trust and api, as they
-- were when desired.db was last accepted. tokens: the sum of keyed hashes of all rows of token, which says that none
-- was put back. Both are part of what audit_head.mac covers; '' until the store is first opened by a Rowlock that knows
-- them.
ALTER TABLE audit_head ADD COLUMN rights TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_head ADD COLUMN tokens TEXT NOT NULL DEFAULT '';

-- Tokens whose rows have gone and are still in that sum: the keys to take them out may be sealed just then. A row of
-- other hands does no harm here: a token that it speaks of must not be there.
CREATE TABLE token_gone (
  hash TEXT PRIMARY KEY NOT NULL,
  mac  TEXT NOT NULL
) WITHOUT ROWID;
