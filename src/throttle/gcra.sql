-- The throttle's states and its decision, for PostgreSQL from version 14. It can be run again.

-- Several processes may run this at once, as they start: IF NOT EXISTS alone lets one of them fail.
DO $bailiwick$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('bailiwick_throttle')); END $bailiwick$;

CREATE TABLE IF NOT EXISTS bailiwick_throttle (
    key text COLLATE "C" PRIMARY KEY,
    -- For each quota: its period in seconds, the theoretical arrival time and the emission interval in nanoseconds.
    states bigint[] NOT NULL,
    -- What the last check was answered; it is here to be returned.
    answer bigint[] NOT NULL,
    -- From when on the row can be deleted: everything has drained, and the skew of clocks has passed.
    drained_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX IF NOT EXISTS bailiwick_throttle_drained_at ON bailiwick_throttle (drained_at);

-- What `gcra::decide_all` decides, from the states that are stored.
--
-- asked: the cells that are asked for; how far clocks differ at most; then seven for each quota, by ascending period:
--        its period in seconds; its burst; its emission interval; what its burst takes to drain; what the cells that
--        are asked for take to drain; the greatest burst that any plan has, 0 if that is not known; and the longest
--        backlog that charging alone can leave.
-- answer: the time of the decision; the verdict (0 allowed, 1 exceeded, 2 more than the burst); each quota's backlog.
--
-- Times are in nanoseconds. Sums and products are numeric, and stop where 64 bits do, as they do in the library.
CREATE OR REPLACE FUNCTION bailiwick_gcra(
    stored bigint[],
    asked bigint[],
    asked_at bigint,
    OUT states bigint[],
    OUT answer bigint[],
    OUT drained_at timestamptz
) LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $bailiwick$
DECLARE
    most CONSTANT numeric := 9223372036854775807;
    -- 400 days: no quota takes longer to drain. No backlog lasts beyond `last`.
    longest_window CONSTANT numeric := 34560000000000000;
    last CONSTANT numeric := most - longest_window;
    now CONSTANT numeric := asked_at;
    cells CONSTANT bigint := asked[1];
    skew CONSTANT numeric := asked[2];
    quotas CONSTANT integer := (cardinality(asked) - 2) / 7;
    slots integer := cardinality(stored) / 3;
    is_sound boolean := cardinality(stored) % 3 = 0 AND cardinality(stored) <= 12;
    own integer[] := array_fill(NULL::integer, ARRAY[4]);
    is_claimed boolean[] := array_fill(false, ARRAY[4]);
    backlogs numeric[] := '{}';
    is_changed boolean[] := '{}';
    verdict bigint := 0;
    latest numeric := asked_at;
    heir integer;
    -- Of one quota:
    base integer;
    emission numeric;
    drain numeric;
    charge numeric;
    longest numeric;
    -- Of one state:
    gap numeric;
    written numeric;
    old_longest numeric;
    owed numeric;
    is_corrupt boolean;
BEGIN
    FOR j IN 1..CASE WHEN is_sound THEN slots ELSE 0 END LOOP
        is_sound := is_sound AND stored[3 * j - 2] BETWEEN 1 AND 4294967295
            AND stored[3 * j - 1] IS NOT NULL AND stored[3 * j] IS NOT NULL;
        FOR k IN 1..j - 1 LOOP
            is_sound := is_sound AND stored[3 * j - 2] <> stored[3 * k - 2];
        END LOOP;
    END LOOP;
    -- What was not written here is taken as corrupt states: full of the greatest burst, and written over. So it neither
    -- fails for ever nor refills anything.
    IF is_sound IS NOT TRUE THEN
        slots := quotas;
        stored := '{}';
        FOR i IN 1..quotas LOOP
            stored := stored || ARRAY[asked[7 * i - 4], most::bigint, 0];
        END LOOP;
    END IF;

    -- A state belongs to the quota of the same period. A quota without one takes over that of the shortest period that
    -- no quota claims.
    FOR i IN 1..quotas LOOP
        FOR j IN 1..slots LOOP
            IF stored[3 * j - 2] = asked[7 * i - 4] THEN
                own[i] := j;
                is_claimed[j] := true;
            END IF;
        END LOOP;
    END LOOP;
    FOR i IN 1..quotas LOOP
        IF own[i] IS NULL THEN
            heir := NULL;
            FOR j IN 1..slots LOOP
                IF NOT is_claimed[j] AND (heir IS NULL OR stored[3 * j - 2] < stored[3 * heir - 2]) THEN
                    heir := j;
                END IF;
            END LOOP;
            IF heir IS NOT NULL THEN
                own[i] := heir;
                is_claimed[heir] := true;
            END IF;
        END IF;
    END LOOP;

    FOR i IN 1..quotas LOOP
        base := 7 * i - 4;
        emission := asked[base + 2];
        drain := asked[base + 3];
        charge := asked[base + 4];
        longest := asked[base + 6];
        backlogs[i] := 0;
        is_changed[i] := false;
        gap := CASE WHEN own[i] IS NULL THEN 0 ELSE least(stored[3 * own[i] - 1] - now, most) END;
        written := stored[3 * own[i]];
        IF gap > 0 AND NOT (written = emission AND gap <= drain) THEN
            -- A state of another interval, or one that is longer than the quota's own burst explains.
            IF written < 1 OR written > longest_window THEN
                backlogs[i] := longest;
                is_changed[i] := true;
            ELSE
                old_longest := CASE WHEN asked[base + 5] = 0 THEN longest_window
                    ELSE least(asked[base + 5] * written, most) END;
                is_corrupt := gap > least(old_longest + skew, most);
                owed := least(gap, old_longest);
                -- What exceeds the longest backlog is the difference of two clocks: time, and not cells to be repriced.
                gap := CASE WHEN is_corrupt THEN 0 ELSE gap - owed END;
                is_changed[i] := is_corrupt OR written <> emission;
                IF written <> emission THEN
                    owed := least(div(owed * emission + written - 1, written), most, longest);
                END IF;
                backlogs[i] := least(owed + gap, most);
            END IF;
            backlogs[i] := least(backlogs[i], last - now, most);
        ELSIF gap > 0 THEN
            backlogs[i] := gap;
        END IF;
        IF cells > asked[base + 1] THEN
            verdict := 2;
        ELSIF verdict = 0 AND backlogs[i] + charge > drain THEN
            verdict := 1;
        END IF;
    END LOOP;

    -- All are charged, or none is. A state that was put right is written after a refusal too.
    states := '{}';
    answer := ARRAY[asked_at, verdict];
    FOR i IN 1..quotas LOOP
        base := 7 * i - 4;
        IF verdict = 0 THEN
            backlogs[i] := backlogs[i] + asked[base + 4];
            is_changed[i] := true;
        END IF;
        IF is_changed[i] THEN
            states := states || ARRAY[asked[base], least(now + backlogs[i], most)::bigint, asked[base + 2]];
        ELSIF own[i] IS NOT NULL THEN
            states := states || ARRAY[asked[base], stored[3 * own[i] - 1], stored[3 * own[i]]];
        END IF;
        answer := answer || backlogs[i]::bigint;
    END LOOP;
    FOR j IN 1..slots LOOP
        IF NOT is_claimed[j] THEN
            states := states || stored[3 * j - 2:3 * j];
        END IF;
    END LOOP;
    -- Where nothing changed, what is stored stays as it is.
    IF NOT true = ANY (is_changed) THEN
        states := stored;
    END IF;
    FOR j IN 1..cardinality(states) / 3 LOOP
        latest := greatest(latest, states[3 * j - 1]);
    END LOOP;
    -- Up to the minute, so that the index seldom has to follow a busy key.
    drained_at := to_timestamp((ceil((latest + skew) / 60000000000) * 60)::double precision);
END
$bailiwick$;
