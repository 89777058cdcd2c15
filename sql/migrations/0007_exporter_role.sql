-- migrate:up

-- The exporter reads counts and the views of 0006, without drawings and visitors, and writes nothing. Its password
-- is not set here, so that git has none.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'exporter') THEN
        CREATE ROLE exporter LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT 5;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO exporter', current_database());
END
$$;
GRANT USAGE ON SCHEMA public TO exporter;
GRANT SELECT ON insights, model_accuracy, model_estimated_accuracy, model_drift TO exporter;

-- These two read drawings and return numbers only, so they run with the rights of their owner.
ALTER FUNCTION estimated_accuracy(timestamptz) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION drift(timestamptz) SECURITY DEFINER SET search_path = public, pg_temp;

-- migrate:down

ALTER FUNCTION estimated_accuracy(timestamptz) SECURITY INVOKER RESET search_path;
ALTER FUNCTION drift(timestamptz) SECURITY INVOKER RESET search_path;
REVOKE ALL ON insights, model_accuracy, model_estimated_accuracy, model_drift FROM exporter;
REVOKE ALL ON SCHEMA public FROM exporter;
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM exporter', current_database());
END
$$;
