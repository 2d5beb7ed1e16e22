-- name: step 1
CREATE TABLE IF NOT EXISTS leases (
  v4 BLOB PRIMARY KEY, identity TEXT NOT NULL, state TEXT NOT NULL, since REAL NOT NULL, v6 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
  id INTEGER PRIMARY KEY, period INTEGER NOT NULL, event TEXT NOT NULL CHECK (event IN ('held', 'ended')),
  at REAL NOT NULL, v4 BLOB NOT NULL, identity TEXT NOT NULL, v6 BLOB NOT NULL, transport TEXT NOT NULL,
  peer TEXT NOT NULL, reason TEXT NOT NULL, UNIQUE (period, event)
) STRICT;
CREATE TABLE IF NOT EXISTS running (period INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX IF NOT EXISTS audit_by_end ON audit (at) WHERE event = 'ended';
CREATE TABLE IF NOT EXISTS expired (period INTEGER PRIMARY KEY) STRICT;
DROP TRIGGER IF EXISTS audit_is_not_shortened;
CREATE TRIGGER IF NOT EXISTS audit_keeps_its_time BEFORE DELETE ON audit
  WHEN OLD.period NOT IN (SELECT period FROM expired)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- name: step 2
CREATE INDEX audit_by_identity ON audit (identity, at) WHERE event = 'ended';
CREATE TABLE notes (name TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID;

-- name: write
INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)

-- name: log
-- A commit that the disk reported as failed may have succeeded all the same, and is tried again.
INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (period, event) DO NOTHING

-- name: open periods
SELECT period, v4, identity, v6, transport, peer FROM audit
WHERE event = 'held' AND period IN (SELECT period FROM running)

-- name: ended by identity
SELECT identity, count(*) FROM audit WHERE event = 'ended' GROUP BY identity

-- name: expire
INSERT INTO expired SELECT period FROM audit WHERE event = 'ended' AND at < ? ORDER BY at LIMIT ?

-- name: expire of identity
INSERT INTO expired SELECT period FROM audit WHERE event = 'ended' AND identity = ? ORDER BY at LIMIT ?

-- name: take expired
DELETE FROM audit WHERE period IN (SELECT period FROM expired) RETURNING event, identity

-- name: stored
SELECT v4, identity, state, since, v6 FROM leases WHERE state != 'past' ORDER BY v4

-- name: periods
SELECT held.v4, held.identity, held.v6, held.transport, held.peer, held.at, ended.at, ended.reason
FROM audit AS held LEFT JOIN audit AS ended ON ended.period = held.period AND ended.event = 'ended'
WHERE held.event = 'held' ORDER BY held.id DESC LIMIT ?
