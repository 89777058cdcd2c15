-- migrate:up

-- One row for each drawing. `revision` counts strokes and labels; the page's upsert never replaces a newer one.
CREATE TABLE predictions (
    id            uuid        PRIMARY KEY,
    created_at    timestamptz NOT NULL,
    prediction    smallint    NOT NULL CHECK (prediction BETWEEN 0 AND 9),
    confidence    real        NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    probabilities real[]      NOT NULL CHECK (cardinality(probabilities) = 10),
    is_digit      boolean     NOT NULL,
    digit_score   real        NOT NULL CHECK (digit_score BETWEEN 0 AND 1),
    model_version text        NOT NULL CHECK (model_version <> ''),
    latency_ms    real        NOT NULL CHECK (latency_ms >= 0),
    true_label    smallint    CHECK (true_label BETWEEN 0 AND 9),
    labelled_at   timestamptz,
    drawing       bytea       NOT NULL CHECK (octet_length(drawing) BETWEEN 1 AND 10 * 1024 * 1024),
    revision      integer     NOT NULL CHECK (revision >= 1),
    CONSTRAINT label_has_a_time CHECK ((true_label IS NULL) = (labelled_at IS NULL))
);

COMMENT ON TABLE predictions IS 'Drawings made on the page, what the model said and what the person says it was.';
COMMENT ON COLUMN predictions.latency_ms IS 'Milliseconds from the page''s request to the model''s answer.';
COMMENT ON COLUMN predictions.drawing IS 'The PNG as it was sent to the model.';

-- A PNG is compressed: store it outside of the row, without another compression.
ALTER TABLE predictions ALTER COLUMN drawing SET STORAGE EXTERNAL;

-- migrate:down

DROP TABLE predictions;
