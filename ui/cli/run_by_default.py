"""A command group whose first argument need not name a command."""

from typing import Any

from typer.core import TyperGroup


class RunByDefault(TyperGroup):
    """Takes a first argument that names no command for the configuration of `run`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Puts `run` before an argument that names no command."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            args = ["run", *args]
        return super().resolve_command(ctx, args)
