"""The operator's pages, added to an application."""

from apiflask import APIFlask

from kyara.web.operator import (
    characters,
    dashboard,
    datasets,
    groups,
    guard,
    labelling,
    library,
    library_pictures,
    login,
    models,
    packs,
    reports,
    review,
)
from kyara.web.review import set_up_review

__all__ = ["dashboard", "login", "set_up_operator_pages"]  # two add routes to the guard's


def set_up_operator_pages(app: APIFlask) -> None:
    """Add the pages to an application; nothing of them is reachable before an account exists.

    Raises:
        BadInputError: the configured secret key is weak.
    """
    guard.set_up_guard(app)
    set_up_review(app)
    pages = (guard, review, reports, labelling, datasets, characters, packs, groups)
    for module in (*pages, library, library_pictures, models):
        app.register_blueprint(module.blueprint)
