"""The operator's pages under `/operator/`: logging in, the dashboard, reports, characters.

The rooms: `guard` lets nobody pass without a session and a CSRF token, whichever blueprint a route under
`/operator/` belongs to; `sessions` is the signed cookie and its key; `login`, `dashboard` and the others
are pages. A page of another room registers its own blueprint under `/operator/…` and is guarded as well.
"""

from kyara.web.operator_pages import dashboard, login  # noqa: F401  (their routes)
from kyara.web.operator_pages.guard import find_accounts, find_operator, set_up_operator_pages

__all__ = ["find_accounts", "find_operator", "set_up_operator_pages"]
