"""What OPTIONS answers."""

from __future__ import annotations

from typing import Any

from rest_framework.metadata import BaseMetadata


class AllowedMethods(BaseMetadata):
    """The methods, as `Allow` has them; everything else about an endpoint stands in the OpenAPI document."""

    def determine_metadata(self, request: Any, view: Any) -> dict[str, Any]:
        return {"methods": view.allowed_methods}
