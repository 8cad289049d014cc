"""Proof of what people see: the board and the admin of a running system, in a real Chromium."""
