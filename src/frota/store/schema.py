"""The tables of a store file, and the steps from every older layout to the present one.

The layout's number is SQLite's ``user_version``. A change of the layout adds one to
``VERSION``, a step to ``STEPS`` and a file of the old layout to ``tests/store/layouts``;
steps are never edited afterwards. New fields of stored values need no step as long as they
have defaults (``codec``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

VERSION = 2
APPLICATION_ID = 0x46524F54  # "FROT": tells a store from any other SQLite file

TABLES: Sequence[str] = (
    # One row. ``compacted``: deletions up to this revision are forgotten. ``latest``: the
    # latest time at which something was committed, by the writer's clock (ports.clock).
    """CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        revision INTEGER NOT NULL,
        compacted INTEGER NOT NULL,
        latest REAL NOT NULL
    )""",
    "INSERT INTO state VALUES (1, 0, 0, 0.0)",
    # ``value`` NULL marks a deleted entry, kept so that ``changes`` can tell of it.
    """CREATE TABLE entries (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT,
        revision INTEGER NOT NULL,
        PRIMARY KEY (kind, name)
    ) WITHOUT ROWID""",
    "CREATE INDEX entries_by_revision ON entries (revision)",
    "CREATE INDEX entries_deleted ON entries (revision) WHERE value IS NULL",
    """CREATE TABLE journal (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        grp TEXT NOT NULL,
        cause_id TEXT NOT NULL,
        stage TEXT NOT NULL,
        subject TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        rejected TEXT NOT NULL
    )""",
    "CREATE INDEX journal_by_group ON journal (grp)",
    "CREATE INDEX journal_by_subject ON journal (subject)",
    "CREATE INDEX journal_by_cause ON journal (cause_id)",
)

# From each layout to the next. Layout 1 forgot deletions and knew no time.
STEPS: Mapping[int, Sequence[str]] = {
    1: (
        "ALTER TABLE state ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE state ADD COLUMN latest REAL NOT NULL DEFAULT 0.0",
        # Deletions before the change left no trace, so nobody may rely on them.
        "UPDATE state SET compacted = revision",
        "UPDATE state SET latest = coalesce((SELECT max(at) FROM journal), 0.0)",
        "ALTER TABLE entries RENAME TO entries_1",
        TABLES[2],
        "INSERT INTO entries SELECT kind, name, value, revision FROM entries_1",
        "DROP TABLE entries_1",
        "CREATE INDEX entries_by_revision ON entries (revision)",
        "CREATE INDEX entries_deleted ON entries (revision) WHERE value IS NULL",
    ),
}
