"""What all of it shares: rows are looked at, and written by operations alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Model]
else:
    _ModelAdmin, _TabularInline = admin.ModelAdmin, admin.TabularInline


class _ReadOnly:
    """Rows that operations write: an edit by hand would break what they promise."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnly, _ModelAdmin):
    list_per_page = 50
    show_full_result_count = False


class ReadOnlyInline(_ReadOnly, _TabularInline):
    extra = 0
    show_change_link = True
