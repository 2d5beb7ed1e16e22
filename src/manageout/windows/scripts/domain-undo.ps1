# Removes the group policies of Manageout, and with them their links. Try it first with -WhatIf.
#Requires -Version 5.1
#Requires -Modules GroupPolicy
[CmdletBinding(SupportsShouldProcess)]
param([string]$Domain = @@DOMAIN@@)
$ErrorActionPreference = 'Stop'

$names = @@NAMES@@
foreach ($name in $names) {
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
foreach ($other in Get-GPO -Domain $Domain -All | Where-Object { $_.Description -like 'Manageout:*' -and $_.DisplayName -notin $names }) {
    "$($other.DisplayName) is not of this site file, and stays: another one's, or an earlier one's (then Remove-GPO removes it)"
}
