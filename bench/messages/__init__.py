"""Proof of the ways in and out beside the API and the socket: telegrams as files, and webhooks."""
