"""Taking and giving back money: the gateway's interface, the sandbox behind it, and the attempts that keep
count."""
