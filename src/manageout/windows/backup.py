"""A folder that ``Import-GPO`` takes: the format in which the Group Policy console saves a policy.

Below the root stand ``manifest.xml`` and one folder a policy, named by the GUID of the backup (which is not the
policy's), with ``bkupInfo.xml``, ``Backup.xml``, ``gpreport.xml`` and ``DomainSysvol/GPO/Machine/registry.pol``.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from manageout.windows.gpo_report import DESCRIPTOR, report
from manageout.windows.policies import REGISTRY_EXTENSION, Policy
from manageout.windows.registry_pol import RegistryRecord, build
from manageout.windows.template import filled

MANIFEST = "http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest"
REGISTRY_FILE = "DomainSysvol/GPO/Machine/registry.pol"
_SPACE = uuid.UUID("0b0c6b0a-6d6f-5e1a-8b1e-6d616e616765")


class Backup(NamedTuple):
    """One saved policy. GUIDs in braces, upper case; derived from name and domain, so that a repeated rendering
    replaces the earlier one."""

    policy: Policy
    domain: str
    made: datetime

    @property
    def policy_guid(self) -> str:
        """The policy's."""
        return policy_guid(self.domain, self.policy.name)

    @property
    def backup_guid(self) -> str:
        """The folder's name."""
        return _guid("backup", self.domain, self.policy.name)


def render(policies: Iterable[Policy], domain: str, made: datetime) -> dict[str, bytes]:
    """Relative path -> content of every file of the folder."""
    backups = [Backup(policy, domain, made) for policy in policies]
    instances = "".join(_instance(backup, "") for backup in backups)
    names = f'xmlns="{MANIFEST}" xmlns:mfst="{MANIFEST}" mfst:version="1.0"'
    files = {"manifest.xml": _xml(f"<Backups {names}>{instances}</Backups>")}
    for backup in backups:
        files[f"{backup.backup_guid}/bkupInfo.xml"] = _xml(_instance(backup, f' xmlns="{MANIFEST}"'))
        files[f"{backup.backup_guid}/Backup.xml"] = _xml(_scheme(backup))
        files[f"{backup.backup_guid}/gpreport.xml"] = report(backup.policy, backup.policy_guid, domain, made)
        files[f"{backup.backup_guid}/{REGISTRY_FILE}"] = registry_file(backup.policy)
    return files


def policy_guid(domain: str, name: str) -> str:
    """Of the policy ``name`` in ``domain``."""
    return _guid("policy", domain, name)


def registry_file(policy: Policy) -> bytes:
    """``Registry.pol`` of a policy."""
    return build(RegistryRecord.of(value.key, value.name, value.content) for value in policy.values)


def _guid(kind: str, domain: str, name: str) -> str:
    return f"{{{str(uuid.uuid5(_SPACE, f'{kind}/{domain.lower()}/{name.lower()}')).upper()}}}"


def _instance(backup: Backup, attributes: str) -> str:
    return filled(
        "templates/instance.xml",
        ATTRIBUTES=attributes,
        DOMAINGUID=_text(_guid("domain", backup.domain, "")),
        WHEN=_text(f"{backup.made:%Y-%m-%dT%H:%M:%S}"),
        BACKUP=_text(backup.backup_guid),
        ABOUT=_text(backup.policy.about),
        **_own(backup),
    )


def _scheme(backup: Backup) -> str:
    source = f"\\\\{backup.domain}\\sysvol\\{backup.domain}\\Policies\\{backup.policy_guid}"
    return filled(
        "templates/Backup.xml",
        DESCRIPTOR=DESCRIPTOR.hex(" "),
        EXTENSIONS=_text(backup.policy.extensions),
        REGISTRY=REGISTRY_EXTENSION,
        SOURCE=quoteattr(f"{source}\\Machine\\registry.pol"),
        TEMPLATES=quoteattr(f"{source}\\Adm\\*.*"),
        **_own(backup),
    )


def _own(backup: Backup) -> dict[str, str]:
    own = {"POLICY": backup.policy_guid, "DOMAIN": backup.domain, "NAME": backup.policy.name}
    return {name: _text(text) for name, text in own.items()}


def _text(text: str) -> str:
    """CDATA, as the console writes it; a text may hold the mark of its end."""
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{body}\n'.encode()
