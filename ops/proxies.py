"""Proxies of the environment, for libraries that make their own connections: those of the S3 and the MLflow server."""

import ipaddress
import os
from urllib.parse import urlsplit


def bypass(url: str) -> None:
    """Let this process reach a local server without a proxy; any other server is reached as the environment says."""
    host = urlsplit(url).hostname
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    if host and is_local(host) and listed != "*":
        # urllib compares an address of IPv6 with its brackets, requests without.
        names = [host, f"[{host}]"] if ":" in host else [host]
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [listed, *names]))


def is_local(host: str) -> bool:
    """Whether a host is this machine, or has a name without a dot, as containers have."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith(".localhost")
