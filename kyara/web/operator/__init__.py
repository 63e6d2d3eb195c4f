"""The operator's pages under `/operator/`: logging in, the dashboard, reports, datasets, characters.

The rooms: `guard` lets nobody pass without a session and a CSRF token, whichever blueprint a route under
`/operator/` belongs to; `sessions` is the signed cookie and its key; `login`, `dashboard` and the others
are pages, which `blueprints` adds to the site. A page of another room registers its own blueprint under
`/operator/…` and is guarded as well.
"""
