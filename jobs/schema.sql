-- Version 1. Times are seconds since 1970; json columns hold one JSON value (checked by the program).

CREATE TABLE job(
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN('queued','running','needs_review','succeeded','failed','cancelled')),
  title TEXT NOT NULL,
  search TEXT NOT NULL,                -- the title, case-folded
  params TEXT NOT NULL,                -- json
  client_key TEXT UNIQUE,              -- makes a repeated submission one job
  created REAL NOT NULL,
  updated REAL NOT NULL,
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK(cancel_requested IN(0,1)),
  pause_requested INTEGER NOT NULL DEFAULT 0 CHECK(pause_requested IN(0,1)),
  attempt INTEGER NOT NULL DEFAULT 0,  -- the fence: a runner writes only while its attempt is the current one
  owner TEXT,
  lease_until REAL,
  error TEXT,                          -- json
  CHECK((state = 'running') = (owner IS NOT NULL)),
  CHECK((state = 'running') = (lease_until IS NOT NULL))
) STRICT;
CREATE INDEX job_state ON job(state, id);
CREATE INDEX job_search ON job(id, search, state, kind);

CREATE TABLE step(
  job_id TEXT NOT NULL REFERENCES job(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  attempt INTEGER NOT NULL CHECK(attempt >= 1),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK(state IN('pending','running','done','needs_review','accepted','failed','cancelled','unknown')),
  chosen INTEGER NOT NULL CHECK(chosen IN(0,1)),
  params TEXT NOT NULL,                -- json
  input_key TEXT NOT NULL,
  result TEXT NOT NULL,                -- json
  error TEXT,                          -- json
  started REAL,
  ended REAL,
  PRIMARY KEY(job_id, key, attempt)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX step_chosen ON step(job_id, key) WHERE chosen = 1;

-- No reference to job: the many events of a deleted job go after it, in portions that fit on a full disk.
CREATE TABLE event(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL,
  time REAL NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL                   -- json
) STRICT;
CREATE INDEX event_job ON event(job_id, seq);
CREATE INDEX event_note ON event(job_id, seq) WHERE type = 'note';

CREATE TABLE asset(
  job_id TEXT NOT NULL REFERENCES job(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL CHECK(length(sha256) = 64),
  bytes INTEGER NOT NULL CHECK(bytes >= 0),
  mime TEXT NOT NULL,
  PRIMARY KEY(job_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_sha256 ON asset(sha256);

-- The ledger of paid calls outlives the jobs that made them, so it refers to them by name only.
CREATE TABLE spend(
  id TEXT PRIMARY KEY,
  job_id TEXT NOT NULL,
  step_key TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  provider TEXT NOT NULL,
  idempotency_key TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL
    CHECK(state IN('reserved','submitting','submitted','remote_done','settled','released','uncertain')),
  reserved_microusd INTEGER NOT NULL CHECK(reserved_microusd >= 0),
  settled_microusd INTEGER CHECK(settled_microusd >= 0),
  remote TEXT,                         -- json: the ids by which the provider knows the call
  created REAL NOT NULL,
  updated REAL NOT NULL,
  CHECK((state = 'settled') = (settled_microusd IS NOT NULL))
) STRICT;
CREATE INDEX spend_step ON spend(job_id, step_key, attempt);
CREATE TRIGGER spend_birth BEFORE INSERT ON spend WHEN NEW.state <> 'reserved'
BEGIN
  SELECT RAISE(ABORT, 'a paid call begins as reserved');
END;
CREATE TRIGGER spend_move BEFORE UPDATE OF state ON spend
WHEN OLD.state || '>' || NEW.state NOT IN (
  'reserved>submitting', 'submitting>submitted', 'submitted>remote_done', 'remote_done>settled',
  'reserved>released', 'submitting>released',        -- provably unpaid
  'submitting>uncertain', 'uncertain>settled', 'uncertain>released')  -- looked up, or told by the person
BEGIN
  SELECT RAISE(ABORT, 'this move of a paid call is not legal');
END;
