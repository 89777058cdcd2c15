-- migrate:up

-- Ink of the network's input: mean of its 784 pixels, full ink 1. The page computes it from the answer.
ALTER TABLE predictions ADD COLUMN ink_share real CHECK (ink_share BETWEEN 0 AND 1);
COMMENT ON COLUMN predictions.ink_share IS 'Mean ink of the network''s 28x28 input, 0 to 1; null in older rows.';
GRANT UPDATE (ink_share) ON predictions TO page;

-- Labelled accuracy.

-- E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927; z of 95 %.
CREATE FUNCTION wilson_interval(correct bigint, labelled bigint)
RETURNS TABLE (lower double precision, upper double precision) LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(0, (p + z * z / (2 * n) - half) / (1 + z * z / n)),
        least(1, (p + z * z / (2 * n) + half) / (1 + z * z / n))
    FROM (SELECT $2::double precision AS n, $1 / $2::double precision AS p, 1.959964 AS z) AS share,
        LATERAL (SELECT z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) AS half) AS width
$$;

-- From the counts of 0003, without reading drawings. Days are UTC days of the drawings.
CREATE VIEW labelled_by_day AS
SELECT day, model_version, sum(drawings)::bigint AS labelled,
    coalesce(sum(drawings) FILTER (WHERE true_label = prediction), 0)::bigint AS correct
FROM insights WHERE facet = 'answer' AND true_label IS NOT NULL GROUP BY 1, 2 HAVING sum(drawings) > 0;

CREATE VIEW model_accuracy_by_day AS
SELECT day, model_version, labelled, correct, correct / labelled::double precision AS accuracy, lower, upper
FROM labelled_by_day, wilson_interval(correct, labelled);

CREATE VIEW model_accuracy AS
SELECT model_version, labelled, correct, correct / labelled::double precision AS accuracy, lower, upper
FROM (
    SELECT model_version, sum(labelled)::bigint AS labelled, sum(correct)::bigint AS correct
    FROM labelled_by_day WHERE day > (now() AT TIME ZONE 'UTC')::date - 7 GROUP BY 1
) AS week, wilson_interval(correct, labelled);
COMMENT ON VIEW model_accuracy IS 'Accuracy of labelled drawings of today and the six days before, Wilson 95 %.';

-- Estimated accuracy and drift read the newest 10,000 drawings at most. Their sampling error is 0.1 percentage points
-- of the mean confidence and 0.001 of a PSI. An index-only scan must read the table, too, for rows that are newer than
-- the last vacuum.
CREATE FUNCTION newest_predictions(since timestamptz) RETURNS SETOF predictions LANGUAGE sql STABLE AS $$
    SELECT * FROM predictions WHERE created_at >= since ORDER BY created_at DESC, id DESC LIMIT 10000
$$;

-- Confidence-based performance estimation (CBPE, NannyML): of answers with calibrated confidence 0.9, 9 in 10 are
-- right, so the expected accuracy is the mean confidence. All drawings count, as people label rejected digits, too.
CREATE FUNCTION estimated_accuracy(since timestamptz)
RETURNS TABLE (model_version text, drawings bigint, estimated_accuracy double precision) LANGUAGE sql STABLE AS $$
    SELECT model_version, count(*), avg(confidence) FROM newest_predictions(since) GROUP BY 1
$$;

CREATE VIEW model_estimated_accuracy AS SELECT * FROM estimated_accuracy(now() - interval '7 days');
COMMENT ON VIEW model_estimated_accuracy IS 'Mean calibrated confidence of the drawings of the last 7 days (CBPE).';

-- Drift: the distance of a feature's distribution of the last 24 hours from the model's reference.

-- The edges between a feature's bins: n edges make n + 1 bins. An edge belongs to the bin above it.
-- Most values of confidence and digit score are near 1, so most edges are there. Half of the references' drawings have
-- an ink share from 0.09 to 0.14.
CREATE VIEW drift_features (feature, edges) AS VALUES
    ('digit', '{1,2,3,4,5,6,7,8,9}'::real[]),
    ('confidence', '{0.5,0.8,0.9,0.95,0.98,0.99,0.995,0.999}'),
    ('digit_score', '{0.5,0.8,0.9,0.95,0.98,0.99,0.995,0.999}'),
    ('ink_share', '{0.06,0.08,0.1,0.12,0.14,0.16,0.18,0.22}');

