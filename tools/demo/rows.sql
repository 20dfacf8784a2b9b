-- What the demo runs: a web server in three copies, and a worker beside it. These are rows like any
-- others.

INSERT INTO job (name, image, command, count, min_healthy_ms, user, stop_timeout_ms)
VALUES ('web', 'rowlock-demo:1',
'["sh", "-c", "trap ''exit 0'' TERM; mkdir /tmp/w; echo \"$GREETING\" >/tmp/w/index.html; '
          || 'httpd -p 8080 -h /tmp/w; sleep 9999 & wait"]',
        3, 1000, '1000', 2000);
INSERT INTO job_env (job, name, value) VALUES ('web', 'GREETING', 'hello');
INSERT INTO job_port (job, label, port) VALUES ('web', 'http', 8080);
INSERT INTO job_check (job, name, type, port, path, interval_ms, passes)
VALUES ('web', 'answers', 'http', 'http', '/', 1000, 2);

INSERT INTO job (name, image, command, min_healthy_ms, memory_mb, stop_timeout_ms)
VALUES ('worker', 'rowlock-demo:1', '["sh", "-c", "trap ''exit 0'' TERM; sleep 9999 & wait"]', 500, 16, 2000);
INSERT INTO job (name, image, command, min_healthy_ms, count)
VALUES ('spare', 'rowlock-demo:1', '["sleep", "3600"]', 500, 0);
