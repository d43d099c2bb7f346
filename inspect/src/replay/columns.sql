    (SELECT name FROM main.actors WHERE id = t.actor_id) AS actor, -- TEXT name of the actor that sampled it
    (SELECT incarnation FROM main.actors WHERE id = t.actor_id) AS incarnation, -- TEXT that actor's life, 16 hexadecimal digits
    t.seq AS seq, -- INTEGER 0, 1, 2 … within an incarnation
    (SELECT round FROM main.batches WHERE id = t.batch_id) AS round, -- INTEGER sync mode: the round; async mode: the actor's own count
    t.idx AS idx, -- INTEGER place in the round
    (SELECT policy_version FROM main.batches WHERE id = t.batch_id) AS policy_version, -- INTEGER the weights it was sampled with
    (SELECT staleness FROM main.batches WHERE id = t.batch_id) AS staleness, -- INTEGER the learner's policy version at receipt, less policy_version
    (SELECT trainable FROM main.batches WHERE id = t.batch_id) AS trainable, -- INTEGER 0: kept, but too stale to train on
    t.beta AS beta, -- REAL β, the inverse temperature it was sampled at
    (SELECT x FROM main.objects WHERE id = t.object_id) AS x, -- TEXT the object that it ends in, as people write it
    coalesce(t.y, object_y(t.object_id)) AS y, -- REAL raw score of x
    coalesce(t.log_reward, object_log_reward(t.object_id)) AS log_reward, -- REAL log R of x, without β [nats]
    t.log_pf AS log_pf, -- REAL log P_F of the whole trajectory when it was sampled [nats]
    action_count(t.actions) AS length, -- INTEGER number of actions
    (SELECT received_us FROM main.batches WHERE id = t.batch_id) AS received_us, -- INTEGER when it was received, since 1970-01-01 UTC [µs]
    t.actions AS actions, -- BLOB a byte per action under 128; LEB128 in general
    t.actor_id AS actor_id, -- INTEGER row of the table actors
    t.batch_id AS batch_id, -- INTEGER row of the table batches
    t.object_id AS object_id -- INTEGER row of the table objects
