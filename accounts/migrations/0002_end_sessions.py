"""A changed password and a disabled user end the user's sessions, whichever way the row was changed."""

import django.contrib.auth.validators
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION accounts_end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_session
    SET ended_at = clock_timestamp(),
        end_reason = CASE WHEN NEW.is_active THEN 'password_changed' ELSE 'user_disabled' END
    WHERE user_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER accounts_user_end_sessions
AFTER UPDATE OF password, is_active ON accounts_user
FOR EACH ROW
WHEN (OLD.password IS DISTINCT FROM NEW.password OR (OLD.is_active AND NOT NEW.is_active))
EXECUTE FUNCTION accounts_end_sessions();
"""

REVERSE = """
DROP TRIGGER accounts_user_end_sessions ON accounts_user;
DROP FUNCTION accounts_end_sessions();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="username",
            field=models.CharField(
                max_length=150, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()]
            ),
        ),
        # Django hashes a password anew on login when the hasher's settings were raised: the same password, another
        # hash. The user's other sessions end with it, once; the login's own opens after it. That is on the safe side,
        # and needs no way round the trigger.
        migrations.RunSQL(FORWARD, REVERSE),
    ]
