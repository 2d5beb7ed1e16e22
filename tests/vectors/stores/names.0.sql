BEGIN TRANSACTION;
CREATE TABLE entries (
  name TEXT PRIMARY KEY, identity TEXT NOT NULL, wanted TEXT NOT NULL, known TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "entries" VALUES('laptop.corp.example','laptop','[["A", "10.0.8.1"]]','[]');
COMMIT;
