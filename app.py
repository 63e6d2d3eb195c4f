"""What `flask run` and gunicorn load: `app:create_app()`. The code is in `kyara.web`."""

from kyara.web.app import create_app
from kyara.web.settings import DEFAULTS

__all__ = ["DEFAULTS", "create_app"]
