BEGIN TRANSACTION;
CREATE TABLE audit (
  id INTEGER PRIMARY KEY, period INTEGER NOT NULL, event TEXT NOT NULL CHECK (event IN ('held', 'ended')),
  at REAL NOT NULL, v4 BLOB NOT NULL, identity TEXT NOT NULL, v6 BLOB NOT NULL, transport TEXT NOT NULL,
  peer TEXT NOT NULL, reason TEXT NOT NULL, UNIQUE (period, event)
) STRICT;
INSERT INTO "audit" VALUES(1,7,'held',500.0,X'0A000801','laptop.corp.example',X'FD123456789A1000000000000000000A','ip-https','198.51.100.7:5000','');
INSERT INTO "audit" VALUES(2,7,'ended',600.0,X'0A000801','laptop.corp.example',X'FD123456789A1000000000000000000A','ip-https','198.51.100.7:5000','disconnected');
INSERT INTO "audit" VALUES(3,8,'held',1000.0,X'0A000801','laptop.corp.example',X'FD123456789A1000000000000000000A','ip-https','198.51.100.7:5000','');
CREATE TABLE expired (period INTEGER PRIMARY KEY) STRICT;
CREATE TABLE leases (
  v4 BLOB PRIMARY KEY, identity TEXT NOT NULL, state TEXT NOT NULL, since REAL NOT NULL, v6 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "leases" VALUES(X'0A000801','laptop.corp.example','held',1000.0,X'FD123456789A1000000000000000000A');
INSERT INTO "leases" VALUES(X'0A000802','tablet.corp.example','past',900.0,X'');
CREATE TABLE running (period INTEGER PRIMARY KEY) STRICT;
INSERT INTO "running" VALUES(8);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX audit_by_end ON audit (at) WHERE event = 'ended';
CREATE TRIGGER audit_keeps_its_time BEFORE DELETE ON audit
  WHEN OLD.period NOT IN (SELECT period FROM expired)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
COMMIT;
