"""Names the log that sequences count in, and the relay as a reader of it."""

import secrets

from django.db import migrations


def name_log(apps, schema_editor):
    apps.get_model("flights", "UpdateLog").objects.create(name=secrets.token_urlsafe(9))


class Migration(migrations.Migration):
    dependencies = [("flights", "0001_initial")]
    operations = [migrations.RunPython(name_log, migrations.RunPython.noop)]
