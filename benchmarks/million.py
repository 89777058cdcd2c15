"""A table of as many drawings as years of use leave behind, filled in a minute: for benchmarks and tests.

fill(owner, 1_000_000, newest=datetime.now(UTC), apart=timedelta(seconds=30))
"""

from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

# A third of them are labelled, 3 % of those wrong, 4 % no digit; three versions one after the other and one that
# answered three times. Their bytes are random, 1.5 to 3 KB, from a few hundred different ones.
PICTURES = """
CREATE UNLOGGED TABLE pictures AS
SELECT n, (SELECT string_agg(decode(md5(n || ':' || i), 'hex'), '') FROM generate_series(1, 94 + n % 94) AS i) AS png
FROM generate_series(0, 299) AS n
"""
FILL = """
INSERT INTO predictions
SELECT gen_random_uuid(), at, digit, confidence, array_fill(0.1::real, ARRAY[10]), score > 0.04, score,
    CASE WHEN labelled.n <= 3 THEN '0.1' WHEN labelled.n < %(rows)s * 0.5 THEN '1.0'
         WHEN labelled.n < %(rows)s * 0.9 THEN '1.1' ELSE '1.2' END,
    8 + 200 * power(random(), 12),
    label, CASE WHEN label IS NOT NULL THEN at END,
    png, 1, NULL, 0.05 + 0.1 * confidence
FROM (
    SELECT drawn.*, CASE WHEN told < 0.01 THEN (digit + 1) %% 10 WHEN told < 0.33 THEN digit END::smallint AS label
    FROM (
        SELECT n, %(newest)s - (%(rows)s - n) * %(apart)s AS at, floor(random() * 10)::smallint AS digit,
            (1 - 0.7 * power(random(), 6))::real AS confidence, random()::real AS score, random() AS told
        FROM generate_series(1, %(rows)s) AS n
    ) AS drawn
) AS labelled JOIN pictures ON pictures.n = labelled.n %% 300
"""


def fill(owner: psycopg.Connection[Any], rows: int, newest: datetime, apart: timedelta) -> None:
    """Fill the empty table `predictions` with `rows` drawings, one each `apart` up to `newest`, and count them.

    `owner` is the database's owner, in autocommit. The random numbers are other ones every time.
    """
    # The indexes are made at the end, by their own definitions: that is quicker.
    indexes = owner.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'predictions'"
    ).fetchall()
    owner.execute("ALTER TABLE predictions DISABLE TRIGGER USER")
    owner.execute("ALTER TABLE predictions DROP CONSTRAINT predictions_pkey")
    for name, _ in indexes:
        owner.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(name)))
    owner.execute(PICTURES)
    owner.execute(FILL, {"rows": rows, "newest": newest, "apart": apart})
    owner.execute("DROP TABLE pictures")
    for _, definition in indexes:
        owner.execute(definition)
    owner.execute("ALTER TABLE predictions ADD PRIMARY KEY USING INDEX predictions_pkey")
    owner.execute("ALTER TABLE predictions ENABLE TRIGGER USER")
    owner.execute("CALL recount_insights()")
    owner.execute("VACUUM ANALYZE predictions")  # as autovacuum does with a table that grew
    owner.execute("VACUUM ANALYZE insights")
