@echo off
setlocal
net session >nul 2>&1 || (echo Run this as administrator. & exit /b 4)
@@BODY@@
exit /b 0
