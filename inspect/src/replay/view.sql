-- What users see of a replay: a row per trajectory. Columns that a question does not name cost nothing, because each
-- is a look-up of its own and not part of a join.
CREATE TEMP VIEW replay AS
SELECT
    (SELECT name FROM main.actors WHERE id = t.actor_id) AS actor,
    (SELECT incarnation FROM main.actors WHERE id = t.actor_id) AS incarnation,
    t.seq AS seq,
    (SELECT round FROM main.batches WHERE id = t.batch_id) AS round,
    t.idx AS idx,
    (SELECT policy_version FROM main.batches WHERE id = t.batch_id) AS policy_version,
    (SELECT staleness FROM main.batches WHERE id = t.batch_id) AS staleness,
    (SELECT trainable FROM main.batches WHERE id = t.batch_id) AS trainable,
    t.beta AS beta,
    (SELECT x FROM main.objects WHERE id = t.object_id) AS x,
    coalesce(t.y, object_y(t.object_id)) AS y,
    coalesce(t.log_reward, object_log_reward(t.object_id)) AS log_reward,
    t.log_pf AS log_pf,
    action_count(t.actions) AS length,
    (SELECT received_us FROM main.batches WHERE id = t.batch_id) AS received_us,
    t.actions AS actions,
    t.actor_id AS actor_id,
    t.batch_id AS batch_id,
    t.object_id AS object_id
FROM main.trajectories t;
