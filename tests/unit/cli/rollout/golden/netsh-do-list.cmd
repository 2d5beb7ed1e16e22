@echo off
setlocal
if /i "%~1"=="here" goto here
set failed=0
for %%C in (pc1 pc2.corp.example) do (
    psexec -accepteula -nobanner \\%%C -s -c -f "%~f0" here || (echo isatap-on.cmd failed on %%C & set failed=1)
)
exit /b %failed%
:here
net session >nul 2>&1 || (echo Run this as administrator. & exit /b 4)
if not exist "%ProgramData%\Manageout" mkdir "%ProgramData%\Manageout"
if not exist "%ProgramData%\Manageout\isatap-before.txt" (netsh interface isatap show state & netsh interface isatap show router) > "%ProgramData%\Manageout\isatap-before.txt"
netsh interface isatap set router name=manageout-isatap.corp.example state=enabled || exit /b 1
netsh interface isatap set state state=enabled || exit /b 1
net stop iphlpsvc >nul 2>&1
net start iphlpsvc >nul || exit /b 1
echo %COMPUTERNAME%: ISATAP is enabled with manageout-isatap.corp.example
exit /b 0
