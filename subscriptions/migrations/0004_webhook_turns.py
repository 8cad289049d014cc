"""Endpoints take turns: who was called when, and what of an endpoint is due first."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("subscriptions", "0003_webhooks")]

    operations = [
        migrations.AddField(
            model_name="webhookendpoint",
            name="called_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="webhookendpoint",
            name="failures",
            field=models.PositiveIntegerField(default=0, help_text="In a row, without a success"),
        ),
        AddIndexConcurrently(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("state", "pending")),
                fields=["endpoint", "due_at"],
                name="webhook_turn_idx",
            ),
        ),
    ]
