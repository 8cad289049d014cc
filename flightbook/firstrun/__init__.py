"""The whole system in one terminal, for a newcomer: what ``make run`` wraps in ``flightbook.embedded``.

``python -m flightbook.firstrun`` brings the database up to date, makes what a first run needs, and then keeps
four processes running: HTTP and WebSocket on one port, the relay, the worker, the notices. A deployment
starts the same by its own means.
"""
