# Brings back what remove.ps1 has taken away, from retire-removed.json beside it, the last first, and nothing else.
# Run it where remove.ps1 was run. Try it first with -WhatIf.
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess)]
param([string]$Kept = (Join-Path $PSScriptRoot 'retire-removed.json'))
$ErrorActionPreference = 'Stop'
$key = 'HKLM\SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition'

if (-not (Test-Path $Kept)) {
    "nothing to do: there is no $Kept"
    return
}
$removed = @(Get-Content -Path $Kept -Raw -Encoding UTF8 | ConvertFrom-Json | ForEach-Object { $_ })
$left = @()
while ($removed.Count -gt 0) {
    $item = $removed[-1]
    $what = "$($item.Kind) $($item.Title)$($item.Name) $($item.Type) $($item.Data)"
    if (-not $PSCmdlet.ShouldProcess($what, 'bring back')) {
        $left = @($item) + $left
        $removed = @($removed | Select-Object -SkipLast 1)
        continue
    }
    if ($item.Kind -eq 'record') {
        $wanted = @{
            ComputerName = $item.Server; ZoneName = $item.Zone; Name = $item.Name
            TimeToLive = New-TimeSpan -Seconds $item.Seconds
        }
        if ($item.Type -eq 'A') {
            $wanted['IPv4Address'] = $item.Data
            Add-DnsServerResourceRecordA @wanted
        } else {
            $wanted['IPv6Address'] = $item.Data
            Add-DnsServerResourceRecordAAAA @wanted
        }
    } elseif ($item.Kind -eq 'value') {
        $null = Set-GPRegistryValue -Guid $item.Policy -Key $key -ValueName $item.Name -Type $item.Type `
            -Value $item.Data
    } else {
        $list = Get-DnsServerGlobalQueryBlockList -ComputerName $item.Server
        Set-DnsServerGlobalQueryBlockList -ComputerName $item.Server `
            -List @($list.List | Where-Object { $_ -ne 'isatap' })
    }
    "$what is back"
    $removed = @($removed | Select-Object -SkipLast 1)
    if ($removed.Count + $left.Count -gt 0) {
        ConvertTo-Json -InputObject @($removed + $left) -Depth 4 | Set-Content -Path $Kept -Encoding UTF8
    } else {
        Remove-Item -Path $Kept
    }
}
