"""What can go wrong between us and a router: a closed set, each one plain sentence and its cure.

The sentence and the cure may be logged and shown: they never hold a password, a secret or what a router sent unchecked.
"""

from typing import ClassVar


class MikroTikError(Exception):
    """A router could not be asked, or refused. ``code`` is one of a closed set, ``str()`` one plain sentence.

    ``hint`` says what the operator can do, with the exact RouterOS command where there is one.
    """

    code: ClassVar[str]

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Unreachable(MikroTikError):
    """No network path: no route, no such name, host down."""

    code = "unreachable"


class AddressRefused(Unreachable):
    """The address is one that this server does not connect to (loopback, link-local, outside OUTBOUND_ALLOW)."""


class ConnectionRefused(MikroTikError):
    """The router is there, but its service is not: switched off, another port, or not for our address."""

    code = "refused"


class TimedOut(MikroTikError):
    """The router did not answer, or did not finish, in the time that was given."""

    code = "timeout"


class TlsFailed(MikroTikError):
    """No TLS connection: no common cipher, no certificate, or not the certificate that was pinned."""

    code = "tls"


class HostKeyChanged(MikroTikError):
    """The SSH host key is not the pinned one."""

    code = "host_key_changed"


class LoginRefused(MikroTikError):
    """Wrong name or password, or a user that may not come from our address."""

    code = "login_refused"


class PermissionMissing(MikroTikError):
    """The login is good, but its user group lacks a policy."""

    code = "permission_missing"


class MenuUnsupported(MikroTikError):
    """This router has no such menu, command or property: its version or board lacks it, or a package is missing."""

    code = "menu_unsupported"


class ProtocolFailed(MikroTikError):
    """The answer cannot be understood, or ended in the middle."""

    code = "protocol"


class CommandRefused(ProtocolFailed):
    """The router understood the command and refused it; the connection is still good."""


REFUSALS = (PermissionMissing, MenuUnsupported, CommandRefused)  # answers that were read whole: the connection is good
