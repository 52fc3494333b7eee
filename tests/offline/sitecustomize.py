"""Refuse every connection but those inside this machine; for processes with this on PYTHONPATH.

Python imports a module of this name when it starts. An audit hook sees what every library does with
Python's sockets, and can't be taken off again.
"""

import ipaddress
import sys

_NAMES = {"localhost", "", None}


def _inside(host):
    host = host.decode() if isinstance(host, bytes) else host
    try:
        return host in _NAMES or ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:  # a name
        return False


def _refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, tuple):  # a socket in the file system, or connected already
            return
        host = address[0]
    elif event == "socket.gethostbyname":
        host = arguments[0]
    else:
        return
    if not _inside(host):
        raise ConnectionError(f"no network here: {event} to {host!r} was refused")


sys.addaudithook(_refuse)
