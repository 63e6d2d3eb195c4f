"""In front of everything under `/operator/`: accounts exist, a session, a CSRF token; in this order.

404 before the first account exists · 401 without a session · 403 with a wrong CSRF token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Blueprint, current_app, g, render_template, request
from flask_babel import lazy_gettext as _
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from kyara.errors import BadInputError, ForbiddenError, NoSessionError, UnavailableError
from kyara.storage.client_hash import hash_sender
from kyara.storage.database import is_shared
from kyara.web.operator.accounts import AccountStore, Operator
from kyara.web.operator.login_form import LoginForm
from kyara.web.operator.messages import script_messages
from kyara.web.operator.sessions import OperatorSessions, is_operator_path
from kyara.web.public.pages import remember_language
from kyara.web.secrets import check_secret_key

LOGIN_ENDPOINT = "operator_pages.log_in"
SETTINGS = {
    "SESSION_COOKIE_NAME": "operator_session",
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_PROTECTION": "strong",
    # The guard asks for the token itself, on operators' routes only, for as long as the session lasts.
    "WTF_CSRF_CHECK_DEFAULT": False,
    "WTF_CSRF_TIME_LIMIT": None,
}

NAVIGATION = (
    ("operator_pages.show_dashboard", _("Dashboard"), {}),
    ("review_pages.show_review", _("Review"), {"kind": "all"}),
    ("dataset_pages.show_datasets", _("Datasets"), {}),
    ("character_pages.show_characters", _("Characters"), {}),
    ("library_pages.show_library", _("Library"), {}),
    ("group_pages.show_groups", _("Groups"), {}),
    ("model_pages.show_models", _("Models"), {}),
)
"""Endpoints, what they are called, and their values; those that do not exist are left out."""
_OF_LIBRARY = {"library_pages.show_library"}
"""Shown where a library is set."""

blueprint = Blueprint("operator_pages", __name__, url_prefix="/operator")
_csrf = CSRFProtect()


class SessionUser(UserMixin):
    """An operator as Flask-Login knows one: by the token of the session, not by the account."""

    def __init__(self, operator: Operator, token: str) -> None:
        self.operator = operator
        self.token = token

    def get_id(self) -> str:
        return self.token


def set_up_guard(app: APIFlask) -> None:
    """Add the guard, and what it needs of Flask-Login and Flask-WTF, to an application.

    Raises:
        BadInputError: the configured secret key is weak, or missing where several servers share it.
    """
    app.config.update(SETTINGS)
    database_url = app.config["OPERATOR_DATABASE_URL"] or app.config["DATABASE_URL"]
    app.secret_key = check_secret_key(app.config["SECRET_KEY"], shared=is_shared(database_url)) or None
    app.extensions["kyara_accounts"] = AccountStore(
        Path(app.config["INSTANCE_FOLDER"]), database_url or None
    )
    app.session_interface = OperatorSessions()
    _csrf.init_app(app)
    manager = LoginManager()
    # `init_app` would look at the session after every request, of visitors too, to keep a "remember me"
    # cookie, which there is none of here.
    app.login_manager = manager  # type: ignore[attr-defined]
    manager.user_loader(_load_user)


def find_accounts() -> AccountStore:
    """Return this application's accounts."""
    return current_app.extensions["kyara_accounts"]


def find_operator() -> str:
    """Return the name of the operator whose request this is.

    Raises:
        NoSessionError: nobody is logged in.
    """
    if not current_user.is_authenticated:
        raise NoSessionError("Log in at /operator/login first.")
    return current_user.operator.name


def identify_sender() -> str:
    """Return what attempts from this client's address are counted under."""
    assert current_app.secret_key
    return hash_sender(request.remote_addr or "", str(current_app.secret_key).encode())


def _load_user(token: str) -> SessionUser | None:
    operator = find_accounts().find_session(token)
    return SessionUser(operator, token) if operator else None


@blueprint.before_app_request
def guard_operator_paths() -> Any:
    """Refuse requests that may not pass; by their address, so that no route can be forgotten.

    Raises:
        KyaraError: the accounts cannot be read.
        NotFound: there is no operator yet.
        NoSessionError: nobody is logged in.
        ForbiddenError: the request changes something and has no valid CSRF token.
    """
    if not is_operator_path(request.path):
        return None
    if not _have_operators():
        raise NotFound
    if request.method == "GET" and (language := request.args.get("lang")) is not None:
        return remember_language(language, request.path)
    if request.endpoint != LOGIN_ENDPOINT and not current_user.is_authenticated:
        if not wants_page():
            raise NoSessionError("Log in at /operator/login first.")
        return _ask_to_log_in()
    try:
        _csrf.protect()
    except CSRFError as error:
        raise ForbiddenError(f"{error.description} Load the page again, and try once more.") from error
    return None


def _have_operators() -> bool:
    """Tell whether there is any account.

    Raises:
        UnavailableError: the database cannot be used.
    """
    try:
        return find_accounts().exist()
    except BadInputError as error:
        current_app.logger.error("%s", error)
        raise UnavailableError(
            "Operators' accounts cannot be used at the moment; everything else works."
        ) from error


def wants_page() -> bool:
    """Tell whether the request comes from somebody who reads pages, not from a script."""
    return request.accept_mimetypes.accept_html and not request.is_json


def _ask_to_log_in() -> tuple[str, int, dict[str, str]]:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else ""
    page = render_template("operator/login.html", form=LoginForm(next=wanted), problem="")
    return page, 401, {"WWW-Authenticate": NoSessionError.challenge}


@blueprint.after_app_request
def keep_out_of_caches(response: Response) -> Response:
    """Let no cache, and no "back" after logging out, show what operators see."""
    if is_operator_path(request.path):
        is_kept = g.get("kept_by_browser") and response.status_code in (200, 304)
        response.headers["Cache-Control"] = "private, no-cache" if is_kept else "no-store"
    return response


def let_browser_keep() -> None:
    """Let the browser keep this answer; before it shows it again it has to ask, with the session."""
    g.kept_by_browser = True


@blueprint.app_context_processor
def describe_operator() -> dict[str, Any]:
    """Give operators' templates who is logged in, and where they can go."""
    if not is_operator_path(request.path):
        return {}
    known = current_app.view_functions
    hidden = set() if current_app.config["LIBRARY"] else _OF_LIBRARY
    entries = [entry for entry in NAVIGATION if entry[0] in known and entry[0] not in hidden]
    return {
        "operator": current_user,
        "operator_entries": entries,
        "operator_csrf": generate_csrf,
        "operator_messages": script_messages,
    }
