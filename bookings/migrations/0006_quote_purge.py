from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('bookings', '0005_ledger_before_the_ledger'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='quote',
            index=models.Index(condition=models.Q(('used_at__isnull', True)), fields=['expires_at'], name='quote_untaken_idx'),
        ),
    ]
