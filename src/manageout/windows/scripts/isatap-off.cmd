netsh interface isatap set router name=default state=default || exit /b 1
netsh interface isatap set state state=default || exit /b 1
net stop iphlpsvc >nul 2>&1
net start iphlpsvc >nul || exit /b 1
echo %COMPUTERNAME%: ISATAP has Windows' defaults again
if exist "%ProgramData%\Manageout\isatap-before.txt" echo What was set before stands in "%ProgramData%\Manageout\isatap-before.txt".
