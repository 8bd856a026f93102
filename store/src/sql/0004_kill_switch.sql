-- Who threw the kill switch or took it back. The file decides; this says who made it or took it away.
CREATE TABLE kill_switch (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    thrown INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE TRIGGER kill_switch_is_not_changed BEFORE UPDATE ON kill_switch
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER kill_switch_is_not_deleted BEFORE DELETE ON kill_switch
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
