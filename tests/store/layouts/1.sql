-- A store file as layout 1 wrote it.
PRAGMA application_id = 1179799380;
PRAGMA user_version = 1;
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 7);
CREATE TABLE entries (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
INSERT INTO entries VALUES
    ('HostGroup', 'plant-east', '{"kind": "HostGroup", "spec": {"provider": "twin"}}', 1),
    ('Host', 'a', '{"name":"a","rack":"r1","capacity":{"memory_mib":1024,"vcpus":4,"slots":10,"gpus":[["A100",2]]},"state":"Up"}', 5),
    ('Host', 'b', '{"name":"b","rack":"r1","capacity":{"memory_mib":1024,"vcpus":4,"slots":10,"gpus":[]},"state":"Down","since":12.5}', 7);
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    grp TEXT NOT NULL,
    cause_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    rejected TEXT NOT NULL
);
CREATE INDEX journal_by_group ON journal (grp);
CREATE INDEX journal_by_subject ON journal (subject);
CREATE INDEX journal_by_cause ON journal (cause_id);
INSERT INTO journal VALUES
    (1, 10.0, 'plant-east', 'k3', 'Cause', 'Host/b', 'HostSilent', 'no heartbeat for 10 s', '[]'),
    (2, 12.5, 'plant-east', 'k3', 'Decision', 'Host/b', 'Fence', 'fence it', '["wait: the grace is over"]');
