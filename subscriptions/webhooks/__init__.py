"""Webhooks: addresses of API clients, called with each update of the flights which their user follows.

By Standard Webhooks (https://www.standardwebhooks.com, version 1.0.0). `endpoints` keeps the addresses,
`writing` reads the log and writes what is to be sent, `delivery` sends it, `signing` signs, `calling` makes
one call to an address that `addresses` has let through.
"""
