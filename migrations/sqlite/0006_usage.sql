-- Who uses what, by the hour. Every server adds its counts to what is there, so that those of several add up.
--
-- What a client says of itself is bounded where it is counted. The empty text stands for what was not said: no
-- organization, no client's name, no version, no name of an operation.

CREATE TABLE client_usage (
    -- The first second of the hour.
    hour         INTEGER NOT NULL CHECK (hour BETWEEN 0 AND 253402300799 AND hour % 3600 = 0),
    organization TEXT    NOT NULL CHECK (length(CAST(organization AS BLOB)) <= 255),
    scheme       TEXT    NOT NULL CHECK (length(CAST(scheme AS BLOB)) BETWEEN 1 AND 255),
    key_id       TEXT    NOT NULL CHECK (length(CAST(key_id AS BLOB)) BETWEEN 1 AND 255),
    client       TEXT    NOT NULL CHECK (length(CAST(client AS BLOB)) <= 255),
    version      TEXT    NOT NULL CHECK (length(CAST(version AS BLOB)) <= 255),
    requests     INTEGER NOT NULL CHECK (requests >= 0),
    -- Of the requests, those that were answered with 401 or 403, and those that failed otherwise.
    denied       INTEGER NOT NULL CHECK (denied >= 0),
    errors       INTEGER NOT NULL CHECK (errors >= 0),
    last_seen    INTEGER NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    -- Requests that took less than so many milliseconds and not less than the bound before, and those that took longer.
    under_1      INTEGER NOT NULL CHECK (under_1 >= 0),
    under_2      INTEGER NOT NULL CHECK (under_2 >= 0),
    under_5      INTEGER NOT NULL CHECK (under_5 >= 0),
    under_10     INTEGER NOT NULL CHECK (under_10 >= 0),
    under_20     INTEGER NOT NULL CHECK (under_20 >= 0),
    under_50     INTEGER NOT NULL CHECK (under_50 >= 0),
    under_100    INTEGER NOT NULL CHECK (under_100 >= 0),
    under_200    INTEGER NOT NULL CHECK (under_200 >= 0),
    under_500    INTEGER NOT NULL CHECK (under_500 >= 0),
    under_1000   INTEGER NOT NULL CHECK (under_1000 >= 0),
    under_2000   INTEGER NOT NULL CHECK (under_2000 >= 0),
    under_5000   INTEGER NOT NULL CHECK (under_5000 >= 0),
    under_10000  INTEGER NOT NULL CHECK (under_10000 >= 0),
    longer       INTEGER NOT NULL CHECK (longer >= 0),
    PRIMARY KEY (hour, organization, scheme, key_id, client, version)
) STRICT, WITHOUT ROWID;

-- What GraphQL clients run and select: an operation by its name, a field by its type and name, like Query.me.
CREATE TABLE graphql_usage (
    hour         INTEGER NOT NULL CHECK (hour BETWEEN 0 AND 253402300799 AND hour % 3600 = 0),
    kind         TEXT    NOT NULL CHECK (kind IN ('operation', 'field')),
    name         TEXT    NOT NULL CHECK (length(CAST(name AS BLOB)) <= 255),
    organization TEXT    NOT NULL CHECK (length(CAST(organization AS BLOB)) <= 255),
    scheme       TEXT    NOT NULL CHECK (length(CAST(scheme AS BLOB)) BETWEEN 1 AND 255),
    key_id       TEXT    NOT NULL CHECK (length(CAST(key_id AS BLOB)) BETWEEN 1 AND 255),
    client       TEXT    NOT NULL CHECK (length(CAST(client AS BLOB)) <= 255),
    version      TEXT    NOT NULL CHECK (length(CAST(version AS BLOB)) <= 255),
    requests     INTEGER NOT NULL CHECK (requests >= 0),
    errors       INTEGER NOT NULL CHECK (errors >= 0),
    last_seen    INTEGER NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    PRIMARY KEY (hour, kind, name, organization, scheme, key_id, client, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcome_usage (
    hour      INTEGER NOT NULL CHECK (hour BETWEEN 0 AND 253402300799 AND hour % 3600 = 0),
    outcome   TEXT    NOT NULL CHECK (length(CAST(outcome AS BLOB)) BETWEEN 1 AND 255),
    requests  INTEGER NOT NULL CHECK (requests >= 0),
    last_seen INTEGER NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    PRIMARY KEY (hour, outcome)
) STRICT, WITHOUT ROWID;
