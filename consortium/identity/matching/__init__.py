"""Probabilistic matching of source patients: pure, the same online and in the batch that trains it.

`comparable` takes a source patient apart, `blocks` says in which blocks it stands, `compare` says on which
level every field of a pair is, `weigh` what that weighs under a model, and `judge` what follows from it.
"""

from consortium.identity.matching.blocking import blocks
from consortium.identity.matching.comparing import Vector, compare
from consortium.identity.matching.model import FIELDS, LEVELS, MISSING, FieldName, Level, Model
from consortium.identity.matching.model_file import active, dump, load
from consortium.identity.matching.preparing import comparable, is_vip
from consortium.identity.matching.values import Address, Comparable, Name
from consortium.identity.matching.weighing import Step, Weighed, weigh

__all__ = [
    "FIELDS",
    "LEVELS",
    "MISSING",
    "Address",
    "Comparable",
    "FieldName",
    "Level",
    "Model",
    "Name",
    "Step",
    "Vector",
    "Weighed",
    "active",
    "blocks",
    "comparable",
    "compare",
    "dump",
    "is_vip",
    "load",
    "weigh",
]
