-- migrate:up

-- The page writes drawings, answers and labels. It has no right to delete rows or to change the schema.
-- ops/native/postgres.py sets its password, so that git has none.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'page') THEN
        CREATE ROLE page LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
    END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO page', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO page;
GRANT SELECT, INSERT ON predictions TO page;
GRANT UPDATE (prediction, confidence, probabilities, is_digit, digit_score, model_version, latency_ms,
              true_label, labelled_at, drawing, revision) ON predictions TO page;

-- migrate:down

REVOKE ALL ON predictions FROM page;
REVOKE USAGE ON SCHEMA public FROM page;
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM page', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
END
$$;
