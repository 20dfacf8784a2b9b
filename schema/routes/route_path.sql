-- How the path of a route has to be written so that requests match it. The proxy normalises the path of a request
-- before it looks for the route (kPaths in controller/adapters/haproxy/haproxy_config.cpp): what is undone there is in
-- no path that it compares.

-- @views

-- The path as it stands in a request that the proxy has normalised: what is not ASCII is in escapes.
CREATE VIEW route_path AS
SELECT r.name AS route,
       CASE WHEN r.path NOT GLOB '*[^ -~]*' THEN r.path
            ELSE (WITH RECURSIVE piece (done, sign, code, rest) AS (
                    SELECT '', '', '', r.path
                    UNION ALL
                    SELECT done || CASE WHEN length(code) <= 2 THEN sign
                                        ELSE rtrim('%' || substr(code, 1, 2) || '%' || substr(code, 3, 2) || '%'
                                                   || substr(code, 5, 2) || '%' || substr(code, 7, 2), '%') END,
                           substr(rest, 1, 1),
                           hex(substr(rest, 1, 1)),
                           substr(rest, 2)
                    FROM piece
                    WHERE sign <> '' OR rest <> '')
                  SELECT done FROM piece WHERE sign = '' AND rest = '') END AS path
FROM route AS r;

-- Paths that no request has once it is normalised, and what to write instead.
CREATE VIEW route_path_obstacle AS
SELECT p.name AS route,
       CASE WHEN p.path GLOB '*%[^0-9A-F]*' OR p.path GLOB '*%[0-9A-F][^0-9A-F]*'
            THEN 'has a ''%'' without two hex digits in upper case behind it: write ''%2F'' for ''%2f'', and ''%25'' '
                   || 'for the sign itself'
            WHEN p.path GLOB '*%2[DE]*' OR p.path GLOB '*%3[0-9]*' OR p.path GLOB '*%[46][1-9A-F]*'
              OR p.path GLOB '*%[57][0-9A]*' OR p.path GLOB '*%5F*' OR p.path GLOB '*%7E*'
            THEN 'has an escape of a letter, a digit or one of ''-._~'', which the proxy undoes before it looks: write '
                   || 'the character itself'
            WHEN p.path GLOB '*%[01]*' OR p.path GLOB '*%7F*'
            THEN 'has an escape of a control character, with which every request is refused: take it out'
            WHEN p.plain GLOB '*/.[/;]*' OR p.plain GLOB '*/..[/;]*'
            THEN 'has a segment ''.'' or ''..'', which no request has when it is routed: write the path without it' END
         AS message
FROM (SELECT name,
             path || '/' AS path,
             replace(replace(replace(path, '%2F', '/'), '%5C', '/'), '%3B', ';') || '/' AS plain
      FROM route) AS p;
