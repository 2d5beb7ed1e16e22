@@ABOUT@@
#
# What it takes away is kept in retire-removed.json beside it, from which restore.ps1 brings it back.
# Run it as a Domain Admin where the modules DnsServer and GroupPolicy are. Try it first with -WhatIf.
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess)]
param(
    [string]$DnsServer = $env:COMPUTERNAME,
    [string]$Kept = (Join-Path $PSScriptRoot 'retire-removed.json')
)
$ErrorActionPreference = 'Stop'
$key = 'HKLM\SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition'

# Name, type and address of each record; the zone is found by its name.
$records = @@RECORDS@@
# Policy and value.
$values = @@VALUES@@
$block = @@BLOCK@@

$removed = @()
if (Test-Path $Kept) {
    $removed = @(Get-Content -Path $Kept -Raw -Encoding UTF8 | ConvertFrom-Json | ForEach-Object { $_ })
}
function Save-Removed {
    ConvertTo-Json -InputObject @($script:removed) -Depth 4 | Set-Content -Path $Kept -Encoding UTF8
}

if ($records) {
    $zones = @(Get-DnsServerZone -ComputerName $DnsServer | Where-Object { -not $_.IsAutoCreated })
}
foreach ($record in $records) {
    $name, $type, $address = $record
    $zone = $zones | Where-Object { $name -eq $_.ZoneName -or $name.EndsWith('.' + $_.ZoneName) } |
        Sort-Object { $_.ZoneName.Length } | Select-Object -Last 1
    if (-not $zone) {
        "${name}: no zone of it on $DnsServer"
        continue
    }
    $label = '@'
    if ($name -ne $zone.ZoneName) {
        $label = $name.Substring(0, $name.Length - $zone.ZoneName.Length - 1)
    }
    $there = Get-DnsServerResourceRecord -ComputerName $DnsServer -ZoneName $zone.ZoneName -Name $label `
        -RRType $type -ErrorAction SilentlyContinue | Where-Object {
            $_.HostName -eq $label -and
            [string]$_.RecordData.IPv4Address + [string]$_.RecordData.IPv6Address -eq $address
        }
    if (-not $there) {
        "$name $type ${address}: not there"
    } elseif ($PSCmdlet.ShouldProcess("$name $type $address", 'remove the record')) {
        $removed += [pscustomobject]@{
            Kind = 'record'; Server = $DnsServer; Zone = $zone.ZoneName; Name = $label; Type = $type
            Data = $address; Seconds = [int]$there.TimeToLive.TotalSeconds
        }
        Save-Removed
        Remove-DnsServerResourceRecord -ComputerName $DnsServer -ZoneName $zone.ZoneName -Name $label `
            -RRType $type -RecordData $address -Force
        "$name $type ${address}: removed"
    }
}

foreach ($value in $values) {
    $policy, $title, $entry = $value
    $there = Get-GPRegistryValue -Guid $policy -Key $key -ValueName $entry -ErrorAction SilentlyContinue
    if (-not $there) {
        "$title, ${entry}: not set"
    } elseif ($PSCmdlet.ShouldProcess("$title, $entry = $($there.Value)", 'remove the setting')) {
        $removed += [pscustomobject]@{
            Kind = 'value'; Policy = $policy; Title = $title; Name = $entry; Type = [string]$there.Type
            Data = ([string]$there.Value).TrimEnd([char]0)
        }
        Save-Removed
        $null = Remove-GPRegistryValue -Guid $policy -Key $key -ValueName $entry
        "$title, ${entry}: removed"
    }
}

if ($block) {
    $list = Get-DnsServerGlobalQueryBlockList -ComputerName $DnsServer
    if ($list.List -contains 'isatap') {
        'isatap is in the global query block list'
    } elseif ($PSCmdlet.ShouldProcess($DnsServer, 'put isatap into the global query block list')) {
        $removed += [pscustomobject]@{ Kind = 'block'; Server = $DnsServer }
        Save-Removed
        Set-DnsServerGlobalQueryBlockList -ComputerName $DnsServer -List (@($list.List) + 'isatap')
        'isatap is put into the global query block list'
    }
}
