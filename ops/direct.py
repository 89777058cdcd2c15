"""HTTP without a proxy, for this system's services on loopback or an internal network.

    with direct.session() as session:
        session.get(system.inner_url, timeout=3)

By default, requests and urllib send these requests to the proxy in http_proxy unless no_proxy lists the address.
"""

import requests


def session() -> requests.Session:
    """A session that ignores proxies, passwords and certificates of the environment."""
    session = requests.Session()
    session.trust_env = False
    return session
