-- name: step 1
CREATE TABLE IF NOT EXISTS usage (
  day INTEGER NOT NULL, manager TEXT NOT NULL, way TEXT NOT NULL, client TEXT NOT NULL, protocol TEXT NOT NULL,
  port INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL, calls INTEGER NOT NULL, unanswered INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (day, manager, way, client, protocol, port)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (begun REAL PRIMARY KEY, ended REAL NOT NULL) STRICT;

-- name: add
INSERT INTO usage (day, manager, way, client, protocol, port, first, last, calls, unanswered, bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, manager, way, client, protocol, port) DO UPDATE SET
  first = min(first, excluded.first), last = max(last, excluded.last), calls = calls + excluded.calls,
  unanswered = unanswered + excluded.unanswered, bytes = bytes + excluded.bytes
RETURNING calls

-- name: end
-- What ended after its row was given up is not taken up again.
UPDATE usage SET unanswered = unanswered + ?, bytes = bytes + ?
WHERE day = ? AND manager = ? AND way = ? AND client = ? AND protocol = ? AND port = ?

-- name: prune
DELETE FROM usage WHERE (day, manager, way, client, protocol, port) IN (
  SELECT day, manager, way, client, protocol, port FROM usage WHERE day < ? ORDER BY day LIMIT ?
) RETURNING day

-- name: prune runs
DELETE FROM runs WHERE begun NOT IN (SELECT begun FROM runs ORDER BY begun DESC LIMIT ?)

-- name: latest run
-- What ends later than now was noted while the clock was ahead.
SELECT begun, ended FROM runs ORDER BY ended > ?, ended DESC LIMIT 1

-- name: rows
SELECT day, manager, way, client, protocol, port, first, last, calls, unanswered, bytes FROM usage
WHERE last >= ? ORDER BY manager, way, client, protocol, port, day

-- name: days
SELECT day, way, count(DISTINCT manager), sum(calls), sum(bytes) FROM usage GROUP BY day, way ORDER BY day, way
