# Creates or updates the group policies of Manageout, and takes out of each what the site file no longer asks for:
# values, links, groups. Try it first with -WhatIf.
#Requires -Version 5.1
#Requires -Modules GroupPolicy
[CmdletBinding(SupportsShouldProcess)]
param([string]$Domain = @@DOMAIN@@)
$ErrorActionPreference = 'Stop'
$mark = 'Manageout:'

# Its name differs from language to language.
$everybody = (New-Object Security.Principal.SecurityIdentifier 'S-1-5-11').Translate([Security.Principal.NTAccount]).Value

function Set-ManageoutPolicy {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$Name, [string]$About, [string]$Group, [string]$Unit, [bool]$Transition, [object[]]$Values)
    $policy = Get-GPO -Domain $Domain -All | Where-Object DisplayName -eq $Name
    if ($policy -and $policy.Description -notlike "$mark*") {
        throw "the policy '$Name' was not made by Manageout: rename one of them"
    }
    if (-not $PSCmdlet.ShouldProcess($Name, "create or update, $($Values.Count) values, apply to $Group, link to $Unit")) {
        return
    }
    if (-not $policy) {
        $policy = New-GPO -Domain $Domain -Name $Name -Comment "$mark $About"
    }
    $policy.GpoStatus = 'UserSettingsDisabled'
    $wanted = foreach ($value in $Values) { "$($value[0])|$($value[1])" }
    foreach ($value in Get-PolicyValue -Id $policy.Id -Key 'HKLM\Software\Policies') {
        if ($wanted -notcontains "$($value.FullKeyPath -replace '^HKEY_LOCAL_MACHINE\\')|$($value.ValueName)") {
            Remove-GPRegistryValue -Domain $Domain -Guid $policy.Id -Key $value.FullKeyPath -ValueName $value.ValueName | Out-Null
        }
    }
    foreach ($value in $Values) {
        Set-GPRegistryValue -Domain $Domain -Guid $policy.Id -Key "HKLM\$($value[0])" -ValueName $value[1] `
            -Type $value[2] -Value $value[3] | Out-Null
    }
    if ($Transition) { Add-TcpipExtension -Id $policy.Id }
    Set-GPPermission -Domain $Domain -Guid $policy.Id -TargetName $Group -TargetType Group -PermissionLevel GpoApply | Out-Null
    # Computers must still be able to read it (MS16-072).
    Set-GPPermission -Domain $Domain -Guid $policy.Id -TargetName $everybody -TargetType Group -PermissionLevel GpoRead -Replace | Out-Null
    foreach ($entry in Get-GPPermission -Domain $Domain -Guid $policy.Id -All) {
        $written = @($entry.Trustee.Name, "$($entry.Trustee.Domain)\$($entry.Trustee.Name)")
        if ($entry.Permission -eq 'GpoApply' -and $entry.Trustee.SidType -eq 'Group' -and $Group -notin $written) {
            Set-GPPermission -Domain $Domain -Guid $policy.Id -TargetName $entry.Trustee.Name -TargetType Group -PermissionLevel None -Replace | Out-Null
        }
    }
    $linked = New-Object DirectoryServices.DirectorySearcher([ADSI]"LDAP://$Domain", "(gPLink=*$($policy.Id)*)")
    foreach ($place in $linked.FindAll()) {
        $other = [string]$place.Properties['distinguishedname'][0]
        if ($other -ne $Unit) { Remove-GPLink -Domain $Domain -Guid $policy.Id -Target $other | Out-Null }
    }
    $links = (Get-GPInheritance -Domain $Domain -Target $Unit).GpoLinks
    if (-not ($links | Where-Object GpoId -eq $policy.Id)) {
        New-GPLink -Domain $Domain -Guid $policy.Id -Target $Unit | Out-Null
    }
    "$Name is in place"
}

# Every value of a policy below a key: the cmdlet tells a key's own values and the keys below it.
function Get-PolicyValue {
    param([guid]$Id, [string]$Key)
    foreach ($found in Get-GPRegistryValue -Domain $Domain -Guid $Id -Key $Key -ErrorAction SilentlyContinue) {
        if ($found.ValueName) { $found } else { Get-PolicyValue -Id $Id -Key $found.FullKeyPath }
    }
}

# Without this extension Windows writes the values but tells the IP Helper service nothing.
function Add-TcpipExtension {
    param([guid]$Id)
    $root = ([ADSI]"LDAP://$Domain/RootDSE").defaultNamingContext
    $object = [ADSI]"LDAP://$Domain/CN={$Id},CN=Policies,CN=System,$root"
    $names = [string]$object.Properties['gPCMachineExtensionNames'].Value
    if ($names -notlike "*$(@@TCPIP@@)*") {
        $blocks = @([regex]::Matches($names, '\[[^\]]*\]') | ForEach-Object Value)
        $blocks += "[$(@@TCPIP@@){D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
        $object.Put('gPCMachineExtensionNames', ($blocks | Sort-Object) -join '')
        $object.SetInfo()
    }
}

@@CALLS@@

foreach ($other in Get-GPO -Domain $Domain -All | Where-Object { $_.Description -like "$mark*" -and $_.DisplayName -notin @@NAMES@@ }) {
    "$($other.DisplayName) is not of this site file, and stays: another one's, or an earlier one's (then Remove-GPO removes it)"
}
