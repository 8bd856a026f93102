CREATE TABLE actions (
    id          TEXT PRIMARY KEY,
    workload    TEXT NOT NULL,
    state       TEXT NOT NULL,
    mode        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    starts_at   INTEGER NOT NULL,
    plan        TEXT,
    pre_image   TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    applied_at  INTEGER,
    deadline    INTEGER,
    reason      TEXT NOT NULL
) STRICT;

-- The promise that a workload has one action at a time is kept here, where no race can break it.
CREATE UNIQUE INDEX one_open_action ON actions (workload)
WHERE state IN ('proposed', 'awaiting_approval', 'grace', 'applying', 'verifying', 'rolling_back');

CREATE INDEX actions_by_age ON actions (created_at);
CREATE INDEX actions_by_effect ON actions (applied_at) WHERE applied_at IS NOT NULL;

CREATE TABLE transitions (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    action     TEXT NOT NULL REFERENCES actions (id),
    from_state TEXT,
    to_state   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;

CREATE INDEX transitions_by_action ON transitions (action, seq);

CREATE TRIGGER transitions_are_not_changed BEFORE UPDATE ON transitions
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER transitions_are_not_deleted BEFORE DELETE ON transitions
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE deliveries (
    fingerprint TEXT NOT NULL,
    starts_at   INTEGER NOT NULL,
    status      TEXT NOT NULL,
    workload    TEXT,
    received_at INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    action      TEXT REFERENCES actions (id),
    PRIMARY KEY (fingerprint, starts_at, status)
) STRICT;

CREATE INDEX deliveries_by_action ON deliveries (action) WHERE action IS NOT NULL;
CREATE INDEX deliveries_by_age ON deliveries (received_at);
CREATE INDEX deliveries_deferred ON deliveries (received_at) WHERE outcome = 'deferred';
