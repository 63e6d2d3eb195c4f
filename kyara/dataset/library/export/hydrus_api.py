"""Tags straight into a hydrus client, which knows a file by its SHA-256, as the library does.

Source: hydrus, "Client API", https://hydrusnetwork.github.io/hydrus/developer_api.html
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from kyara.dataset.library.export.hydrus import list_tags
from kyara.dataset.library.reading import LibraryPicture
from kyara.errors import BadInputError, UnavailableError

ANSWER_S = 60.0
"""So long hydrus may take to answer; it answers nothing while its database is busy."""


@dataclass(frozen=True)
class HydrusClient:
    """A hydrus client that runs.

    Attributes:
        url: of its API: `http://127.0.0.1:45869`.
        access_key: 64 hexadecimal digits, with the permissions to see services and to edit tags.
    """

    url: str
    access_key: str

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise BadInputError(f"{self.url[:120]!r} is no address of a Client API: http://HOST:PORT.")
        if len(self.access_key) != 64 or not set(self.access_key) <= set("0123456789abcdefABCDEF"):
            raise BadInputError("The access key is not 64 hexadecimal digits, as hydrus shows it.")

    def find_service(self, name: str) -> str:
        """Return the key of a tag service.

        Raises:
            KyaraError: hydrus has none of this name, or does not answer.
        """
        answer = self._ask(f"/get_service?{urlencode({'service_name': name})}")
        try:
            return str(answer["service"]["service_key"])
        except (KeyError, TypeError) as error:
            raise UnavailableError(f"{self.url} does not answer as hydrus does.") from error

    def add_tags(
        self,
        pictures: Iterable[LibraryPicture],
        service: str,
        language: str,
        progress: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Add the tags of pictures; hydrus keeps them also for files that it does not have yet.

        Args:
            pictures: whose faces all have names.
            service: key of the tag service.
            language: of names and works.
            progress: is told of each picture.

        Raises:
            KyaraError: hydrus refuses, or does not answer; those before it have their tags.
        """
        for picture in pictures:
            tags = {service: list_tags(picture, language)}
            self._ask("/add_tags/add_tags", {"hashes": [picture.sha256], "service_keys_to_tags": tags})
            progress(1)

    def _ask(self, path: str, document: dict[str, Any] | None = None) -> Any:
        """Send a request; return the JSON that is answered, None where nothing is."""
        headers = {"Hydrus-Client-API-Access-Key": self.access_key, "Content-Type": "application/json"}
        data = None if document is None else json.dumps(document).encode()
        request = Request(self.url.rstrip("/") + path, data, headers)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_S) as answer:
                text = answer.read()
            return json.loads(text) if text else None
        except HTTPError as error:
            said = error.read(500).decode(errors="replace").strip() or error.reason
            raise UnavailableError(f"hydrus refuses ({error.code}): {said}") from error
        except (URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise UnavailableError(
                f"There is no answer at {self.url} ({reason}). Is the Client API switched on in hydrus, "
                "under services?"
            ) from error
        except ValueError as error:
            raise UnavailableError(f"{self.url} does not answer as hydrus does.") from error
