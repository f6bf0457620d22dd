-- Version 2: whose a job is, where several people share one app. Empty: the owner's of the machine.

ALTER TABLE job ADD COLUMN visitor TEXT NOT NULL DEFAULT '';
CREATE INDEX job_visitor ON job(visitor, id) WHERE visitor <> '';
