"""`cenbench`: the commands, and the one place where an error becomes a message and an exit status.

Exit status: 0 success; 1 a cell failed, or a bug; 2 an error the user can fix, named in the message; 130 interrupted;
141 the reader of standard output, such as `head`, closed the pipe (as for a program that SIGPIPE ends); 143 stopped by
SIGTERM with everything saved.
"""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path

import typer

from cenbench import __version__
from cenbench.cli import (
    cells,
    checkpoints,
    claims,
    compare,
    corollary,
    data,
    doctor,
    exports,
    log,
    pipeline,
    prune,
    reports,
    results,
    robustness,
    status,
    suggest_lambda,
    weights,
)
from cenbench.cli.collection import collect_rarely
from cenbench.cli.options import where_to_start
from cenbench.cli.output_encoding import accept_any_encoding
from cenbench.cli.standard_output import (
    PIPE_CLOSED,
    discard_output,
    is_closed_pipe,
    not_written,
    output_error,
    watch_output,
)
from cenbench.errors import CellFailed, Stopped, UserError
from cenbench.redact import redacted
from cenbench.regular_file import is_system_error, unreadable
from cenbench.schedule.slurm import back_into_the_queue
from cenbench.visible import visible

app = typer.Typer(
    help="A benchmark harness for multimodal fusion by channel exchanging (CEN, NeurIPS 2020).\n\n"
    "[bold]snakemake all_tables[/bold] trains and evaluates the cells of every table and renders the tables; "
    "[bold]snakemake everything[/bold] adds figures and claims. These commands run the individual steps, and show what "
    "is planned and what came out.\n\n"
    "Start with [bold]cenbench doctor[/bold], which checks the machine, then [bold]cenbench plan[/bold]. "
    "[bold]cenbench COMMAND --help[/bold] explains each command with an example.",
    rich_markup_mode="rich",
    invoke_without_command=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")
app.add_typer(results.app, name="results")
app.command()(doctor.doctor)
app.command()(cells.plan)
app.command()(cells.run)
app.command()(robustness.evaluate)
app.command()(status.status)
app.command()(log.log)
app.command()(reports.show)
app.command("open")(reports.open_page)
app.command()(reports.report)
app.command()(claims.claims)
app.command()(robustness.robustness)
app.command()(compare.compare)
app.command()(exports.export)
app.command()(exports.export_history)
app.command()(corollary.corollary)
app.command()(suggest_lambda.suggest_lambda)
app.command()(checkpoints.import_checkpoint)
app.command()(prune.prune)
app.command()(pipeline.pipeline)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cenbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(where_to_start(Path()) or context.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the command line. A `UserError` is printed without a traceback."""
    collect_rarely()
    watch_output()
    accept_any_encoding()
    status = _status()
    error = output_error()
    if error is not None:
        discard_output()
        if not is_closed_pipe(error):
            _print_error(not_written(error))
        status = status or (PIPE_CLOSED if is_closed_pipe(error) else 2)
    sys.exit(status)


def _status() -> int | str | None:
    """Run the command; returns its exit status, 0 if all that is wrong is standard output."""
    try:
        app()
    except SystemExit as ended:
        # typer ends with status 1 on a closed pipe
        return 0 if is_closed_pipe(ended.__context__) and output_error() is not None else ended.code
    except CellFailed as error:
        _print_error(error)
        return 1
    except Stopped as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Slurm sends another one when it requeues the job
        job = back_into_the_queue()
        then = f"Slurm job {job} is back in the queue" if job else "rerun the command to resume"
        print(f"cenbench: {error}; {then}", file=sys.stderr)
        return 143
    except UserError as error:
        _print_error(error)
        return 2
    except KeyboardInterrupt:
        print("interrupted; rerun the command to resume", file=sys.stderr)
        return 130
    except OSError as error:
        return _of_the_system(error)
    except Exception:  # a bug: print its traceback, with secrets removed
        print(redacted(traceback.format_exc()), file=sys.stderr)
        return 1
    return 0


def _of_the_system(error: OSError) -> int:
    """Report what the file system refused, without a traceback if the error names a file; returns the exit status.

    0 if it is standard output that cannot be written, which `main` reports.
    """
    if is_system_error(error) and isinstance(error.filename, str):
        _print_error(unreadable(Path(error.filename), error))
        return 2
    if output_error() is not None:
        return 0
    print(redacted(traceback.format_exc()), file=sys.stderr)
    return 1


def _print_error(error: UserError) -> None:
    print(visible(redacted(f"cenbench: {error}")), file=sys.stderr)
