"""What OpenSSL can do for a server and Python's ``ssl`` has no call for.

Its cache of TLS sessions keeps the whole chain of certificates of up to 20,480 peers that have long gone, and TLS 1.2
has no way for a server to say that it would rather not resume. And of the groups for the key exchange, from which the
client chooses, the finite fields (RFC 7919) cost the server up to 120 ms a handshake, before any certificate is seen
and for nothing but a copied message; elliptic curves cost 0.1 to 2 ms.
"""

import ctypes
import ssl
import sys
from importlib import import_module

# ssl.h
_SET_MODE, _GET_MODE, _SET_GROUPS = 44, 45, 92
_OFF, _SERVER = 0, 2
GROUPS = (b"X25519MLKEM768:X25519:P-256:P-384:P-521", b"X25519:P-256:P-384:P-521", b"P-256:P-384:P-521")
"""The first that this OpenSSL, as it is set up (FIPS), knows all of."""


def switch_off_sessions(context: ssl.SSLContext) -> bool:
    """Keep no sessions; False when this Python does not let us, and nothing has changed."""
    return _control(context, _SET_MODE, _OFF) is not None and _control(context, _GET_MODE) == _OFF


def limit_groups(context: ssl.SSLContext) -> None:
    """Exchange keys by elliptic curves only."""
    # The one that everybody has (RFC 8446 9.1), which is all that Python can say.
    if not any(offer(context, names) for names in GROUPS):
        context.set_ecdh_curve("prime256v1")


def offer(context: ssl.SSLContext, names: bytes) -> bool:
    """Use these groups; False when that cannot be, and nothing has changed."""
    return _control(context, _SET_GROUPS, text=names) == 1


def _control(context: ssl.SSLContext, command: int, number: int = 0, text: bytes | None = None) -> int | None:
    """SSL_CTX_ctrl(3); None where what is inside of ``context`` is not what we take it for."""
    library = _library()
    # CPython's context is an object header and then a pointer to OpenSSL's, in every version and build so far.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    # Whether it is so here is seen from the mode, which is known, before anything is written.
    if library is None or library.SSL_CTX_ctrl(pointer, _GET_MODE, 0, None) not in (_SERVER, _OFF):
        return None
    return int(library.SSL_CTX_ctrl(pointer, command, number, text))


def _library() -> ctypes.CDLL | None:
    """The OpenSSL that Python's ``ssl`` itself uses, and no other one that may be in the process."""
    if sys.implementation.name != "cpython":
        return None
    try:
        # Its symbols are found through the module that is linked with it; a Python of one piece has them itself.
        library = ctypes.CDLL(getattr(import_module("_ssl"), "__file__", None))
        library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
        library.SSL_CTX_ctrl.restype = ctypes.c_long
        library.OpenSSL_version_num.restype = ctypes.c_ulong
        same = library.OpenSSL_version_num() == ssl.OPENSSL_VERSION_NUMBER
    except (OSError, AttributeError):
        return None
    return library if same else None
