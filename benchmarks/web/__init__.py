"""The web app in a real browser: first load, keys, remote edits, opening offline, a long queue."""
