"""What one connection may cause, in numbers; `session` counts it."""

import msgspec

__all__ = ["Budgets"]


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may cause (contract, section 4)."""

    update_frames_per_second: int = 200
    update_window_seconds: int = 10
    refused_fields_per_minute: int = 600
    restored_units: int = 65_536
    awareness_per_second: int = 10
