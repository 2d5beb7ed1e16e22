if not exist "%ProgramData%\Manageout" mkdir "%ProgramData%\Manageout"
if not exist "%ProgramData%\Manageout\isatap-before.txt" (netsh interface isatap show state & netsh interface isatap show router) > "%ProgramData%\Manageout\isatap-before.txt"
netsh interface isatap set router name=@@ROUTER@@ state=enabled || exit /b 1
netsh interface isatap set state state=enabled || exit /b 1
net stop iphlpsvc >nul 2>&1
net start iphlpsvc >nul || exit /b 1
echo %COMPUTERNAME%: ISATAP is enabled with @@ROUTER@@
