"""Outputs of a text are gathered for each machine: several, again, cut, failed, or of nothing at all."""

from __future__ import annotations

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.read import bundle
from tests.unit.doctor.powershell.test_read import JSON, judged, read
from tests.unit.doctor.powershell_texts import REMOTE, SERVICES


def test_a_name_that_does_not_resolve_by_the_words_that_are_not_translated() -> None:
    text = """PS C:\\> Resolve-DnsName isatap.corp.example
Resolve-DnsName : isatap.corp.example : Der DNS-Name ist nicht vorhanden
In Zeile:1 Zeichen:1
+ Resolve-DnsName isatap.corp.example
+ ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
    + CategoryInfo          : ResourceUnavailable: (isatap.corp.example:String) [Resolve-DnsName], Win32Exception
    + FullyQualifiedErrorId : DNS_ERROR_RCODE_NAME_ERROR,Microsoft.DnsClient.Commands.ResolveDnsName
"""
    (one,) = read(text).lookups
    assert (one.name, one.addresses, one.error) == ("isatap.corp.example", (), "DNS_ERROR_RCODE_NAME_ERROR")


def test_a_list_that_is_cut_is_said_to_be_cut() -> None:
    text = "Namespace : {.a.example, .b.example, .c.example, .d.example...}\nNameServers : {fd12::1}\n"
    assert any("FormatEnumerationLimit" in line for line in read(text).unread)


def test_what_is_known_and_not_judged_is_named() -> None:
    text = "InterfaceAlias  : WLAN\nServerAddresses : {10.0.0.10}\n"
    assert read(text).unread == ["Get-DnsClientServerAddress: known, nothing in it is judged"]


def test_an_output_that_comes_again_takes_the_place_of_the_first() -> None:
    prompt = "PS C:\\> Get-DnsClientNrptPolicy\n\nNamespace              : {}\nDirectAccessDnsServers : {{fd12::1}}\n\n"
    machine = read(prompt.format(".old.example") + prompt.format(".new.example"))
    assert machine.nrpt and [rule.namespace for rule in machine.nrpt] == [".new.example"]


def test_one_output_of_several_machines() -> None:
    text = """PS C:\\> Invoke-Command DA1,DA2 { Get-NetIPInterface -AddressFamily IPv6 }

InterfaceAlias : isatap.corp.example
ifIndex        : 16
Forwarding     : Enabled
Advertising    : Enabled
PSComputerName : DA1

InterfaceAlias : isatap.corp.example
ifIndex        : 18
Forwarding     : Disabled
Advertising    : Disabled
PSComputerName : DA2

PS C:\\> Invoke-Command DA1,DA2 { Get-RemoteAccess | select LoadBalancing }

LoadBalancing : Disabled
PSComputerName : DA1

LoadBalancing : Disabled
PSComputerName : DA2
"""
    machines = bundle.read_pasted(text)
    assert [(one.computer, one.role) for one in machines] == [("DA1", "server"), ("DA2", "server")]
    assert [one.computer for one in diagnose(machines) if one.code == "SERVER-RESET"] == ["DA2"]


def test_a_cmdlet_that_fails_is_named() -> None:
    text = """PS C:\\> Get-RemoteAccess
Get-RemoteAccess : The term 'Get-RemoteAccess' is not recognized as the name of a cmdlet
At line:1 char:1
+ Get-RemoteAccess
+ ~~~~~~~~~~~~~~~~
    + CategoryInfo          : ObjectNotFound: (Get-RemoteAccess:String) [], CommandNotFoundException
    + FullyQualifiedErrorId : CommandNotFoundException

"""
    assert read(text).unread == ["Get-RemoteAccess failed: CommandNotFoundException"]


def test_an_assistant_that_does_not_answer() -> None:
    text = """Get-DAConnectionStatus : Network Connectivity Assistant service is stopped or not responding.
    + CategoryInfo          : NotSpecified: (MSFT_DAConnectionStatus:root) [Get-DAConnectionStatus], CimException
    + FullyQualifiedErrorId : Windows System Error 1753,Get-DAConnectionStatus
"""
    assert list(judged(text)) == ["LOCATION-ASSISTANT"]


def test_json() -> None:
    assert list(judged(JSON)) == ["IPHTTPS-TIMEOUT"]
    state = read('[{"State": 3, "Router": null, "ResolutionState": 0}]').isatap_state
    assert state is not None and state.value == "disabled"
    rules = read(
        '{"Namespace": {"value": [".corp.example"], "Count": 1}, "DirectAccessDnsServers": ["fd12::1"]}'
    ).nrpt
    assert rules and (rules[0].namespace, rules[0].servers) == (".corp.example", ("fd12::1",))
    forwarding = read(
        '[{"ifIndex": 16, "InterfaceAlias": "isatap.x", "Forwarding": 0, "Advertising": 1}]'
    ).interfaces[0]
    assert forwarding.forwarding and not forwarding.forwarding.value


