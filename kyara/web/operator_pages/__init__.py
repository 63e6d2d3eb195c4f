"""The operator's pages under `/operator/`: logging in, the dashboard, reports, datasets, characters.

The rooms: `guard` lets nobody pass without a session and a CSRF token, whichever blueprint a route under
`/operator/` belongs to; `sessions` is the signed cookie and its key; `login`, `dashboard` and the others
are pages. A page of another room registers its own blueprint under `/operator/…` and is guarded as well.
"""

from apiflask import APIFlask

from kyara.web.operator_pages import characters, dashboard, datasets, guard, login, reports
from kyara.web.operator_pages.guard import find_accounts, find_operator
from kyara.web.review import set_up_review

__all__ = ["dashboard", "find_accounts", "find_operator", "login", "set_up_operator_pages"]


def set_up_operator_pages(app: APIFlask) -> None:
    """Add the pages to an application; nothing of them is reachable before an account exists.

    Raises:
        BadInputError: the configured secret key is weak.
    """
    guard.set_up_guard(app)
    set_up_review(app)
    for module in (guard, reports, datasets, characters):
        app.register_blueprint(module.blueprint)
