"""`python -m cenbench`: the same as the `cenbench` command, for the interpreter at hand."""

import os

if __name__ == "__main__":
    if "CENBENCH_WARM_SOCKET" in os.environ:  # a job of a local run
        from cenbench.warm_start import run_warm

        run_warm()
    from cenbench.cli.main import main

    main()
