"""`python -m cenbench`: the same as the `cenbench` command, for the interpreter at hand."""

from cenbench.cli.main import main

if __name__ == "__main__":
    main()
