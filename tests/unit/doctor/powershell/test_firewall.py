"""Rules of Windows' firewall with their filters, as PowerShell prints them."""

from __future__ import annotations

from manageout.doctor.facts import Facts
from manageout.doctor.read.bundle import read_pasted


def one(text: str) -> Facts:
    (machine,) = read_pasted(text)
    return machine


RULE = (
    "Name        : {%s}\nDisplayName : DNS\nEnabled     : True\nDirection   : Inbound\nAction      : Allow\n"
)
SCOPE = "\n\nLocalAddress  : fd90:7d1c:22e4:3333::1\nRemoteAddress : Any\n\n"


def test_rules_of_dns64_need_no_ports() -> None:
    own = RULE % "0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A" + SCOPE
    command = "PS C:\\> Get-NetFirewallRule | % { $_ | fl; $_ | Get-NetFirewallAddressFilter | fl }\n\n"
    machine = one(command + own)
    assert machine.dns64_rules and not machine.unread
    another = RULE % "11111111-1EA6-4042-8BA6-6EF5336DE91A" + SCOPE.replace("3333::1", "12::1")
    (told,) = one(command + own + another).unread
    assert "without its ports;" in told and "AddressFilter" not in told


def test_addresses_of_a_rule_of_dns64_are_all_its() -> None:
    text = RULE % "0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A" + SCOPE.replace(
        "fd90:7d1c:22e4:3333::1", "{fd90:7d1c:22e4:3333::1, fd91:7d1c:22e4:3333::1}"
    )
    command = "PS C:\\> Get-NetFirewallRule | % { $_ | fl; $_ | Get-NetFirewallAddressFilter | fl }\n\n"
    (seen,) = one(command + text).dns64_rules.values()
    assert [str(each) for each in seen.value] == ["fd90:7d1c:22e4:3333::1", "fd91:7d1c:22e4:3333::1"]
