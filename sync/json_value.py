"""A value of a record as JSON has it. Pure."""

__all__ = ["plain"]


def plain(value: object) -> object:
    """The value as JSON has it, whole floats as integers: Yjs knows only one kind of number."""
    match value:
        case float() if value.is_integer() and abs(value) <= 2**53:
            return int(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            return value
