"""The project's own table: what the auditor found, and when."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class AuditRun(models.Model):
    """One run of the auditor: asked for, then taken by a worker under a lease, then done.

    `findings` is a list of ``{"check", "rule", "lookedAt", "violations", "examples"}``, as `flightbook.audit`
    has them; null until it is done, or where it failed (`failure` then names the exception's type).
    """

    requested_at = models.DateTimeField(db_default=Now(), db_index=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="Nobody: its hour had come",
    )
    lease_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, db_index=True)
    violations = models.PositiveIntegerField(null=True)
    findings = models.JSONField(null=True)
    failure = models.CharField(max_length=100, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-requested_at", "-pk"]

    def __str__(self) -> str:
        return f"audit {self.pk}"
