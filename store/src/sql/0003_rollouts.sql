-- Effects in stages, a state for effects that nobody can call good or bad, plans that people edit, and what was
-- measured. `plan_no` grows with each plan, so that a decision can be bound to the one that was seen.
ALTER TABLE actions ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actions ADD COLUMN stage_at INTEGER;
ALTER TABLE actions ADD COLUMN plan_no INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actions ADD COLUMN effect TEXT;

UPDATE actions SET stage_at = applied_at;

-- What the alert said, in JSON.
ALTER TABLE deliveries ADD COLUMN alert TEXT;

DROP INDEX one_open_action;
CREATE UNIQUE INDEX one_open_action ON actions (workload)
WHERE state IN ('proposed', 'awaiting_approval', 'grace', 'applying', 'verifying', 'paused', 'rolling_back');

DROP VIEW open_actions;
CREATE VIEW open_actions AS SELECT * FROM actions
WHERE state IN ('proposed', 'awaiting_approval', 'grace', 'applying', 'verifying', 'paused', 'rolling_back');

-- Number 0 is what was found before the effect.
CREATE TABLE looks (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    action   TEXT NOT NULL REFERENCES actions (id),
    stage    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    "check"  TEXT NOT NULL,
    verdict  TEXT NOT NULL,
    "before" TEXT,
    "after"  TEXT,
    reason   TEXT NOT NULL
) STRICT;

CREATE INDEX looks_by_action ON looks (action, seq);

CREATE TRIGGER looks_are_not_changed BEFORE UPDATE ON looks
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER looks_are_not_deleted BEFORE DELETE ON looks
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE INDEX actions_by_workload ON actions (workload, created_at);
