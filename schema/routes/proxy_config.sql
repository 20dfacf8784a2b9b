-- What the configuration of the proxy is made from: settings, routes and who is to stand in their slots, as JSON. When
-- it is written, proxy.sql decides; how it reads for HAProxy, controller/adapters/haproxy/haproxy_config.cpp.

-- @views

CREATE VIEW proxy_setting AS
SELECT listen, listen_tls, accept_proxy, client_header, head_kb, headers_max, release_delay_ms, socket FROM proxy
UNION ALL
SELECT '127.0.0.1:8080', '', 0, '', 16, 101, 0, '' WHERE NOT EXISTS (SELECT 1 FROM proxy);

CREATE VIEW proxy_violation AS
SELECT 'proxy' AS table_name, p.name AS row_key,
       'proxy.listen_tls needs a certificate: INSERT INTO certificate, or set listen_tls to ''''' AS message
FROM proxy AS p
WHERE p.listen_tls <> '' AND NOT EXISTS (SELECT 1 FROM certificate)
UNION ALL
SELECT 'proxy', p.name, 'proxy.listen and proxy.listen_tls are the same address: give each its own'
FROM proxy AS p
WHERE p.listen = p.listen_tls AND p.listen <> ''
UNION ALL
SELECT 'proxy', p.name, 'the proxy listens nowhere, and there are routes: set proxy.listen or proxy.listen_tls'
FROM proxy AS p
WHERE p.listen = '' AND p.listen_tls = '' AND EXISTS (SELECT 1 FROM route);

CREATE VIEW proxy_setting_text AS
SELECT json_object(
         'listen', p.listen,
         'listen_tls', p.listen_tls,
         'accept_proxy', p.accept_proxy,
         'client_header', p.client_header,
         'head_kb', p.head_kb,
         'headers_max', p.headers_max,
         'socket', p.socket,
         'certificates', (SELECT json_group_array(c.path)
                          FROM (SELECT path FROM certificate ORDER BY name) AS c)) AS settings
FROM proxy_setting AS p;

-- The slots of a route as the configuration has them: what is to be ready stands in its slot, all others are free.
CREATE VIEW proxy_slot AS
SELECT t.route,
       json_group_array(json_array(t.slot, t.address, t.port, t.weight)) AS slots
FROM route_target AS t
WHERE t.ended_at_ms IS NULL AND t.wanted = 'ready'
GROUP BY t.route;

-- All that a proxy needs to run by itself.
CREATE VIEW proxy_input AS
SELECT 'proxy' AS target,
       s.socket,
       p.saved_generation AS generation,
       -- Long, and wanted for a save alone.
       CASE WHEN p.saving_content <> p.saved_content THEN json_object(
         'home', (SELECT id FROM home),
         'generation', p.saving_generation,
         'settings', json(p.settings),
         'routes', (SELECT json_group_array(json_object('name', r.route, 'mode', COALESCE(w.mode, ''),
                                                        'slot_count', r.slots, 'structure', json(r.structure),
                                                        'slots', json(COALESCE(k.slots, '[]'))))
                    FROM route_state AS r
                    -- One that came back and was not taken anew yet comes with the next generation.
                    JOIN route_wanted AS w ON w.route = r.route AND r.structure <> ''
                    LEFT JOIN proxy_slot AS k ON k.route = r.route)) END AS config
FROM proxy_state AS p
JOIN proxy_setting AS s;

-- @run cli.doctor_proxy

-- Wanted by routes alone.
SELECT s.socket, p.reach, p.detail, p.version
FROM proxy_state AS p
JOIN proxy_setting AS s
WHERE EXISTS (SELECT 1 FROM route);
