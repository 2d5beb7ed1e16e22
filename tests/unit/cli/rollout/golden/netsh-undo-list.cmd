@echo off
setlocal
if /i "%~1"=="here" goto here
set failed=0
for %%C in (pc1 pc2.corp.example) do (
    psexec -accepteula -nobanner \\%%C -s -c -f "%~f0" here || (echo isatap-off.cmd failed on %%C & set failed=1)
)
exit /b %failed%
:here
net session >nul 2>&1 || (echo Run this as administrator. & exit /b 4)
netsh interface isatap set router name=default state=default || exit /b 1
netsh interface isatap set state state=default || exit /b 1
net stop iphlpsvc >nul 2>&1
net start iphlpsvc >nul || exit /b 1
echo %COMPUTERNAME%: ISATAP has Windows' defaults again
if exist "%ProgramData%\Manageout\isatap-before.txt" echo What was set before stands in "%ProgramData%\Manageout\isatap-before.txt".
exit /b 0
