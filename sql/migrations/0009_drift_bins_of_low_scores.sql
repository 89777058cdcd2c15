-- migrate:up

-- The bins of the PSI, from the reference of release 2.0 as in 0008. Of the digit scores only the three lowest deciles
-- are edges, in the mean of float32 and int8: people write more clearly than the reference, and a low score matters.
CREATE OR REPLACE VIEW drift_features (feature, edges) AS VALUES
    ('digit', '{1,2,3,4,5,6,7,8,9}'::real[]),
    ('confidence', '{0.998,0.999}'),
    ('digit_score', '{0.742,0.874,0.905}'),
    ('ink_share', '{0.079,0.089,0.098,0.105,0.113,0.12,0.127,0.137,0.155}');
-- These rows have the shares of the old bins. The next start or swap writes them again from the archives.
DELETE FROM model_reference;

-- migrate:down

CREATE OR REPLACE VIEW drift_features (feature, edges) AS VALUES
    ('digit', '{1,2,3,4,5,6,7,8,9}'::real[]),
    ('confidence', '{0.997,0.999}'),
    ('digit_score', '{0.953,0.989,0.997,0.999}'),
    ('ink_share', '{0.078,0.089,0.097,0.105,0.113,0.121,0.129,0.139,0.156}');
DELETE FROM model_reference;
