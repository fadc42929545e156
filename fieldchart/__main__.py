"""`python -m fieldchart` and the console script."""

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from server.commands.cli import app

    app()


if __name__ == "__main__":
    main()
