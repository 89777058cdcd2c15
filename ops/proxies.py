"""Bypass the environment's proxies in the client libraries of S3 and MLflow, which open their own connections."""

import ipaddress
import os
from urllib.parse import urlsplit


def bypass(url: str) -> None:
    """Add a local server to no_proxy. For another server, change nothing."""
    host = urlsplit(url).hostname
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    if host and is_local(host) and listed != "*":
        # urllib compares an IPv6 address with brackets, requests without.
        names = [host, f"[{host}]"] if ":" in host else [host]
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [listed, *names]))


def is_local(host: str) -> bool:
    """Whether a host is this machine or has a name without a dot, as containers have."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith(".localhost")
