-- An alert that ended and fires again may have the beginning that it had before, so beginning and status do not name
-- a delivery any more. `begun_at` is from when on an end is one of this beginning. `ends_at` is when an alert stopped,
-- as its end says. `ended_at` is when the end of a beginning was heard, and of an end, when it was heard last.
DROP VIEW outlasting;
DROP VIEW firing;
ALTER TABLE deliveries RENAME TO deliveries_before;

CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    starts_at   INTEGER NOT NULL,
    status      TEXT NOT NULL,
    begun_at    INTEGER NOT NULL,
    ends_at     INTEGER,
    ended_at    INTEGER,
    workload    TEXT,
    received_at INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    action      TEXT REFERENCES actions (id),
    alert       TEXT
) STRICT;

-- Ends were matched with equal beginnings alone; those that an end passed by are ended now.
INSERT INTO deliveries (fingerprint, starts_at, status, begun_at, ended_at, workload, received_at, outcome, reason,
    action, alert)
SELECT fingerprint, starts_at, status, starts_at,
    CASE status WHEN 'firing' THEN (
        SELECT min(ended.received_at) FROM deliveries_before AS ended
        WHERE ended.fingerprint = begun.fingerprint AND ended.status = 'resolved'
          AND (ended.starts_at = begun.starts_at OR ended.received_at >= begun.received_at))
    ELSE received_at END,
    workload, received_at, outcome, reason, action, alert
FROM deliveries_before AS begun ORDER BY received_at;

DROP TABLE deliveries_before;

CREATE INDEX deliveries_by_age ON deliveries (received_at);
CREATE INDEX deliveries_by_action ON deliveries (action, received_at) WHERE action IS NOT NULL;
CREATE INDEX ends_by_alert ON deliveries (fingerprint, received_at) WHERE status = 'resolved';

-- These hold what fires, and nothing of what did.
CREATE INDEX firing_by_alert ON deliveries (fingerprint) WHERE status = 'firing' AND ended_at IS NULL;
CREATE INDEX firing_by_action ON deliveries (action, received_at) WHERE status = 'firing' AND ended_at IS NULL;
CREATE INDEX firing_deferred ON deliveries (received_at)
WHERE status = 'firing' AND ended_at IS NULL AND outcome = 'deferred';
CREATE INDEX firing_doubted ON deliveries (received_at)
WHERE status = 'firing' AND ended_at IS NULL AND outcome = 'ignored';

CREATE VIEW firing AS SELECT * FROM deliveries WHERE status = 'firing' AND ended_at IS NULL;

CREATE VIEW outlasting AS SELECT firing.* FROM firing JOIN actions ON actions.id = firing.action
WHERE actions.state IN ('succeeded', 'superseded');

CREATE INDEX actions_finished ON actions (workload, updated_at, id) WHERE applied_at IS NOT NULL;
