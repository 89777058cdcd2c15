"""HTTP to the services of this system: on loopback or an internal network, so past every proxy.

    with direct.session() as session:
        session.get(system.inner_url, timeout=3)

requests and urllib send even these requests to the proxy that http_proxy names, unless no_proxy lists each address.
"""

import requests


def session() -> requests.Session:
    """A session that reads no proxy, password or certificate from the environment."""
    session = requests.Session()
    session.trust_env = False
    return session
