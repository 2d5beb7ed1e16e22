@echo off
setlocal
if /i "%~1"=="here" goto here
set failed=0
for %%C in (@@COMPUTERS@@) do (
    psexec -accepteula -nobanner \\%%C -s -c -f "%~f0" here || (echo @@NAME@@ failed on %%C & set failed=1)
)
exit /b %failed%
:here
net session >nul 2>&1 || (echo Run this as administrator. & exit /b 4)
@@BODY@@
exit /b 0
