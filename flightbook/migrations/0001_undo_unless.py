from django.db import migrations

UNDO_UNLESS = """
CREATE FUNCTION flightbook_undo_unless(holds boolean, name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = name || ' does not hold', CONSTRAINT = name;
    END IF;
END
$$
"""


class Migration(migrations.Migration):
    """What `flightbook.statements` needs: a condition among statements that ends their transaction."""

    initial = True
    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.RunSQL(UNDO_UNLESS, "DROP FUNCTION flightbook_undo_unless(boolean, text)"),
    ]
