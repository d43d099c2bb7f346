-- The replay of a run. Read it with any SQLite tool while the learner writes; the view `replay` joins everything.
-- Times are microseconds since 1970-01-01 UTC, logarithms are natural. Units are in brackets.

-- Facts about the run.
CREATE TABLE meta (
    key TEXT PRIMARY KEY, -- which fact
    value TEXT NOT NULL -- what it is
) WITHOUT ROWID;

-- One row per life of an actor process.
CREATE TABLE actors (
    id INTEGER PRIMARY KEY, -- its number in this database
    incarnation TEXT NOT NULL UNIQUE, -- 16 hexadecimal digits, drawn when the process starts
    name TEXT NOT NULL, -- for people; a restarted actor has the same
    first_seen_us INTEGER NOT NULL -- when its first trajectory was received [µs]
);

-- Distinct objects; ids rise in order of first appearance.
CREATE TABLE objects (
    id INTEGER PRIMARY KEY, -- its number in this database
    x TEXT NOT NULL UNIQUE, -- the object, as people write it
    y REAL NOT NULL, -- raw score, as first stated
    log_reward REAL NOT NULL, -- log R, without β, as first stated [nats]
    seen INTEGER NOT NULL DEFAULT 1, -- number of trajectories that end here
    first_actor INTEGER NOT NULL, -- the actor of the first such trajectory
    first_seq INTEGER NOT NULL -- its number within that actor
);

-- What trajectories that came together have in common; ids rise in order of commit. A batch holds the trajectories
-- first_seq to last_seq of its actor, without gaps.
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, -- its number in this database
    actor_id INTEGER NOT NULL REFERENCES actors (id), -- who sent it
    first_seq INTEGER NOT NULL, -- its first trajectory
    last_seq INTEGER NOT NULL, -- its last trajectory
    round INTEGER NOT NULL, -- sync mode: the round; async mode: the actor's own count
    policy_version INTEGER NOT NULL, -- the weights it was sampled with
    staleness INTEGER NOT NULL, -- the learner's policy version at receipt, less policy_version
    trainable INTEGER NOT NULL, -- 0: kept, but too stale to train on
    received_us INTEGER NOT NULL -- when it was received [µs]
);
CREATE INDEX batches_by_round ON batches (round);

-- Everything that was ever sampled, once.
CREATE TABLE trajectories (
    actor_id INTEGER NOT NULL REFERENCES actors (id), -- who sampled it
    seq INTEGER NOT NULL, -- 0, 1, 2 … within an actor
    batch_id INTEGER NOT NULL REFERENCES batches (id), -- what it came with
    idx INTEGER NOT NULL, -- place in the round
    object_id INTEGER NOT NULL REFERENCES objects (id), -- the object that it ends in
    beta REAL NOT NULL, -- β, the inverse temperature it was sampled at
    log_pf REAL NOT NULL, -- log P_F of the whole trajectory when it was sampled [nats]
    y REAL, -- raw score; NULL: that of the object
    log_reward REAL, -- log R; NULL: that of the object [nats]
    actions BLOB NOT NULL, -- a byte per action under 128; LEB128 in general
    PRIMARY KEY (actor_id, seq)
) WITHOUT ROWID;

CREATE VIEW replay AS
SELECT
    a.name AS actor, a.incarnation, t.seq, b.round, t.idx, b.policy_version, b.staleness, b.trainable, t.beta, o.x,
    coalesce(t.y, o.y) AS y, coalesce(t.log_reward, o.log_reward) AS log_reward, t.log_pf, b.received_us, t.actions
FROM trajectories t
JOIN batches b ON b.id = t.batch_id
JOIN objects o ON o.id = t.object_id
JOIN actors a ON a.id = t.actor_id;
