"""What the admin's pages of flights share: read-only rows, and lists that stay quick on a million of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
    BaseInline = admin.TabularInline[Any, Any]
    BasePaginator = Paginator[Any]
else:
    BaseAdmin = admin.ModelAdmin
    BaseInline = admin.TabularInline
    BasePaginator = Paginator

_FLIGHT_ID = re.compile(r"(?:FL)?([1-9][0-9]{0,17})", re.ASCII | re.IGNORECASE)


class BoundedPaginator(BasePaginator):
    """Counts no further than it would page: a full count of a million rows is a scan of them, each time."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        return int(self.object_list.order_by()[: self.most].count())  # type: ignore[attr-defined]  # a QuerySet here; the stubs allow a list


class LargeTableAdmin(BaseAdmin):
    """Pages without a full count, in the order of the key."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    ordering = ["-pk"]


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnly, LargeTableAdmin):
    """Rows that operations write; whoever may view them sees them."""


class ReadOnlyInline(_ReadOnly, BaseInline):
    extra = 0


class KeptAdmin(BaseAdmin):
    """Rows that flights and bookings refer to: never deleted, and `fixed` fields are set once."""

    fixed: ClassVar[tuple[str, ...]] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return () if obj is None else self.fixed

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def flight_key(text: str) -> int | None:
    """The key in a flight's id, with or without ``FL``."""
    match = _FLIGHT_ID.fullmatch(text.strip())
    return int(match.group(1)) if match else None


class OfFlightAdmin(ReadOnlyAdmin):
    """Rows of flights, found by the flight's id; a subclass may find them by another field too."""

    search_fields = ["flight"]
    search_help_text = "A flight's id: FL12345"
    list_select_related = ["flight"]
    raw_id_fields = ["flight"]
    other_search_field: ClassVar[str | None] = None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        key, term = flight_key(search_term), search_term.strip()
        if not term:
            return queryset, False
        if key is not None:
            return queryset.filter(flight_id=key), False
        if self.other_search_field is not None:
            return queryset.filter(**{self.other_search_field: term}), False
        return queryset.none(), False
