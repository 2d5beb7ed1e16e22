"""The states of an IP-HTTPS client, as a table ([MS-IPHTTPS] 3.1.1, figure 6)."""

from enum import Enum


class ClientState(Enum):
    """3.1.1, figure 6."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    LINK_DOWN = "link down"
    ESTABLISHED = "established"
    LINK_UP = "link up"


class Trigger(Enum):
    """What moves the client from state to state."""

    ENABLE = "enable"
    START = "start"
    CONNECTED = "connected"
    ANSWERED = "answered"
    LOST = "lost"
    DISABLE = "disable"


TRANSITIONS = {
    (ClientState.DISABLED, Trigger.ENABLE): ClientState.ENABLED,
    (ClientState.ENABLED, Trigger.START): ClientState.LINK_DOWN,
    (ClientState.LINK_DOWN, Trigger.CONNECTED): ClientState.ESTABLISHED,
    (ClientState.LINK_DOWN, Trigger.LOST): ClientState.LINK_DOWN,
    (ClientState.ESTABLISHED, Trigger.ANSWERED): ClientState.LINK_UP,
    (ClientState.ESTABLISHED, Trigger.LOST): ClientState.LINK_DOWN,
    (ClientState.LINK_UP, Trigger.LOST): ClientState.LINK_DOWN,
} | {
    (state, Trigger.DISABLE): ClientState.DISABLED
    for state in ClientState
    if state is not ClientState.DISABLED
}
"""What is not in it does nothing: news of a transport that was given up already, for example."""
