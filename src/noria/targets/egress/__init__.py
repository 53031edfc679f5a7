"""The way out: every call of a provider or an engine leaves through one client.

HTTP/1.1 over kept connections, parsed by httptools. A name is resolved here, its addresses are checked, and the very
address that was checked is connected to. Redirects are not followed, cookies are not kept, and proxies of the environment
(``HTTPS_PROXY``) are not used. It knows nothing about models.

    client.py       Egress: sends a request on a kept or a new connection
    posting.py      Posting: sends bodies to a URL that is no model's
    addresses.py    which addresses may be called
    connection.py   one connection: waiting, time-outs, back-pressure
    reading.py      one response, bytes in, head and body out
    compression.py  bodies that come compressed though nobody asked for it
    failures.py     what the system's errors mean, mapped once
"""

from noria.targets.egress.addresses import Origin
from noria.targets.egress.client import Egress, Response
from noria.targets.egress.connection import Timeouts
from noria.targets.egress.failures import Callee
from noria.targets.egress.posting import Posting

__all__ = ["Callee", "Egress", "Origin", "Posting", "Response", "Timeouts"]
