-- What the sites API shows: sites have streams, streams have samples. A workspace is an organization, or the personal
-- space of an account without one. Times are Unix seconds; what is measured is text, as it is answered.

CREATE TABLE ref_site (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    latitude   TEXT    NOT NULL,
    longitude  TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX ref_site_by_workspace ON ref_site (workspace, id);

CREATE TABLE ref_stream (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    site_id     INTEGER NOT NULL REFERENCES ref_site (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    status_id   INTEGER NOT NULL,
    type_id     INTEGER NOT NULL,
    type_name   TEXT    NOT NULL,
    units       TEXT    NOT NULL,
    value_scale TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
);
CREATE INDEX ref_stream_by_site ON ref_stream (site_id, id);

CREATE TABLE ref_sample (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id  INTEGER NOT NULL REFERENCES ref_stream (id) ON DELETE CASCADE,
    sampled_at INTEGER NOT NULL,
    value      TEXT    NOT NULL
);
CREATE INDEX ref_sample_by_time ON ref_sample (stream_id, sampled_at, id);
CREATE INDEX ref_sample_by_id ON ref_sample (stream_id, id);
