-- What queries ask for by name: the actions that still run, and the alerts whose end was not heard yet.
CREATE VIEW open_actions AS SELECT * FROM actions
WHERE state IN ('proposed', 'awaiting_approval', 'grace', 'applying', 'verifying', 'rolling_back');

CREATE VIEW firing AS SELECT * FROM deliveries AS begun
WHERE status = 'firing' AND NOT EXISTS (
    SELECT 1 FROM deliveries AS ended
    WHERE ended.fingerprint = begun.fingerprint AND ended.starts_at = begun.starts_at
      AND ended.status = 'resolved');

-- Alerts that went on firing after their action had succeeded, or had turned out not to be needed.
CREATE VIEW outlasting AS SELECT firing.* FROM firing JOIN actions ON actions.id = firing.action
WHERE actions.state IN ('succeeded', 'superseded');
