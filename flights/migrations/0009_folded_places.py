from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

# What a place's name is compared by: in small letters, without accents (NFKD takes a letter and its accent apart;
# a few letters of the Latin script it does not) and without points ("St. Louis" is "St Louis").
# normalize() wants a database in UTF-8. Immutable, as what it is made of, so that an index may have it.
FOLD = """
CREATE OR REPLACE FUNCTION flights_fold(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(replace(replace(replace(lower(translate(
           regexp_replace(normalize(name, NFKD), U&'[\\0300-\\036F]', '', 'g'), 'ØøŁłĐđÐðı.', 'OoLlDdDdi')),
           'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
"""


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('flights', '0008_schedule_before_and_carrier_country'),
    ]

    operations = [
        migrations.RunSQL(FOLD, "DROP FUNCTION IF EXISTS flights_fold(text)"),
        AddIndexConcurrently(
            model_name='airport',
            index=models.Index(models.Func('city', function='flights_fold'), name='airport_folded_city_idx'),
        ),
        # The previous version searches by it still, and for as long reads some 9,000 rows instead.
        RemoveIndexConcurrently(
            model_name='airport',
            name='airport_city_idx',
        ),
    ]
