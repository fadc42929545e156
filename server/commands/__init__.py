"""What `fieldchart …` does, a module for each group of commands."""

__all__: list[str] = []
