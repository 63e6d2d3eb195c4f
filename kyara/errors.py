"""Every error that Kyara raises on purpose; each knows its HTTP status.

Messages are for people: what was wrong, the value received, what to do.
"""

from __future__ import annotations


class KyaraError(Exception):
    """A problem that a person can read and act on.

    Attributes:
        status: HTTP status code that the web layer answers with.
        title: short name of the kind of problem (RFC 9457 `title`).
        crop: index of the crop at fault where one of several is, else None.
    """

    status = 500
    title = "Something went wrong"

    def __init__(self, message: str, *, crop: int | None = None) -> None:
        """Take the sentence that the person reads and the crop it is about."""
        super().__init__(message)
        self.crop = crop


class BadInputError(KyaraError):
    """The request or the arguments do not make sense."""

    status = 400
    title = "Bad input"


class UnauthorizedError(KyaraError):
    """Only an operator may do this."""

    status = 401
    title = "Unauthorized"
    challenge = 'Bearer realm="kyara"'
    """What to send next time (RFC 6750)."""


class NoSessionError(UnauthorizedError):
    """An operator has to log in first."""

    title = "Not logged in"
    challenge = 'Session realm="kyara operators"'
    """No browser knows this scheme, so none opens its own dialog over the page's form."""


class ForbiddenError(KyaraError):
    """It may not be done in this way, or not by this operator."""

    status = 403
    title = "Forbidden"


class NotFoundError(KyaraError):
    """What was asked for does not exist."""

    status = 404
    title = "Not found"


class TooLateError(KyaraError):
    """What was asked for can no longer be done."""

    status = 409
    title = "Too late"


class ConflictError(KyaraError):
    """Somebody else has changed it meanwhile, or it is another operator's."""

    status = 409
    title = "Conflict"


class TooLargeError(KyaraError):
    """More bytes, pixels or crops than Kyara accepts."""

    status = 413
    title = "Too large"


class UnsupportedImageError(KyaraError):
    """The bytes are not one of the image formats that Kyara reads."""

    status = 415
    title = "Unsupported image"


class BrokenImageError(KyaraError):
    """The bytes claim to be an image and cannot be decoded."""

    status = 422
    title = "Broken image"


class UnsupportedVideoError(KyaraError):
    """The file is not a video, or an animation, that Kyara reads."""

    status = 415
    title = "Unsupported video"


class BrokenVideoError(KyaraError):
    """The file is a video that is damaged or cut short."""

    status = 422
    title = "Broken video"


class StorageFullError(KyaraError):
    """A disk quota, or the disk itself, is full."""

    status = 507
    title = "Storage full"


class BusyError(KyaraError):
    """The queue in front of the model is full, or something else is busy; try again soon.

    Attributes:
        retry_after_s: after how many seconds to ask again.
        reason: the word that refusals are counted by.
    """

    status = 503
    title = "Busy"
    retry_after_s = 2
    reason = "busy"

    def __init__(
        self, message: str, *, crop: int | None = None, retry_after_s: int = 0, reason: str = ""
    ) -> None:
        """Take the sentence, and what is to be said other than usual."""
        super().__init__(message, crop=crop)
        self.retry_after_s = retry_after_s or self.retry_after_s
        self.reason = reason or self.reason


class StorageAwayError(BusyError):
    """The place where files lie cannot be reached; nothing that was accepted is lost."""

    title = "Storage away"
    retry_after_s = 5


class CollidedError(BusyError):
    """Others changed the same at the same moment, and the database has undone this change."""


class UnreachableError(BusyError):
    """A database went away; what was being committed may be done or not."""

    title = "Database unreachable"
    retry_after_s = 5


class TooManyRequestsError(KyaraError):
    """Too many requests of one client; wait."""

    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        """Take the sentence, and after how many seconds the next attempt makes sense."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyAttemptsError(TooManyRequestsError):
    """Too many wrong passwords; wait."""

    title = "Too many attempts"


class UnavailableError(KyaraError):
    """A disk or a database does not work; nothing was stored or changed."""

    status = 503
    title = "Not available"
    retry_after_s = 5


class NotInstalledError(KyaraError):
    """A package or a file that this needs is not installed; the sentence says what brings it."""

    status = 501
    title = "Not installed"


class BundleError(KyaraError):
    """A model on disk is missing, damaged or of another format version."""

    status = 503
    title = "No model"


class NoSuchBundleError(BundleError):
    """Somebody asked for a model by a name that is no model's."""

    status = 404
    title = "No such model"
