# Removes the group policies of Manageout, and with them their links. Try it first with -WhatIf.
#Requires -Version 5.1
#Requires -Modules GroupPolicy
[CmdletBinding(SupportsShouldProcess)]
param([string]$Domain = @@DOMAIN@@)
$ErrorActionPreference = 'Stop'

foreach ($name in @@NAMES@@) {
    $policy = Get-GPO -Domain $Domain -All | Where-Object DisplayName -eq $name
    if (-not $policy) {
        "$name is not there"
    } elseif ($policy.Description -notlike 'Manageout:*') {
        throw "the policy '$name' was not made by Manageout: it stays"
    } elseif ($PSCmdlet.ShouldProcess($name, 'remove')) {
        Remove-GPO -Domain $Domain -Guid $policy.Id
        "$name is removed"
    }
}
