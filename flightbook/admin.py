"""What the auditor found, for staff, with a button that asks for another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from flightbook.audit_runs import request_audit
from flightbook.models import AuditRun

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[AuditRun]
else:
    _ModelAdmin = admin.ModelAdmin
ASK_PERMISSION = "flightbook.add_auditrun"


@admin.register(AuditRun)
class AuditRunAdmin(_ModelAdmin):
    """Runs are made by the worker; staff with the permission to add one may ask for it."""

    change_list_template = "admin/flightbook/auditrun/change_list.html"
    list_display = ("requested_at", "requested_by", "started_at", "finished_at", "result", "violations")
    list_select_related = ("requested_by",)
    fields = ("requested_at", "requested_by", "started_at", "finished_at", "result", "found")
    readonly_fields = fields
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        ask = path("ask/", self.admin_site.admin_view(self.ask_view), name="flightbook_auditrun_ask")
        return [ask, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_ask": _may_ask(request)} | (extra_context or {})
        return super().changelist_view(request, context)

    def ask_view(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not _may_ask(request):
            raise PermissionDenied
        run = request_audit(user_pk=request.user.pk)
        messages.success(request, "A worker runs the audit now: reload this page in a moment.")
        self.log_addition(request, run, "asked for an audit")
        return redirect("admin:flightbook_auditrun_changelist")

    @admin.display(description="result")
    def result(self, run: AuditRun) -> str:
        if run.finished_at is None:
            return "running" if run.started_at else "waiting"
        if run.findings is None:
            return f"failed: {run.failure}"
        return "broken" if run.violations else "all is well"

    @admin.display(description="checks")
    def found(self, run: AuditRun) -> SafeString:
        """Each check with what it looked at; a broken one first, with its rule and examples."""
        ordered = sorted(run.findings or (), key=lambda one: (-one["violations"], one["check"]))
        rows = format_html_join(
            "", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", map(_cells, ordered)
        )
        head = "<th>check</th><th>rows</th><th>broken</th><th>which</th>"
        return format_html(
            "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", SafeString(head), rows
        )


def _cells(finding: dict[str, Any]) -> tuple[str, str, str, str]:
    broken = finding["violations"]
    which = f"must hold: {finding['rule']}: {'; '.join(finding['examples'])}" if broken else ""
    return finding["check"], f"{finding['lookedAt']:,}", f"{broken:,}" if broken else "", which


def _may_ask(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.is_active and user.is_staff and user.has_perm(ASK_PERMISSION))
