"""The way out of ISATAP, a step at a time, each undone by its opposite: ``census`` -> ``judge`` -> ``pilot`` ->
``watch`` -> ``remove`` -> ``report``. Which step may follow which is
:mod:`manageout.service.state.retire_phases`.
"""
