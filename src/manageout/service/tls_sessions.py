"""Switches OpenSSL's cache of TLS sessions off, for which Python has no call.

The cache keeps the whole chain of certificates of up to 20,480 peers that have long gone, and TLS 1.2 has no way for a
server to say that it would rather not resume.
"""

from __future__ import annotations

import ctypes
import ssl
import sys
from importlib import import_module

# ssl.h
_SET_MODE, _GET_MODE = 44, 45
_OFF, _SERVER = 0, 2


def switch_off(context: ssl.SSLContext) -> bool:
    """Keep no sessions; False when this Python does not let us, and nothing has changed.

    CPython's context is an object header and then a pointer to OpenSSL's, in every version and build so far; whether
    that is so here is seen from the mode, which is known, before anything is written.
    """
    library = _library()
    if library is None or sys.implementation.name != "cpython":
        return False
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    if library.SSL_CTX_ctrl(pointer, _GET_MODE, 0, None) not in (_SERVER, _OFF):
        return False
    library.SSL_CTX_ctrl(pointer, _SET_MODE, _OFF, None)
    return bool(library.SSL_CTX_ctrl(pointer, _GET_MODE, 0, None) == _OFF)


def _library() -> ctypes.CDLL | None:
    """The OpenSSL that Python's ``ssl`` itself uses, and no other one that may be in the process."""
    try:
        # Its symbols are found through the module that is linked with it; a Python of one piece has them itself.
        library = ctypes.CDLL(getattr(import_module("_ssl"), "__file__", None))
        library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
        library.SSL_CTX_ctrl.restype = ctypes.c_long
        library.OpenSSL_version_num.restype = ctypes.c_ulong
        same = library.OpenSSL_version_num() == ssl.OPENSSL_VERSION_NUMBER
    except (OSError, AttributeError):
        return None
    return library if same else None
