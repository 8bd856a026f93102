-- What an ended action means to the alerts that called for it, which attempt it was, since when it is wanted, and
-- since when it waits for its turn. `begun` and `moved` number its first and last line of history: clocks are put
-- back, these numbers are not.
ALTER TABLE actions ADD COLUMN ending TEXT;
ALTER TABLE actions ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE actions ADD COLUMN wanted_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actions ADD COLUMN queued_at INTEGER;
ALTER TABLE actions ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actions ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;

UPDATE actions SET
    wanted_since = created_at,
    begun = coalesce((SELECT min(seq) FROM transitions WHERE action = actions.id), 0),
    moved = coalesce((SELECT max(seq) FROM transitions WHERE action = actions.id), 0);

-- Older journals say who said no by name alone.
UPDATE actions SET ending = CASE
    WHEN state IN ('succeeded', 'superseded') THEN 'met'
    WHEN state = 'expired' AND reason LIKE 'nobody approved in time%' THEN 'unanswered'
    WHEN state = 'expired' THEN 'hindered'
    WHEN state = 'rejected' AND reason LIKE 'observe mode:%' THEN 'observed'
    WHEN state = 'rejected' AND (SELECT actor FROM transitions WHERE seq = moved) = 'supervisor' THEN 'hindered'
    WHEN state = 'rejected' THEN 'refused'
    WHEN state IN ('rolling_back', 'rolled_back', 'failed') AND EXISTS (
        SELECT 1 FROM transitions
        WHERE action = actions.id AND to_state = 'rolling_back' AND from_state <> to_state AND actor <> 'supervisor')
        THEN 'refused'
    WHEN state IN ('rolling_back', 'rolled_back') THEN 'undone'
    WHEN state = 'failed' AND (SELECT from_state FROM transitions WHERE seq = moved) = 'rolling_back' THEN 'undone'
    WHEN state = 'failed' THEN 'hindered'
END;

CREATE INDEX actions_by_turn ON actions (workload, moved);

-- When the alert was last heard of; Alertmanager repeats what fires.
ALTER TABLE deliveries ADD COLUMN heard_at INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET heard_at = received_at;

-- Alerts that fire, and whose last action has ended without a no that holds for them.
DROP VIEW outlasting;
CREATE VIEW calling AS SELECT firing.* FROM firing JOIN actions ON actions.id = firing.action
WHERE actions.state IN ('succeeded', 'superseded', 'rejected', 'expired', 'rolled_back', 'failed')
  AND actions.ending IN ('met', 'hindered', 'unanswered', 'observed')
  AND NOT EXISTS (
      SELECT 1 FROM actions AS other
      WHERE other.workload = actions.workload AND other.moved > actions.moved
        AND other.ending IN ('refused', 'undone')
        AND other.state IN ('rejected', 'rolled_back', 'failed'));
