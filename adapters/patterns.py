"""Whether two patterns of file names can be those of one name."""

from __future__ import annotations

from functools import cache


def meet(one: str, other: str) -> bool:
    """Whether some name fits both: `*` is any text, `?` and `[…]` any one character."""
    first, second = _atoms(one), _atoms(other)

    @cache
    def from_(i: int, j: int) -> bool:
        left, right = first[i : i + 1], second[j : j + 1]
        if left == ("*",):
            return from_(i + 1, j) or (bool(right) and from_(i, j + 1))
        if right == ("*",):
            return from_(i, j + 1) or (bool(left) and from_(i + 1, j))
        if not left or not right:
            return left == right
        return (left == right or "?" in (left[0], right[0])) and from_(i + 1, j + 1)

    return from_(0, 0)


def _atoms(pattern: str) -> tuple[str, ...]:
    """Return the pattern character by character; a class `[…]` is taken for any character."""
    atoms: list[str] = []
    at = 0
    while at < len(pattern):
        end = pattern.find("]", at + 2) if pattern[at] == "[" else -1
        atoms.append("?" if end > 0 else pattern[at])
        at = end + 1 if end > 0 else at + 1
    return tuple(atoms)
