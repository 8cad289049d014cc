"""Plain text in: the form in which telegrams travel."""

from __future__ import annotations

from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class PlainTextParser(BaseParser):
    """A body of UTF-8 text, as it is."""

    media_type = "text/plain"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        request = (parser_context or {}).get("request")
        # Django's own reading holds the size limit: it raises RequestDataTooBig.
        body = request._request.body if request is not None else stream.read()
        try:
            return str(body, "utf-8")
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