def test_a_name_without_a_record_of_that_type() -> None:
    text = """PS C:\\> Resolve-DnsName laptop.corp.example -Type AAAA

Name                   : corp.example
QueryType              : SOA
TTL                    : 900
Section                : Authority
NameAdministrator      : hostmaster.corp.example
SerialNumber           : 12
"""
    (one,) = read(text).lookups
    assert (one.name, one.addresses, one.error) == ("laptop.corp.example", (), "no record of that type")


def test_rows_that_cannot_be_read_are_named() -> None:
    text = SERVICES + "a_very_long_name_of_a_service_that_goes_on_and_on Running is it one?\n"
    assert any(line.startswith("a row whose columns are lost: a_very") for line in read(text).unread)


def test_an_address_that_a_narrow_column_has_cut_is_none() -> None:
    text = """
ifIndex DestinationPrefix     NextHop        Publish
------- -----------------     -------        -------
16      ::/0                  fe80::5efe:... No
16      fd12:3456:789a:1::/64 ::             Yes
"""
    machine = read(text)
    assert machine.routes and [str(one.prefix) for one in machine.routes] == ["fd12:3456:789a:1::/64"]
    assert machine.unread == ["Get-NetRoute: NextHop is cut: the command again with | Format-List"]


def test_no_policy_at_all_is_said_by_nothing() -> None:
    text = """PS C:\\> Get-DnsClientNrptPolicy
PS C:\\> Get-NetIPHttpsConfiguration

ServerURL : https://da.example.net:443/IPHTTPS
State     : Default

PS C:\\> Get-DAConnectionStatus

Status    : ConnectedRemotely
Substatus : None
"""
    assert "NRPT-MISSING" in judged(text)


def test_properties_of_one_object_asked_for_one_after_the_other() -> None:
    text = """PS> Get-DAConnectionStatus | Select-Object -ExpandProperty Substatus
RemoteNetworkAuthenticationFailure
PS> Get-DAConnectionStatus | Select-Object -ExpandProperty Status
Error
"""
    assert "Error RemoteNetworkAuthenticationFailure" in judged(text)["LOCATION-FAILED"].seen[0]


def test_a_server_by_its_command_alone() -> None:
    text = """PS C:\\> $r = Get-RemoteAccess; $r.InternalInterface
Internal

PS C:\\> Get-NetIPInterface | ft InterfaceAlias, Forwarding, Advertising

InterfaceAlias Forwarding Advertising
-------------- ---------- -----------
isatap.{7D21}    Disabled    Disabled
"""
    assert "SERVER-RESET" in judged(text)
    denied = "    + FullyQualifiedErrorId : HRESULT 0x80070005,Get-RemoteAccess"
    assert "SERVER-RESET" not in judged(text.replace("Internal\n\n", f"{denied}\n\n"))


def test_headings_of_groups_name_the_machines() -> None:
    machines = bundle.read_pasted(REMOTE)
    found = {one.computer: (one.connection, one.inside) for one in machines}
    assert sorted(found) == ["DA1", "DA2"]
    assert found["DA1"][0] is not None and found["DA2"][0] is None and found["DA2"][1] is not None


def test_the_interface_is_the_one_that_was_asked_for() -> None:
    text = "PS C:\\> Get-NetIPInterface {} -AddressFamily IPv6 | select Forwarding,Advertising,IgnoreDefaultRoutes\n\n"
    text += "Forwarding Advertising IgnoreDefaultRoutes\n---------- ----------- -------------------\n"
    text += "  Disabled    Disabled            Disabled\n"
    (one,) = read(text.format("-InterfaceIndex 14")).interfaces
    assert one.index == 14 and one.forwarding is not None
    (one,) = read(text.format("-InterfaceAlias 'isatap.corp.example'")).interfaces
    assert (one.name, one.kind) == ("isatap.corp.example", "isatap")
    assert not read(text.format("")).interfaces


def test_an_address_of_isatap_tells_what_its_interface_is() -> None:
    text = (
        "PS C:\\> Get-NetIPAddress | ft IPAddress,PrefixLength\n\nIPAddress                  PrefixLength\n"
    )
    text += "---------                  ------------\n{}            128\n"
    (one,) = read(text.format("fe80::5efe:10.40.2.17%12 ")).interfaces
    assert one.kind == "isatap"
    (one,) = read(text.format("fe80::5e0e:10.40.2.17%12 ")).interfaces
    assert one.kind == "other"
