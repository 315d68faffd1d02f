-- What the GraphQL schema shows: titles, items for sale, and a log; every row belongs to one organization.

CREATE TABLE ref_title (
    organization TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    synopsis     TEXT    NOT NULL,
    release_year INTEGER,
    updated_at   INTEGER NOT NULL, -- Unix milliseconds
    PRIMARY KEY (organization, id)
);
CREATE INDEX ref_title_by_name ON ref_title (organization, name, id);

CREATE TABLE ref_item (
    organization TEXT NOT NULL,
    id           TEXT NOT NULL,
    title        TEXT NOT NULL,
    PRIMARY KEY (organization, id)
);

CREATE TABLE ref_item_image (
    organization TEXT    NOT NULL,
    item         TEXT    NOT NULL,
    position     INTEGER NOT NULL,
    original     TEXT    NOT NULL, -- the address of the file
    PRIMARY KEY (organization, item, position),
    FOREIGN KEY (organization, item) REFERENCES ref_item (organization, id) ON DELETE CASCADE
);

CREATE TABLE ref_log (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    organization TEXT    NOT NULL,
    principal    TEXT    NOT NULL,
    msg          TEXT    NOT NULL,
    created_at   INTEGER NOT NULL -- Unix milliseconds
);
CREATE INDEX ref_log_by_organization ON ref_log (organization, id);
