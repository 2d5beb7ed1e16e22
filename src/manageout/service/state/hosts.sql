-- name: step 1
CREATE TABLE IF NOT EXISTS hosts (
  v4 BLOB PRIMARY KEY, flags INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_rs INTEGER NOT NULL,
  last_packet INTEGER NOT NULL, packets_in INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
  packets_out INTEGER NOT NULL, bytes_out INTEGER NOT NULL, name TEXT NOT NULL, name_checked INTEGER NOT NULL
) STRICT, WITHOUT ROWID

-- name: write
INSERT OR REPLACE INTO hosts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
