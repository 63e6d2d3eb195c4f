"""`operator`: accounts of those who review, label and promote."""

from __future__ import annotations

import sys
from typing import Any

import click

from kyara.cli.options import json_option, print_json
from kyara.errors import BadInputError
from kyara.registry import DATABASE_VARIABLE

_place_option: Any = click.option(
    "--database",
    envvar=["KYARA_OPERATOR_DATABASE_URL", DATABASE_VARIABLE],
    metavar="URL",
    help="Where accounts are kept.  [default: SQLite, operators.db in the instance folder]",
)
_password_option: Any = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


def _open_accounts(database: str | None) -> Any:
    from kyara.web.operator.accounts import AccountStore, find_instance

    return AccountStore(find_instance(), database or None)


def _ask_password(from_stdin: bool) -> str:
    """Return a password from a prompt that shows nothing and asks twice, or from standard input.

    Raises:
        BadInputError: there is neither a terminal nor `--password-stdin`.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadInputError("There is no terminal to ask for a password: send it with --password-stdin.")
    return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)


@click.group()
def operator() -> None:
    """Manage the accounts of operators, who log in at /operator/."""


@operator.command()
@click.argument("name")
@_password_option
@_place_option
def create(name: str, password_stdin: bool, database: str | None) -> None:
    """Make an account NAME; the password is asked for. A running site needs no restart."""
    from kyara.web.operator.accounts.passwords import check_name

    checked = check_name(name)
    _open_accounts(database).create(checked, _ask_password(password_stdin))
    click.echo(f"{checked} may log in at /operator/.")


@operator.command()
@click.argument("name")
@_password_option
@_place_option
def password(name: str, password_stdin: bool, database: str | None) -> None:
    """Give the account NAME another password; all its sessions end."""
    _open_accounts(database).change_password(name, _ask_password(password_stdin))
    click.echo(f"{name} has another password; every session of it has ended.")


@operator.command()
@click.argument("name")
@_place_option
def remove(name: str, database: str | None) -> None:
    """Remove the account NAME and end its sessions; what it reviewed stays."""
    _open_accounts(database).remove(name)
    click.echo(f"{name} is removed.")


@operator.command(name="list")
@json_option
@_place_option
def list_operators(as_json: bool, database: str | None) -> None:
    """List the accounts and when each last logged in."""
    found = _open_accounts(database).list()
    if as_json:
        entries = [
            {
                "name": one.name,
                "created_at": one.created_at.isoformat(timespec="seconds"),
                "last_login_at": one.last_login_at and one.last_login_at.isoformat(timespec="seconds"),
            }
            for one in found
        ]
        print_json({"operators": entries})
        return
    for one in found:
        last = one.last_login_at.isoformat(" ", "seconds") if one.last_login_at else "never"
        click.echo(f"{one.name}: last login {last}")
    if not found:
        click.echo("There is no operator yet; `python -m kyara operator create NAME` makes one.")


@operator.command()
@_place_option
def unlock(database: str | None) -> None:
    """Forget all wrong passwords that were counted: nobody waits any more."""
    click.echo(
        f"{_open_accounts(database).unlock()} account(s), address(es) or browser(s) were counted."
    )
