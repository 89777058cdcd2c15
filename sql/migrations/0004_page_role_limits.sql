-- migrate:up

-- The page's role needs no large objects, which could fill the disk unnoticed, and no other database.
-- PostgreSQL lets every role change its own password. Each start sets it again (ops/native/postgres.py).
DO $$
DECLARE
    function regprocedure;
BEGIN
    -- An external server belongs to others, and its owner of this database is no superuser: its administrator decides.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    FOR function IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname LIKE 'lo\_%' OR proname IN ('loread', 'lowrite'))
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function);
    END LOOP;
    REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
END
$$;

-- migrate:down

GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC;
GRANT CONNECT ON DATABASE template1 TO PUBLIC;
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname LIKE 'lo\_%' OR proname IN ('loread', 'lowrite'))
            AND proname NOT IN ('lo_import', 'lo_export')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', function);
    END LOOP;
END
$$;
