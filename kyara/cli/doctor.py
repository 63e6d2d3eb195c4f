"""`doctor`: is this installation sound?"""

from __future__ import annotations

from dataclasses import asdict

import click

from kyara.cli.options import json_option, print_json

SIGNS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check this installation, and say what is wrong and what to do.

    It looks at what the site would use with the same environment. The exit status is 1 where something
    does not work; warnings alone are 0.
    """
    from kyara.cli.checks import examine
    from kyara.web.settings import DEFAULTS, Settings, make_config

    findings = examine({**DEFAULTS, **make_config(Settings.read_sound())})
    sound = all(found.state != "problem" for found in findings.values())
    if as_json:
        checks = [{"name": name, **asdict(found)} for name, found in findings.items()]
        print_json({"sound": sound, "checks": checks})
    else:
        for name, found in findings.items():
            click.echo(f"{SIGNS[found.state]}  {name}: {found.found}")
            if found.advice:
                click.echo(f"         {found.advice}")
        click.echo("This installation works." if sound else "This installation does not work.")
    context.exit(0 if sound else 1)
