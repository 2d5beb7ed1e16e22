"""``python -m manageout``: the same as the ``manageout`` command."""

from manageout.cli.commands import main

if __name__ == "__main__":
    main()
