$store = @@STORE@@
if (-not (Test-Path $store)) {
    "${env:COMPUTERNAME}: nothing to do, no settings were kept here"
    return
}
$before = Get-ItemProperty -Path $store
if ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, "ISATAP as before: $($before.State) $($before.Router)")) {
    Reset-NetIsatapConfiguration -State -Router
    if ($before.State -and $before.State -ne 'Default') {
        Set-NetIsatapConfiguration -State $before.State
    }
    if ($before.Router) {
        Set-NetIsatapConfiguration -Router $before.Router
    }
    Remove-Item -Path $store -Recurse
    Restart-Service -Name iphlpsvc
    "${env:COMPUTERNAME}: ISATAP is as it was before"
}
