#!/bin/sh
# The one-shot job before a release: schema, keys, schedule, staff account. Safe to run again.
set -eu
python manage.py migrate --noinput
python manage.py create_token_keys --publish /keys/public
python manage.py load_schedule
if [ -n "${DJANGO_SUPERUSER_USERNAME:-}" ]; then
  python manage.py create_staff
fi
