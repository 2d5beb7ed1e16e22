"""A folder that ``Import-GPO`` takes: the format in which the Group Policy console saves a policy.

Below the root stand ``manifest.xml`` and one folder a policy, named by the GUID of the backup (which is not the
policy's), with ``bkupInfo.xml``, ``Backup.xml``, ``gpreport.xml`` and ``DomainSysvol/GPO/Machine/registry.pol``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from manageout.windows.gpo_report import report, security_descriptor
from manageout.windows.policies import REGISTRY_EXTENSION, Policy
from manageout.windows.registry_pol import Record, build

MANIFEST = "http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest"
OPERATIONS = "http://www.microsoft.com/GroupPolicy/GPOOperations"
REGISTRY_FILE = "DomainSysvol/GPO/Machine/registry.pol"
VERSION = 0x0001_0001
"""Of the computer half, in the directory and in SYSVOL."""
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
    return build(Record.of(value.key, value.name, value.content) for value in policy.values)


def _guid(kind: str, domain: str, name: str) -> str:
    return f"{{{str(uuid.uuid5(_SPACE, f'{kind}/{domain.lower()}/{name.lower()}')).upper()}}}"


def _instance(backup: Backup, attributes: str) -> str:
    fields = (
        ("GPOGuid", backup.policy_guid),
        ("GPODomain", backup.domain),
        ("GPODomainGuid", _guid("domain", backup.domain, "")),
        ("GPODomainController", ""),
        ("BackupTime", f"{backup.made:%Y-%m-%dT%H:%M:%S}"),
        ("ID", backup.backup_guid),
        ("Comment", backup.policy.about),
        ("GPODisplayName", backup.policy.name),
    )
    return f"<BackupInst{attributes}>{''.join(_element(*field) for field in fields)}</BackupInst>"


def _scheme(backup: Backup) -> str:
    policy = backup.policy
    settings = (
        ("ID", backup.policy_guid),
        ("Domain", backup.domain),
        ("SecurityDescriptor", security_descriptor().hex(" ")),
        ("DisplayName", policy.name),
        ("Options", "1"),  # no user half
        ("UserVersionNumber", "0"),
        ("MachineVersionNumber", str(VERSION)),
        ("MachineExtensionGuids", policy.extensions),
        ("UserExtensionGuids", ""),
        ("WMIFilter", ""),
    )
    source = f"\\\\{backup.domain}\\sysvol\\{backup.domain}\\Policies\\{backup.policy_guid}"
    file = (
        f"<FSObjectFile bkp:Path={quoteattr('%GPO_MACH_FSPATH%' + chr(92) + 'registry.pol')}"
        f" bkp:SourceExpandedPath={quoteattr(source + chr(92) + 'Machine' + chr(92) + 'registry.pol')}"
        f" bkp:Location={quoteattr(REGISTRY_FILE.replace('/', chr(92)))}/>"
        # Templates that the policy brings along: none, and the console writes the line all the same.
        f"<FSObjectFile bkp:Path={quoteattr('%GPO_FSPATH%' + chr(92) + 'Adm' + chr(92) + '*.*')}"
        f" bkp:SourceExpandedPath={quoteattr(source + chr(92) + 'Adm' + chr(92) + '*.*')}/>"
    )
    return (
        f'<GroupPolicyBackupScheme bkp:version="2.0" bkp:type="GroupPolicyBackupTemplate"'
        f' xmlns:bkp="{OPERATIONS}" xmlns="{OPERATIONS}"><GroupPolicyObject><SecurityGroups/><FilePaths/>'
        f"<GroupPolicyCoreSettings>{''.join(_element(*item) for item in settings)}</GroupPolicyCoreSettings>"
        f'<GroupPolicyExtension bkp:ID="{REGISTRY_EXTENSION}" bkp:DescName="Registry">{file}</GroupPolicyExtension>'
        "</GroupPolicyObject></GroupPolicyBackupScheme>"
    )


def _element(name: str, text: str) -> str:
    """CDATA, as the console writes it; a text may hold the mark of its end."""
    body = f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"
    return f"<{name}>{body}</{name}>"


def _xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{body}\n'.encode()
