-- migrate:up

-- History shows pages of the newest drawings by descending (created_at, id). Each of its filters has an index that
-- orders the drawings of one prediction and one version this way. So a page of any combination of filters is read from
-- the ends of a few dozen index ranges, without scanning drawings that do not match: ui/history.py.
CREATE INDEX predictions_by_time ON predictions (created_at, id);
CREATE INDEX predictions_by_answer ON predictions (prediction, model_version, created_at, id);
CREATE INDEX predictions_unlabelled ON predictions (prediction, model_version, created_at, id)
    WHERE true_label IS NULL;
CREATE INDEX predictions_wrong ON predictions (prediction, model_version, created_at, id) INCLUDE (is_digit)
    WHERE true_label <> prediction;
CREATE INDEX predictions_no_digit ON predictions (prediction, model_version, created_at, id) INCLUDE (true_label)
    WHERE NOT is_digit;

-- Insights counts all drawings. One pass over a million takes 0.2 to 0.5 s on two busy cores even in an index, and
-- Insights needs four. So a trigger updates counts by day (UTC) and version, one row for each combination of:
--   answer      prediction, true_label, is_digit
--   confidence  is_right (null: not labelled), bin: twentieths, 0 to 19
--   latency     bin: eighths of a doubling, 8 * log2(milliseconds)
CREATE TABLE insights (
    facet         text     NOT NULL CHECK (facet IN ('answer', 'confidence', 'latency')),
    day           date     NOT NULL,
    model_version text     NOT NULL,
    prediction    smallint,
    true_label    smallint,
    is_digit      boolean,
    is_right      boolean,
    bin           smallint,
    drawings      bigint   NOT NULL,
    CONSTRAINT one_row_a_count UNIQUE NULLS NOT DISTINCT
        (facet, day, model_version, prediction, true_label, is_digit, is_right, bin)
);
COMMENT ON TABLE insights IS 'How many rows of predictions there are of each kind; kept by their trigger.';

-- The three rows of `insights` that count a drawing.
CREATE FUNCTION insights_of(
    created_at timestamptz, model_version text, prediction smallint, true_label smallint, is_digit boolean,
    confidence real, latency_ms real
) RETURNS TABLE (
    facet text, day date, model_version text, prediction smallint, true_label smallint, is_digit boolean,
    is_right boolean, bin smallint
) LANGUAGE sql STABLE AS $$
    SELECT f.facet, ($1 AT TIME ZONE 'UTC')::date, $2, f.prediction, f.true_label, f.is_digit, f.is_right, f.bin
    FROM (VALUES
        ('answer', $3, $4, $5, NULL::boolean, NULL::smallint),
        ('confidence', NULL, NULL, NULL, $4 = $3, least(floor($6 * 20::real), 19)::smallint),
        ('latency', NULL, NULL, NULL, NULL, floor(8 * ln(least(greatest($7, 1), 1e6)) / ln(2))::smallint)
    ) AS f (facet, prediction, true_label, is_digit, is_right, bin)
$$;

-- Only this function writes the counts, as their owner, always in the same order: two transactions cannot deadlock.
CREATE FUNCTION count_insights() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO insights
        SELECT i.*, count(*) FROM new_rows AS n, insights_of(
            n.created_at, n.model_version, n.prediction, n.true_label, n.is_digit, n.confidence, n.latency_ms) AS i
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT ON CONSTRAINT one_row_a_count DO UPDATE SET drawings = insights.drawings + excluded.drawings;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO insights
        SELECT i.*, sum(n.change) FROM (
            SELECT 1 AS change, created_at, model_version, prediction, true_label, is_digit, confidence, latency_ms
            FROM new_rows
            UNION ALL
            SELECT -1, created_at, model_version, prediction, true_label, is_digit, confidence, latency_ms
            FROM old_rows
        ) AS n, insights_of(
            n.created_at, n.model_version, n.prediction, n.true_label, n.is_digit, n.confidence, n.latency_ms) AS i
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        HAVING sum(n.change) <> 0
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT ON CONSTRAINT one_row_a_count DO UPDATE SET drawings = insights.drawings + excluded.drawings;
    ELSE
        INSERT INTO insights
        SELECT i.*, -count(*) FROM old_rows AS n, insights_of(
            n.created_at, n.model_version, n.prediction, n.true_label, n.is_digit, n.confidence, n.latency_ms) AS i
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT ON CONSTRAINT one_row_a_count DO UPDATE SET drawings = insights.drawings + excluded.drawings;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION count_insights() FROM PUBLIC;

CREATE TRIGGER count_inserted AFTER INSERT ON predictions
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_insights();
CREATE TRIGGER count_updated AFTER UPDATE ON predictions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_insights();
CREATE TRIGGER count_deleted AFTER DELETE ON predictions
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_insights();

-- Counts all drawings again: for drawings from before this migration, or after the triggers were disabled.
CREATE PROCEDURE recount_insights() LANGUAGE sql AS $$
    LOCK TABLE predictions IN SHARE MODE;
    DELETE FROM insights;
    INSERT INTO insights
    SELECT i.*, count(*) FROM predictions AS n, insights_of(
        n.created_at, n.model_version, n.prediction, n.true_label, n.is_digit, n.confidence, n.latency_ms) AS i
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
$$;
REVOKE ALL ON PROCEDURE recount_insights() FROM PUBLIC;
CALL recount_insights();

GRANT SELECT ON insights TO page;

-- migrate:down

DROP PROCEDURE recount_insights;
DROP TRIGGER count_inserted ON predictions;
DROP TRIGGER count_updated ON predictions;
DROP TRIGGER count_deleted ON predictions;
DROP FUNCTION count_insights;
DROP FUNCTION insights_of;
DROP TABLE insights;
DROP INDEX predictions_no_digit;
DROP INDEX predictions_wrong;
DROP INDEX predictions_unlabelled;
DROP INDEX predictions_by_answer;
DROP INDEX predictions_by_time;
