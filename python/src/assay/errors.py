"""What can go wrong, each with the way out in its text."""


class AssayError(Exception):
    """Anything this package refuses or cannot do."""


class NotFound(AssayError):
    """There is no such thing here."""


class Refused(AssayError):
    """The server refused a request.

    `code` is stable from release to release; `field` names the wrong field of the request, if it is one.
    """

    def __init__(self, status: int, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(f"{detail} ({code}, status {status})")
        self.status = status
        self.code = code
        self.field = field
