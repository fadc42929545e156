"""Hypothesis without a deadline: a busy machine is no failure. Work is bounded by counting it."""

from hypothesis import settings

settings.register_profile("fieldchart", deadline=None)
settings.load_profile("fieldchart")
