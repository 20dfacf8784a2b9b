-- The same routes for another proxy: `rowlock export` prints what stands here. Equal rows give equal bytes, so that
-- whoever fetches the text again and again sees a change only where there is one.
--
--   traefik      takes the place of Rowlock's own proxy: its HTTP provider's JSON, with the instances that are ready.
--   cloudflared  stands in front of Rowlock's own proxy: its tunnel needs the hostnames, and never an instance.

-- @views

-- What all names begin with, as those of the containers do.
CREATE VIEW export_prefix AS
SELECT 'rowlock-' || id AS prefix
FROM home;

-- What keeps a document from working at all.
CREATE VIEW export_obstacle AS
SELECT 'cloudflared' AS target,
       'proxy.accept_proxy is 1, and cloudflared does not speak the PROXY protocol' AS message,
       'UPDATE proxy SET accept_proxy = 0, client_header = ''CF-Connecting-IP''' AS hint
FROM proxy_setting AS p
WHERE p.accept_proxy = 1 AND EXISTS (SELECT 1 FROM route);

-- ---- Traefik --------------------------------------------------------------------------------------------------------
--
-- Every map that is there has a member: Traefik refuses a document with an empty one as a whole, and goes on with the
-- last that it took, without another word. It also skips a document without any router, service and middleware, which
-- would leave the last route that was deleted in force for ever; so one router is always there, for a host that nobody
-- can ask for.
--
-- No router has `tls`: one that has it answers https alone. Whether there is https says the entry point
-- (entryPoints.NAME.http.tls), and the same router then answers on both.
--
-- What is lost: a page in maintenance and a pause, which Traefik cannot do (both are 503); the choice between 301 and
-- 308 and between 302 and 307, which it makes by the method; response_timeout_ms, retries, hold_max_ms and raw_path.
-- How a path is normalised, and whether, Traefik's version and its entry point say.

-- The instances that requests may go to. Traefik believes every server that it is told of at once and asks it nothing,
-- so only those are told that have passed all their checks and that Rowlock's own proxy, which asks on, gives requests.
-- One that is to leave is left out from the first moment: Traefik reads this some seconds late.
CREATE VIEW export_server AS
SELECT t.route,
       t.job,
       t.instance,
       'http://' || CASE WHEN instr(t.acknowledged_address, ':') THEN '[' || t.acknowledged_address || ']'
                         ELSE t.acknowledged_address END || ':' || t.acknowledged_port AS url
FROM route_target AS t
JOIN route AS r ON r.name = t.route
WHERE t.ended_at_ms IS NULL
  AND t.wanted = 'ready'
  AND t.acknowledged = 'ready'
  AND r.maintenance = 0
  AND r.pause = 0;

-- The balancers of every route: one called as the route, or one for each of two jobs. '_' stands in no route's name. A
-- redirect has one too, without servers: Traefik takes no router without a service.
CREATE VIEW traefik_pool AS
SELECT x.prefix || '-' || r.name AS name, r.name AS route, r.job, 100 AS percent
FROM route AS r
JOIN export_prefix AS x
WHERE r.next_job IS NULL
UNION ALL
SELECT x.prefix || '-' || r.name || '_job', r.name, r.job, 100 - r.next_percent
FROM route AS r
JOIN export_prefix AS x
WHERE r.next_job IS NOT NULL
UNION ALL
SELECT x.prefix || '-' || r.name || '_next_job', r.name, r.next_job, r.next_percent
FROM route AS r
JOIN export_prefix AS x
WHERE r.next_job IS NOT NULL;

-- By the cookie a client stays with its instance; of two jobs, by another one with its job.
CREATE VIEW traefik_sticky AS
SELECT r.name AS route,
       json_object('cookie', json_object('name', r.sticky_cookie, 'httpOnly', json('true')))           AS of_instance,
       json_object('cookie', json_object('name', r.sticky_cookie || '_job', 'httpOnly', json('true'))) AS of_job
FROM route AS r
WHERE r.sticky_cookie IS NOT NULL;

-- json_patch leaves out what is NULL, here and below.
CREATE VIEW traefik_balancer AS
SELECT p.name,
       p.route,
       -- A job without a ready instance gets no share, as in Rowlock's own proxy.
       CASE WHEN EXISTS (SELECT 1 FROM export_server AS s WHERE s.route = p.route AND s.job = p.job) THEN p.percent
            ELSE 0 END AS weight,
       json_object('loadBalancer', json(json_patch('{}', json_object(
         'sticky', json((SELECT of_instance FROM traefik_sticky WHERE route = p.route)),
         'servers', json((SELECT json_group_array(json_object('url', s.url))
                          FROM (SELECT url FROM export_server
                                WHERE route = p.route AND job = p.job ORDER BY instance) AS s)),
         'passHostHeader', json('true'))))) AS document
FROM traefik_pool AS p;

CREATE VIEW traefik_service AS
SELECT b.name, b.document
FROM traefik_balancer AS b
UNION ALL
SELECT x.prefix || '-' || r.name,
       json_object('weighted', json(json_patch('{}', json_object(
         'sticky', json((SELECT of_job FROM traefik_sticky WHERE route = r.name)),
         'services', json((SELECT json_group_array(json_object('name', b.name, 'weight', b.weight))
                           FROM (SELECT name, weight FROM traefik_balancer
                                 WHERE route = r.name ORDER BY name) AS b))))))
