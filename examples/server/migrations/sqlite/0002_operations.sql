-- What the ops endpoint keeps: folders hold processes, processes hold nodes, tasks stand in nodes. A workspace is a
-- company, or the personal space of an account without one. Times are Unix seconds; JSON is kept as text.

CREATE TABLE ref_folder (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace   TEXT    NOT NULL,
    parent_id   INTEGER REFERENCES ref_folder (id) ON DELETE CASCADE, -- NULL: the root
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    deleted_at  INTEGER -- in the trash since
);
CREATE INDEX ref_folder_by_parent ON ref_folder (workspace, parent_id);

CREATE TABLE ref_conv (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace   TEXT    NOT NULL,
    folder_id   INTEGER REFERENCES ref_folder (id) ON DELETE CASCADE, -- NULL: the root
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    conv_type   TEXT    NOT NULL CHECK (conv_type IN ('process', 'state')),
    status      TEXT    NOT NULL CHECK (status IN ('active', 'paused', 'debug', 'blocked')),
    hash        TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    deleted_at  INTEGER -- in the trash since
);
CREATE INDEX ref_conv_by_folder ON ref_conv (workspace, folder_id);

CREATE TABLE ref_node (
    id          TEXT    PRIMARY KEY,
    conv_id     INTEGER NOT NULL REFERENCES ref_conv (id) ON DELETE CASCADE,
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    obj_type    INTEGER NOT NULL CHECK (obj_type BETWEEN 0 AND 3), -- custom, start, final, escalation
    version     INTEGER,
    content     TEXT    NOT NULL, -- logics, semaphors, position, extra, options
    created_at  INTEGER NOT NULL
);
CREATE INDEX ref_node_by_conv ON ref_node (conv_id, created_at, id);

CREATE TABLE ref_task (
    id           TEXT    PRIMARY KEY,
    conv_id      INTEGER NOT NULL REFERENCES ref_conv (id) ON DELETE CASCADE,
    ref          TEXT,
    node_id      TEXT    NOT NULL REFERENCES ref_node (id) ON DELETE CASCADE,
    node_prev_id TEXT,
    status       TEXT    NOT NULL CHECK (status IN ('active', 'processed')),
    data         TEXT    NOT NULL,
    owner        TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX ref_task_by_ref ON ref_task (conv_id, ref);
CREATE INDEX ref_task_by_node ON ref_task (node_id, created_at, id);

CREATE TABLE ref_export (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    conv_id    INTEGER NOT NULL REFERENCES ref_conv (id) ON DELETE CASCADE,
    workspace  TEXT    NOT NULL,
    content    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX ref_export_by_conv ON ref_export (conv_id, id);
