"""What tests share; the site on one machine that the demo uses as well is ``manageout.lab``.

``waiting`` polls, ``commands`` runs the command line, ``sites`` writes site files, ``chains`` makes certificates,
``dns_server`` answers in this process, ``lab`` looks into a running ``manageout.lab``, ``this_kernel`` skips by name.
``machines`` are sans-IO machines with a clock, ``packets`` random ones, ``places`` namespaces with servers in them, and
``programs`` what runs there as a process of its own.
"""
