-- The spec of a job, as its rows are now: all whose change needs new instances, as JSON.

-- @views

-- Only a job with secrets has them in its spec: that of any other stays as it always was.
CREATE VIEW job_spec AS
SELECT b.job,
       CASE WHEN EXISTS (SELECT 1 FROM job_secret AS s WHERE s.job = b.job)
              OR EXISTS (SELECT 1 FROM job_template AS t WHERE t.job = b.job)
            THEN (SELECT json_set(b.body, '$.secrets', json_object('needs', json(s.needs), 'files', json(s.files),
                                    'templates', json(s.templates), 'services', json(s.services)))
                  FROM job_secret_spec AS s WHERE s.job = b.job)
            ELSE b.body END AS body
FROM job_container AS b;

-- What a container is made from. What came later is in it only where it says something: a spec stays as it always was.
CREATE VIEW job_container AS
SELECT job, CASE cpu_shares WHEN 0 THEN body ELSE json_insert(body, '$.cpu_shares', cpu_shares) END AS body
FROM job_body;

CREATE VIEW job_body AS
SELECT j.name AS job,
       j.cpu_shares,
       json_object(
         'image', j.image,
         'command', json(j.command),
         'user', j.user,
         'network', j.network,
         'cpus', j.cpus,
         'memory_mb', CASE j.memory_mb WHEN 0 THEN j.memory_max_mb ELSE j.memory_mb END,
         'pids_max', j.pids_max,
         'capabilities', json(j.capabilities),
         'new_privileges', j.new_privileges,
         'read_only_root', j.read_only_root,
         'restart', j.restart,
         'env', (SELECT json_group_array(json_array(e.name, e.value))
                 FROM (SELECT name, value FROM job_env WHERE job = j.name ORDER BY name) AS e),
         'ports', (SELECT json_group_array(json_object('label', p.label, 'port', p.port, 'protocol', p.protocol,
                                                       'host_port', p.host_port, 'host_ip', p.host_ip))
                   FROM (SELECT label, port, protocol, host_port, host_ip
                         FROM job_port WHERE job = j.name ORDER BY label) AS p),
         'mounts', (SELECT json_group_array(json_object('path', m.path, 'type', m.type, 'source', m.source,
                                                        'read_only', m.read_only))
                    FROM (SELECT path, type, source, read_only
                          FROM job_mount WHERE job = j.name
                          UNION ALL
                          -- The folder of the socket: a controller that starts anew puts another socket there.
                          SELECT '/run/rowlock', 'bind', c.folder || '/api', 1
                          FROM claimant AS c WHERE j.secrets_api = 1
                          UNION ALL
                          SELECT t.value, 'tmpfs', '', 0
                          FROM json_each('["/run","/tmp","/var/tmp"]') AS t
                          WHERE j.read_only_root = 1 AND j.read_only_tmpfs = 1
                            AND NOT EXISTS (SELECT 1 FROM job_mount AS o
                                            WHERE o.job = j.name AND rtrim(o.path, '/') = t.value)
                          ORDER BY path) AS m)) AS body
FROM job AS j;
