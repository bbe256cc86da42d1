"""From a sample of source patients to a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from consortium.identity.matching import FIELDS, LEVELS, Comparable, Level, Model
from consortium.identity.matching.blocking import hashed
from consortium.identity.matching.comparing import BY_FIELD
from consortium.identity.training.estimate import Chance, Compare, Field, Plan, estimate

_KEYS: Mapping[str, Callable[[Comparable], object]] = {
    "card_key": lambda c: c.card,
    "name_key": lambda c: c.name and c.name.text,
    "birth_key": lambda c: c.birth_date,
    "phone_key": lambda c: min(c.phones, default=None),
    "address_key": lambda c: c.address and c.address.text,
}
_KEY_OF = {"card": "card_key", "name": "name_key", "birth_date": "birth_key"}
_KEY_OF |= {"phone": "phone_key", "address": "address_key"}
_OFTEN = 5
"""Surnames and given names of more source patients of a sample than this have a frequency of their own."""
_WHOLE = 20
"""Whole names likewise; of the others surname and given name are taken to be independent."""
_SHARED = 50
"""So many with one telephone: it is the hospital's, or made up. No other stands in a model."""


@dataclass(frozen=True, slots=True)
class Training:
    """How to train."""

    random_pairs: int = 1_000_000
    pass_pairs: int = 300_000
    seed: int = 20261101


def train(
    sample: Sequence[Comparable], base: Model, version: str, how: Training, population: int = 0
) -> Model:
    """Return the model of a sample. What the sample does not show, and the thresholds, are the base's.

    `population`: how many source patients the sample is taken from, all those of a person or none; 0: it is
    all of them. The more there are, the less likely are two of them one person.

    Raises:
        SampleError: nothing in the sample is certain to be one person.
    """
    keys = {name: [_hashed(of(c)) for c in sample] for name, of in _KEYS.items()}

    found = estimate(keys, {str(f): _on(sample, of) for f, of in BY_FIELD.items()}, _plan(how))
    fields = {field: _levels(found.fields[field], base.fields[field], how) for field in FIELDS}
    prior = found.prior * len(sample) / max(population, len(sample))
    return replace(
        base,
        version=version,
        prior=_figure(prior),
        numbers=max(population, len(sample)),
        fields=fields,
        frequencies=_frequencies(sample, base, fields["phone"]["exact"].u),
    )


def _on(sample: Sequence[Comparable], level: Callable[[Comparable, Comparable], str]) -> Compare:
    return lambda left, right: level(sample[left], sample[right])


def _frequencies(sample: Sequence[Comparable], base: Model, shared: float) -> dict[str, dict[str, float]]:
    """Return how frequent names and telephones are: as shares of the sample, the most frequent first.

    `shared`: how often two people agree on a telephone that is not listed.
    """
    names = [c.name for c in sample if c.name is not None]
    whole = _shares(Counter(n.text for n in names), _WHOLE)
    phones = _shares(Counter(phone for c in sample for phone in c.phones), _SHARED)
    return {
        "surname": _shares(Counter(n.surname for n in names), _OFTEN),
        "given": _shares(Counter(n.given for n in names), _OFTEN),
        "name": whole | {"": base.frequencies["name"][""]},
        "phone": phones | {"": shared},
    }


def _plan(how: Training) -> Plan:
    fields: dict[str, Field] = {f: Field(LEVELS[f], _KEY_OF.get(f, "")) for f in FIELDS}
    return Plan(
        fields, (("card_key",), ("name_key", "birth_key")),
        (("card_key", "birth_key"), ("name_key", "birth_key", "phone_key")),
        how.random_pairs, how.pass_pairs, how.seed,
    )  # fmt: skip


def _hashed(value: object) -> int | None:
    return None if value is None else hashed(str(value))


def _levels(found: Mapping[str, Chance], base: Mapping[str, Level], how: Training) -> dict[str, Level]:
    """Return the levels of a field as they were estimated. A level that no pair of one person was on keeps
    the base's m, and the others share the rest; what no random pair was on is rarer than one of them.
    """
    known = {level: chance.m for level, chance in found.items() if chance.m is not None}
    left = 1 - sum(at.m for level, at in base.items() if level not in known)
    scale = left / max(sum(known.values()), 1e-9)
    return {
        level: Level(
            _figure(known[level] * scale if level in known else at.m),
            _figure(min(at.u, 1 / how.random_pairs) if (u := found[level].u) is None else u),
        )
        for level, at in base.items()
    }


def _figure(value: float) -> float:
    return float(f"{min(max(value, 1e-12), 1.0):.4g}")


def _shares(counted: Counter[str], least: int) -> dict[str, float]:
    """Return the shares of what is met often; "" is the mean share of the rest."""
    total = max(counted.total(), 1)
    listed = {value: n for value, n in counted.most_common() if n > least}
    rest = [n for value, n in counted.items() if value not in listed]
    other = (sum(n * n for n in rest) / max(sum(rest), 1)) / total if rest else 1 / total
    return {"": _figure(other)} | {value: _figure(n / total) for value, n in listed.items()}
