"""The commands of ``radiuscore``. What a command needs is imported when it runs, so that `--help` comes at once."""

import json
import sys
from importlib.metadata import version
from typing import Annotated, Final, NoReturn

import typer

from mgmt.faults import EXIT_USAGE, Fault
from radiuscore.settings import Settings, SettingsError

INTERRUPTED: Final = 130

app = typer.Typer(
    name="radiuscore",
    help="A RADIUS server that many ISPs with MikroTik routers share.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and with them secrets
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]


def main() -> NoReturn:
    """Run the command line. An expected fault is one sentence on standard error, 2 for a setting and 1 otherwise."""
    try:
        app()
    except SettingsError as error:
        _end(str(error), EXIT_USAGE)
    except Fault as fault:
        _end(str(fault), fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(1)
    sys.exit(0)


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show_version:
        _say(f"radiuscore {version('radiuscore')}")
        raise typer.Exit


@app.command()
def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Make a demo ISP in DATA_DIR/demo and log its customer in, over UDP.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="With --demo: end then, 0 if all was as it must be.")] = False,
) -> None:
    """Run the server: workers, management and, without DATABASE_URL, a PostgreSQL of its own."""
    if once and not demo:
        raise Fault("--once is for --demo; the server itself runs until it is stopped.", EXIT_USAGE)
    if demo:
        from mgmt.demo import run_demo

        sys.exit(run_demo(Settings.load(), once=once))
    from mgmt.serve import serve as run

    run(Settings.load())


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema."""
    from mgmt.migrate import migrate as run

    run(Settings.load())


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="What he logs in with.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read his password from standard input; else one is generated.")
    ] = False,
    first_name: Annotated[str, typer.Option()] = "",
    last_name: Annotated[str, typer.Option()] = "",
    as_json: Json = False,
) -> None:
    """Create a user who may see and change every ISP."""
    from mgmt.accounts import create_admin as create

    password = sys.stdin.readline().rstrip("\n") if password_stdin else None
    admin = create(email, password, first_name=first_name, last_name=last_name)
    if as_json:
        _say(json.dumps(admin._asdict()))
        return
    _say(f"Administrator {admin.email} was created.")
    if admin.password is not None:
        _say(f"Password, shown this once: {admin.password}")


@app.command("create-isp")
def create_isp(
    name: Annotated[str, typer.Option(help="Short name.")],
    email: Annotated[str, typer.Option(help="Unique over all ISPs.")],
    company_name: Annotated[str, typer.Option(help="As on an invoice; the name if not given.")] = "",
    plan: Annotated[str, typer.Option(help="basic, pro or enterprise.")] = "basic",
    max_devices: Annotated[int | None, typer.Option(help="Instead of the plan's limit; 0 is unlimited.")] = None,
    max_customers: Annotated[int | None, typer.Option(help="Instead of the plan's limit; 0 is unlimited.")] = None,
    time_zone: Annotated[str, typer.Option(help="IANA name, for example Africa/Nairobi.")] = "UTC",
    router: Annotated[
        str | None, typer.Option(help="Address of its first router, as its packets come from it.")
    ] = None,
    server: Annotated[str | None, typer.Option(help="Address of this server, as that router sees it.")] = None,
    as_json: Json = False,
) -> None:
    """Create an ISP with its API key and RADIUS secret, and say what its routers are told."""
    from mgmt.models import Isp
    from mgmt.newisp import create

    isp = Isp(name, company_name or name, email, plan, max_devices, max_customers, time_zone)
    made = create(isp, router=router, server=server, settings=Settings.load())
    _say(json.dumps(made.to_json()) if as_json else made.to_text())


@app.command("check-config")
def check_config() -> None:
    """Say what is wrong with settings, database, ports and keys, and how to mend it."""
    from mgmt.checkconfig import check

    sys.exit(check())


@app.command()
def radtest(
    user: str,
    password: str,
    nas: Annotated[str | None, typer.Option(help="As which router: its address or id.")] = None,
    method: Annotated[str, typer.Option(help="pap, chap, mschapv1 or mschapv2.")] = "pap",
) -> None:
    """Log a customer in as a router would, and say what came of it and why."""
    from mgmt.radtest import radtest as run

    sys.exit(run(Settings.load(), user, password, nas, method))


@app.command()
def trace(
    nas: Annotated[str | None, typer.Option(help="Packets of this router: its address or id.")] = None,
    user: Annotated[str | None, typer.Option(help="Packets of this customer.")] = None,
) -> None:
    """Show the running server's packets as they come: decoded, with reasons, without secrets."""
    from mgmt.trace import trace as run

    run(Settings.load(), nas, user)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _end(sentence: str, exit_code: int) -> NoReturn:
    sys.stderr.write(sentence + "\n")
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
