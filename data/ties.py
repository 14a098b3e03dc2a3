"""Ties: what is linked, directly or through others, belongs together."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def ties(names: Iterable[Name], links: Iterable[tuple[Name, Name]]) -> list[list[Name]]:
    """Returns the connected components of a graph.

    Args:
        names: Every node, each once.
        links: Pairs of nodes that belong together.

    Returns:
        The components in the order their first node comes, and each one's nodes in the order they come.
    """
    parent = {name: name for name in names}

    def root(name: Name) -> Name:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, second in links:
        parent[root(second)] = root(first)
    members: dict[Name, list[Name]] = defaultdict(list)
    for name in parent:
        members[root(name)].append(name)
    return list(members.values())
