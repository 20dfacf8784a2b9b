-- The HTTP interface of the secret store, and the identities it gives to instances. It is always there on the unix
-- socket HOME/rowlock.sock; nothing else listens unless it is asked for here.

-- @desired

-- One row at most; without one, everything is as the defaults say.
CREATE TABLE api (
  name            TEXT PRIMARY KEY NOT NULL DEFAULT 'api'
                  CONSTRAINT "api.name must be 'api': there is one for each home"
                  CHECK (name = 'api'),
  listen          TEXT NOT NULL DEFAULT ''              -- on loopback as well, such as '127.0.0.1:8200'; '': nowhere
                  CONSTRAINT "api.listen must be ADDRESS:PORT of loopback, such as '127.0.0.1:8200', or empty"
                  CHECK (listen = '' OR listen GLOB '127.[0-9]*.[0-9]*.[0-9]*:[1-9]*' OR listen GLOB '[[]::1]:[1-9]*'),
  -- what identities say who gave them; for those that discover the keys by it, where that is reached
  issuer          TEXT NOT NULL DEFAULT 'https://rowlock.internal'
                  CONSTRAINT "api.issuer must be a URL without a slash at its end, such as 'https://id.example.org'"
                  CHECK (issuer GLOB 'http*://?*' AND issuer NOT GLOB '*/' AND issuer NOT GLOB '*[ "]*'),
  audience        TEXT NOT NULL DEFAULT 'rowlock'       -- whom identities are meant for: those who check them
                  CONSTRAINT "api.audience must not be empty" CHECK (audience <> ''),
  identity_ttl_ms INTEGER NOT NULL DEFAULT 3600000      -- renewed after half of it
                  CONSTRAINT "api.identity_ttl_ms must be a whole number of milliseconds, 10 seconds to one day"
                  CHECK (typeof(identity_ttl_ms) = 'integer' AND identity_ttl_ms BETWEEN 10000 AND 86400000)
);

-- @views

-- The settings in force, row or none.
CREATE VIEW api_setting AS
SELECT COALESCE((SELECT listen FROM api), '')                                  AS listen,
       COALESCE((SELECT issuer FROM api), 'https://rowlock.internal')          AS issuer,
       COALESCE((SELECT audience FROM api), 'rowlock')                         AS audience,
       COALESCE((SELECT identity_ttl_ms FROM api), 3600000)                    AS identity_ttl_ms;

-- @run api.secret

-- What the interface needs to know of a secret beyond what is asked for: whether a write makes it.
SELECT current_version, custom_metadata FROM secret WHERE path = :path;

-- @run api.unknown_policies

-- Those of a JSON array of names that are no policy's.
SELECT DISTINCT n.value AS name
FROM json_each(:policies) AS n
WHERE n.value NOT IN (SELECT p.name FROM policy AS p)
ORDER BY n.value;
