# Takes away the policy's list of name rules where it is empty. Run it on remote clients as administrator, or as a
# start-up script, once the policy 'remote clients' is off or gone. Try it first with -WhatIf.
#
# Group policy takes its values away and may leave the empty key. While the key is there Windows follows the rules in
# it alone: those that a VPN or another client has set on the machine are dead. A list with rules in it stays.
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess)]
param()
$ErrorActionPreference = 'Stop'
$key = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig'

if (-not (Test-Path -LiteralPath $key)) {
    'no list of name rules by group policy is there'
} elseif ($rules = @(Get-ChildItem -LiteralPath $key)) {
    "the list holds $($rules.Count) rules by group policy: it stays"
} elseif ($PSCmdlet.ShouldProcess($key, 'remove the empty list')) {
    Remove-Item -LiteralPath $key
    Clear-DnsClientCache
    'the empty list is removed; a restart makes sure that it is forgotten'
}