FROM route AS r
JOIN export_prefix AS x
WHERE r.next_job IS NOT NULL
UNION ALL
SELECT x.prefix || '_none', '{"loadBalancer":{"servers":[],"passHostHeader":true}}'
FROM export_prefix AS x;

-- What happens to the requests of a route, and in which order: headers come first, since they go on every answer, those
-- of the others too.
CREATE VIEW traefik_step AS
SELECT r.name AS route, 1 AS position, '-' || r.name || '_headers' AS suffix,
       -- A header with an empty value is taken out.
       json_object('headers', json_object('customResponseHeaders', json(
         (SELECT json_group_object(h.name, h.value)
          FROM (SELECT name, value FROM route_header WHERE route = r.name ORDER BY name) AS h)))) AS document
FROM route AS r
WHERE EXISTS (SELECT 1 FROM route_header AS h WHERE h.route = r.name)
UNION ALL
-- A bucket that holds a window's requests and is filled again at their rate. Behind a tunnel all connections come from
-- one address: its header then tells the clients apart, which Traefik believes from anybody who reaches it.
SELECT r.name, 2, '-' || r.name || '_rate_limit',
       json_object('rateLimit', json(json_patch('{}', json_object(
         'average', r.rate_limit, 'period', r.rate_window_ms || 'ms', 'burst', r.rate_limit,
         'sourceCriterion', json(CASE WHEN p.client_header <> ''
                                      THEN json_object('requestHeaderName', p.client_header) END)))))
FROM route AS r
JOIN proxy_setting AS p
WHERE r.rate_limit > 0
UNION ALL
SELECT r.name, 3, '-' || r.name || '_redirect',
       json_object('redirectRegex', json_object(
         'regex', '^(https?)://[^/]+(.*)$',
         'replacement', COALESCE(r.redirect_scheme, '${1}') || '://' || r.redirect_host || '${2}',
         'permanent', json(CASE WHEN r.redirect_status IN (301, 308) THEN 'true' ELSE 'false' END)))
FROM route AS r
WHERE r.redirect_host IS NOT NULL
UNION ALL
SELECT r.name, 3, '-' || r.name || '_redirect',
       json_object('redirectScheme', json_object(
         'scheme', r.redirect_scheme,
         'permanent', json(CASE WHEN r.redirect_status IN (301, 308) THEN 'true' ELSE 'false' END)))
FROM route AS r
WHERE r.redirect_host IS NULL AND r.redirect_scheme IS NOT NULL
UNION ALL
SELECT r.name, 4, '-' || r.name || '_strip_prefix',
       json_object('stripPrefix', json_object('prefixes', json_array(r.path)))
FROM route AS r
WHERE r.strip_prefix = 1 AND r.path <> '/'
UNION ALL
-- An instance that has ended stands in Traefik for some seconds more: what cannot be sent to it goes to another one.
-- All routes share it, and it is there without a route too, so that the map of them is never empty.
SELECT r.name, 5, '_retry', '{"retry":{"attempts":3}}'
FROM (SELECT name FROM route UNION ALL SELECT NULL) AS r;

-- Which requests are a route's: as in Rowlock's own proxy the exact host wins over the wildcard, whatever the paths,
-- and of one host the longest path. '*' is one label, and a path ends where a '/' or nothing follows.
CREATE VIEW traefik_match AS
SELECT r.name AS route,
       CASE WHEN r.host GLOB '[*]*' THEN 'HostRegexp(`^[^.]+' || replace(substr(r.host, 2), '.', '\.') || '$`)'
            ELSE 'Host(`' || r.host || '`)' END
         || CASE WHEN r.path = '/' THEN ''
                 -- The other quotes of the language, for a path with that one; it holds neither '"' nor '\'.
                 WHEN instr(r.path, '`') THEN ' && (Path("' || r.path || '") || PathPrefix("' || r.path || '/"))'
                 ELSE ' && (Path(`' || r.path || '`) || PathPrefix(`' || r.path || '/`))' END AS rule,
       -- Over all lengths that a path can have; 0 would mean the length of the rule.
       CASE WHEN r.host GLOB '[*]*' THEN 10000 ELSE 20000 END + length(r.path) AS priority
FROM route AS r;

CREATE VIEW traefik_router AS
SELECT x.prefix || '-' || r.route AS name,
       json_object(
         'rule', r.rule,
         'priority', r.priority,
         'service', x.prefix || '-' || r.route,
         'middlewares', json((SELECT json_group_array(x.prefix || s.suffix)
                              FROM (SELECT suffix FROM traefik_step
                                    WHERE route = r.route ORDER BY position) AS s))) AS document
FROM traefik_match AS r
JOIN export_prefix AS x
UNION ALL
SELECT x.prefix || '_none',
       json_object('rule', 'Host(`rowlock.invalid`)', 'priority', 1, 'service', x.prefix || '_none')
