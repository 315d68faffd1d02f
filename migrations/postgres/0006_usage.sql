-- Who uses what, by the hour. Every server adds its counts to what is there, so that those of several add up.
--
-- What a client says of itself is bounded where it is counted. The empty text stands for what was not said: no
-- organization, no client's name, no version, no name of an operation.

CREATE TABLE client_usage (
    -- The first second of the hour.
    hour         BIGINT NOT NULL CHECK (hour BETWEEN 0 AND 253402300799 AND hour % 3600 = 0),
    organization TEXT   COLLATE "C" NOT NULL CHECK (octet_length(organization) <= 255),
    scheme       TEXT   COLLATE "C" NOT NULL CHECK (octet_length(scheme) BETWEEN 1 AND 255),
    key_id       TEXT   COLLATE "C" NOT NULL CHECK (octet_length(key_id) BETWEEN 1 AND 255),
    client       TEXT   COLLATE "C" NOT NULL CHECK (octet_length(client) <= 255),
    version      TEXT   COLLATE "C" NOT NULL CHECK (octet_length(version) <= 255),
    requests     BIGINT NOT NULL CHECK (requests >= 0),
    -- Of the requests, those that were answered with 401 or 403, and those that failed otherwise.
    denied       BIGINT NOT NULL CHECK (denied >= 0),
    errors       BIGINT NOT NULL CHECK (errors >= 0),
    last_seen    BIGINT NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    -- Requests that took less than so many milliseconds and not less than the bound before, and those that took longer.
    under_1      BIGINT NOT NULL CHECK (under_1 >= 0),
    under_2      BIGINT NOT NULL CHECK (under_2 >= 0),
    under_5      BIGINT NOT NULL CHECK (under_5 >= 0),
    under_10     BIGINT NOT NULL CHECK (under_10 >= 0),
    under_20     BIGINT NOT NULL CHECK (under_20 >= 0),
    under_50     BIGINT NOT NULL CHECK (under_50 >= 0),
    under_100    BIGINT NOT NULL CHECK (under_100 >= 0),
    under_200    BIGINT NOT NULL CHECK (under_200 >= 0),
    under_500    BIGINT NOT NULL CHECK (under_500 >= 0),
    under_1000   BIGINT NOT NULL CHECK (under_1000 >= 0),
    under_2000   BIGINT NOT NULL CHECK (under_2000 >= 0),
    under_5000   BIGINT NOT NULL CHECK (under_5000 >= 0),
    under_10000  BIGINT NOT NULL CHECK (under_10000 >= 0),
    longer       BIGINT NOT NULL CHECK (longer >= 0),
    PRIMARY KEY (hour, organization, scheme, key_id, client, version)
);

-- What GraphQL clients run and select: an operation by its name, a field by its type and name, like Query.me.
CREATE TABLE graphql_usage (
    hour         BIGINT NOT NULL CHECK (hour BETWEEN 0 AND 253402300799 AND hour % 3600 = 0),
    kind         TEXT   COLLATE "C" NOT NULL CHECK (kind IN ('operation', 'field')),
    name         TEXT   COLLATE "C" NOT NULL CHECK (octet_length(name) <= 255),
    organization TEXT   COLLATE "C" NOT NULL CHECK (octet_length(organization) <= 255),
    scheme       TEXT   COLLATE "C" NOT NULL CHECK (octet_length(scheme) BETWEEN 1 AND 255),
    key_id       TEXT   COLLATE "C" NOT NULL CHECK (octet_length(key_id) BETWEEN 1 AND 255),
    client       TEXT   COLLATE "C" NOT NULL CHECK (octet_length(client) <= 255),
    version      TEXT   COLLATE "C" NOT NULL CHECK (octet_length(version) <= 255),
    requests     BIGINT NOT NULL CHECK (requests >= 0),
    errors       BIGINT NOT NULL CHECK (errors >= 0),
    last_seen    BIGINT NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    PRIMARY KEY (hour, kind, name, organization, scheme, key_id, client, version)
);

CREATE TABLE outcome_usage (
    hour      BIGINT NOT NULL CHECK (hour BETWEEN 0 AND 253402300799 AND hour % 3600 = 0),
    outcome   TEXT   COLLATE "C" NOT NULL CHECK (octet_length(outcome) BETWEEN 1 AND 255),
    requests  BIGINT NOT NULL CHECK (requests >= 0),
    last_seen BIGINT NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799),
    PRIMARY KEY (hour, outcome)
);
