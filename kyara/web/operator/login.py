"""Logging in and out."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from flask import current_app, redirect, render_template, request, session, url_for
from flask_babel import format_timedelta
from flask_babel import gettext as _
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from kyara.errors import TooManyAttemptsError
from kyara.web.operator.guard import SessionUser, blueprint, find_accounts, identify_sender
from kyara.web.operator.login_form import LoginForm
from kyara.web.operator.sessions import is_operator_path, read_device, remember_device


@blueprint.route("/login", methods=["GET", "POST"])
def log_in() -> Response | str | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Show the form, or take it: 303 to the page that was asked for, 401 or 429 otherwise."""
    form = LoginForm()
    if request.method == "GET":
        if current_user.is_authenticated:
            return redirect(url_for("operator_pages.show_dashboard"), code=303)
        form.next.data = choose_next(request.args.get("next"))
        return render_template("operator/login.html", form=form, problem="")
    app, name = current_app._get_current_object(), form.name.data or ""  # type: ignore[attr-defined]
    accounts = find_accounts()
    try:
        token = accounts.log_in(
            name, form.password.data or "", sender=identify_sender(), device=read_device(app, name)
        )
    except TooManyAttemptsError as error:
        problem = _(
            "Too many wrong passwords. The next attempt is looked at in %(time)s.",
            time=_say_time(error.retry_after_s),
        )
        page = render_template("operator/login.html", form=form, problem=problem)
        return page, error.status, {"Retry-After": str(error.retry_after_s)}
    operator = accounts.find_session(token) if token else None
    if token is None or operator is None:
        current_app.logger.warning("A login failed.")
        return render_template(
            "operator/login.html", form=form, problem=_("Name or password is wrong.")
        ), 401
    session.clear()  # whatever the browser brought along ends here: nobody can have fixed it before
    login_user(SessionUser(operator, token))
    response = redirect(choose_next(form.next.data), code=303)
    remember_device(app, response, operator.name)
    return response


def _say_time(seconds: int) -> str:
    unit_s = 1 if seconds < 120 else 60
    return format_timedelta(-(-seconds // unit_s) * unit_s, threshold=2 if unit_s == 1 else 1)


@blueprint.post("/logout")
def log_out() -> Response:
    """End the session, here and for every copy of its cookie."""
    find_accounts().log_out(current_user.token)
    logout_user()
    session.clear()
    return redirect(url_for("operator_pages.log_in"), code=303)


def choose_next(wanted: str | None) -> str:
    """Return an address below `/operator/` to go to; never one of another site.

    Args:
        wanted: what the form or the address says; anything.
    """
    home = url_for("operator_pages.show_dashboard")
    if not wanted or not wanted.isprintable() or "\\" in wanted or not wanted.startswith("/operator/"):
        return home
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return home
    aside = {url_for("operator_pages.log_in"), url_for("operator_pages.log_out")}
    if parts.scheme or parts.netloc or not is_operator_path(parts.path) or parts.path in aside:
        return home
    if ".." in unquote(parts.path).split("/"):
        return home
    return wanted
