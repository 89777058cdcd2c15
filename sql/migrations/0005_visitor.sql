-- migrate:up

-- The visitor: SHA-256, in hexadecimal, of the random id in the browser's session cookie
-- (ui/visitor.py). Null in older rows. The page sets it with a new row and cannot change it.
ALTER TABLE predictions ADD COLUMN visitor text CHECK (visitor ~ '^[0-9a-f]{64}$');
COMMENT ON COLUMN predictions.visitor IS 'Hash of the id of the visitor who drew it; null when that is not known.';
COMMENT ON COLUMN predictions.drawing IS 'The picture as it was sent to the model: PNG, or WebP of a file.';

-- migrate:down

COMMENT ON COLUMN predictions.drawing IS 'The PNG as it was sent to the model.';
ALTER TABLE predictions DROP COLUMN visitor;