-- Additive smoothing (H. Jeffreys, 1946): half a drawing more in every bin, because an empty bin has no logarithm.
CREATE FUNCTION smoothed_share(drawings bigint, of bigint, bins integer) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$ SELECT (drawings + 0.5) / (of + 0.5::double precision * bins) $$;

-- Answers of a version to drawings that it was not trained on. ops/versions/references.py writes them from the archive.
CREATE TABLE model_reference (
    model_version text             NOT NULL CHECK (model_version <> ''),
    feature       text             NOT NULL,
    bin           smallint         NOT NULL CHECK (bin >= 0),
    share         double precision NOT NULL CHECK (share > 0 AND share < 1),
    PRIMARY KEY (model_version, feature, bin)
);
COMMENT ON TABLE model_reference IS 'Shares of the bins of drift_features, smoothed, by model version.';

-- The reference in an archive's reference.json, {"digit": [7, 2, ...], "confidence": [0.99, ...], ...}.
CREATE FUNCTION reference_shares(reference jsonb)
RETURNS TABLE (feature text, bin smallint, share double precision) LANGUAGE sql STABLE AS $$
    SELECT f.feature, b.bin::smallint, smoothed_share(
        count(v.value), jsonb_array_length(reference -> f.feature), cardinality(f.edges) + 1)
    FROM drift_features AS f
    CROSS JOIN generate_series(0, cardinality(f.edges)) AS b (bin)
    LEFT JOIN jsonb_array_elements_text(reference -> f.feature) AS v (value)
        ON width_bucket(v.value::real, f.edges) = b.bin
    WHERE jsonb_array_length(reference -> f.feature) > 0
    GROUP BY f.feature, f.edges, b.bin
$$;

-- Population stability index (PSI): sum over bins of (share now - reference) * ln(share now / reference). With fewer
-- than 200 drawings the sampling error alone reaches 0.1.
CREATE FUNCTION drift(since timestamptz)
RETURNS TABLE (model_version text, feature text, drawings bigint, psi double precision, state text)
LANGUAGE sql STABLE AS $$
    WITH binned AS (
        SELECT p.model_version, f.feature, width_bucket(v.value, f.edges) AS bin, count(*) AS drawings
        FROM newest_predictions(since) AS p
        CROSS JOIN LATERAL (VALUES ('digit', p.prediction::real), ('confidence', p.confidence),
            ('digit_score', p.digit_score), ('ink_share', p.ink_share)) AS v (feature, value)
        JOIN drift_features AS f USING (feature)
        WHERE v.value IS NOT NULL
        GROUP BY 1, 2, 3
    ), counted AS (
        SELECT b.model_version, b.feature, sum(b.drawings)::bigint AS drawings FROM binned AS b GROUP BY 1, 2
    ), compared AS (
        SELECT c.*, r.share AS before,
            smoothed_share(coalesce(b.drawings, 0), c.drawings, cardinality(f.edges) + 1) AS now
        FROM counted AS c
        JOIN drift_features AS f USING (feature)
        JOIN model_reference AS r USING (model_version, feature)
        LEFT JOIN binned AS b USING (model_version, feature, bin)
        WHERE c.drawings >= 200
    )
    SELECT m.*, CASE WHEN m.psi < 0.1 THEN 'stable' WHEN m.psi <= 0.25 THEN 'shifted' ELSE 'drifted' END
    FROM (
        SELECT c.model_version, c.feature, c.drawings, sum((c.now - c.before) * ln(c.now / c.before)) AS psi
        FROM compared AS c GROUP BY 1, 2, 3
    ) AS m
$$;

CREATE VIEW model_drift AS SELECT * FROM drift(now() - interval '24 hours');
COMMENT ON VIEW model_drift IS 'PSI of the last 24 hours against the reference, of features with 200 drawings or more.';

GRANT SELECT ON labelled_by_day, model_accuracy_by_day, model_accuracy, model_estimated_accuracy, drift_features,
    model_reference, model_drift TO page;

-- migrate:down

DROP VIEW model_drift;
DROP FUNCTION drift;
DROP FUNCTION reference_shares;
DROP TABLE model_reference;
DROP FUNCTION smoothed_share;
DROP VIEW drift_features;
DROP VIEW model_estimated_accuracy;
DROP FUNCTION estimated_accuracy;
DROP FUNCTION newest_predictions;
DROP VIEW model_accuracy;
DROP VIEW model_accuracy_by_day;
DROP VIEW labelled_by_day;
DROP FUNCTION wilson_interval;
ALTER TABLE predictions DROP COLUMN ink_share;