FROM export_prefix AS x;

CREATE VIEW traefik_middleware AS
SELECT DISTINCT x.prefix || s.suffix AS name, s.document
FROM traefik_step AS s
JOIN export_prefix AS x;

CREATE VIEW traefik_export AS
SELECT json_object('http', json_object(
         'routers', json((SELECT json_group_object(r.name, json(r.document))
                          FROM (SELECT name, document FROM traefik_router ORDER BY name) AS r)),
         'services', json((SELECT json_group_object(s.name, json(s.document))
                           FROM (SELECT name, document FROM traefik_service ORDER BY name) AS s)),
         'middlewares', json((SELECT json_group_object(m.name, json(m.document))
                              FROM (SELECT name, document FROM traefik_middleware ORDER BY name) AS m)))) AS document;

-- ---- cloudflared ----------------------------------------------------------------------------------------------------
--
-- One rule for each host, since Rowlock's own proxy knows the paths. A wildcard goes out as it is: cloudflared's star
-- covers names of any depth, and the proxy answers 404 to those that are deeper than the route's. What no rule names
-- gets 404 at the tunnel.

-- Where the proxy listens, plain if it does at all: the tunnel ends on this machine.
CREATE VIEW cloudflared_listener AS
SELECT 'http' AS scheme, p.listen AS address_and_port, rtrim(p.listen, '0123456789') AS address_and_colon
FROM proxy_setting AS p
WHERE p.listen <> ''
UNION ALL
SELECT 'https', p.listen_tls, rtrim(p.listen_tls, '0123456789')
FROM proxy_setting AS p
WHERE p.listen = '';

-- A listener on all addresses is reached by this machine's own.
CREATE VIEW cloudflared_origin AS
SELECT l.scheme,
       l.scheme || '://'
         || CASE WHEN l.address IN ('*', '0.0.0.0', '::', '[::]')         THEN '127.0.0.1'
                 WHEN instr(l.address, ':') AND l.address NOT GLOB '[[]*' THEN '[' || l.address || ']'
                 ELSE                                                          l.address END
         || l.colon_and_port AS service
FROM (SELECT scheme,
             substr(address_and_colon, 1, length(address_and_colon) - 1)   AS address,
             substr(address_and_port, length(address_and_colon))           AS colon_and_port
      FROM cloudflared_listener) AS l;

-- The first rule that fits is taken: wildcards stand behind the exact hosts. Over https the proxy chooses a certificate
-- by the name that it is asked for, and cloudflared checks what it gets by the same; left alone it would ask for the
-- address. For a wildcard that is the name in the request, which older versions cannot ask for. A certificate that is
-- not good is not accepted: whoever wants that adds it by hand.
CREATE VIEW cloudflared_entry AS
SELECT 1 + (r.host GLOB '[*]*') AS position,
       r.host,
       json_patch('{}', json_object(
         'hostname', r.host,
         'service', o.service,
         'originRequest', json(CASE WHEN o.scheme = 'http'  THEN NULL
                                    WHEN r.host GLOB '[*]*' THEN '{"matchSNItoHost":true}'
                                    ELSE json_object('originServerName', r.host) END))) AS document
FROM (SELECT DISTINCT host FROM route) AS r
JOIN cloudflared_origin AS o
UNION ALL
SELECT 3, '', '{"service":"http_status:404"}';

-- As YAML; what stands in quotes is written as in JSON. Unquoted, a name that begins with '*' would be a reference.
CREATE VIEW cloudflared_entry_text AS
SELECT r.position,
       r.host,
       CASE WHEN r.host = '' THEN '  - ' ELSE '  - hostname: ' || json_quote(r.host) || char(10) || '    ' END
         || 'service: ' || json_quote(json_extract(r.document, '$.service'))
         || COALESCE((SELECT char(10) || '    originRequest:' || char(10) || '      ' || o.key || ': '
                               || CASE o.type WHEN 'text' THEN json_quote(o.value) ELSE o.type END
                      FROM json_each(r.document, '$.originRequest') AS o), '') AS text
FROM cloudflared_entry AS r;

-- For config.yml, where durations have a unit, and for the API, where they are seconds. The one that matters is said,
-- since each documentation has a default of its own.
CREATE VIEW cloudflared_export AS
SELECT 'yaml' AS format,
       'ingress:' || char(10)
         || (SELECT group_concat(r.text, char(10))
             FROM (SELECT text FROM cloudflared_entry_text ORDER BY position, host) AS r)
         || char(10) || 'originRequest:' || char(10) || '  connectTimeout: 10s' AS document
UNION ALL
SELECT 'json',
       json_object('config', json_object(
         'ingress', json((SELECT json_group_array(json(r.document))
                          FROM (SELECT document FROM cloudflared_entry ORDER BY position, host) AS r)),
         'originRequest', json_object('connectTimeout', 10)));

-- @run cli.export_obstacle

SELECT message, hint FROM export_obstacle WHERE target = :target;

-- @run cli.export_traefik

SELECT document FROM traefik_export;

-- @run cli.export_cloudflared

SELECT document FROM cloudflared_export WHERE format = :format;
