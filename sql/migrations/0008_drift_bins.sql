-- migrate:up

-- The bins of the PSI are the deciles of the reference of release 1.4: generated digits that no model was trained
-- on. They are rounded to 3 digits; duplicates and edges of 1 are dropped. The confidences of the two networks,
-- float32 and int8, differ by less. An edge belongs to the bin above it.
CREATE OR REPLACE VIEW drift_features (feature, edges) AS VALUES
    ('digit', '{1,2,3,4,5,6,7,8,9}'::real[]),
    ('confidence', '{0.997,0.999}'),
    ('digit_score', '{0.953,0.989,0.997,0.999}'),
    ('ink_share', '{0.078,0.089,0.097,0.105,0.113,0.121,0.129,0.139,0.156}');
-- These rows have the shares of the old bins. The next start or swap writes them again from the archives.
DELETE FROM model_reference;

-- migrate:down

CREATE OR REPLACE VIEW drift_features (feature, edges) AS VALUES
    ('digit', '{1,2,3,4,5,6,7,8,9}'::real[]),
    ('confidence', '{0.5,0.8,0.9,0.95,0.98,0.99,0.995,0.999}'),
    ('digit_score', '{0.5,0.8,0.9,0.95,0.98,0.99,0.995,0.999}'),
    ('ink_share', '{0.06,0.08,0.1,0.12,0.14,0.16,0.18,0.22}');
DELETE FROM model_reference;
