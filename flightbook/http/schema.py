"""How drf-spectacular describes our views: problem documents for errors, bearer tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class FieldProblemSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An RFC 9457 problem document."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    requestId = serializers.CharField()  # noqa: N815 - its name in JSON
    errors = FieldProblemSerializer(many=True, required=False)  # type: ignore[assignment]  # hides DRF's own


class ApiSchema(AutoSchema):
    """Adds the error answers that every operation has."""

    common_errors = ("400", "401", "404", "405", "406", "413", "415", "429", "503")

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._error_statuses():
            types = ["application/problem+json"]
            body = self._get_response_for_code(ProblemSerializer, status, types)  # type: ignore[no-untyped-call]
            bodies.setdefault(status, body)
        return bodies

    def _error_statuses(self) -> list[str]:
        extra = getattr(self.view, "error_statuses", ())
        return [*self.common_errors, *(str(status) for status in extra)]
