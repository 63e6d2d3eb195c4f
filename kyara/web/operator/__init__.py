"""The operator's pages under `/operator/`: logging in, the dashboard, reports, datasets, characters.

`guard` refuses every request under `/operator/` without a session and a CSRF token, whichever blueprint
the route belongs to; `sessions` is the signed cookie and its key; `login`, `dashboard` and the others
are pages, which `blueprints` adds to the site.
"""
