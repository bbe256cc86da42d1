"""Where a rule's messages go, too: the conditions compiled, the destinations checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bus.rules.compile import nearest
from bus.rules.decision import HoldingError
from bus.rules.destinations import (
    AnyDestination,
    MllpDestination,
    PixV3Destination,
    SoapDestination,
    paths_of,
)
from bus.rules.expression import Expression, ExpressionError
from bus.rules.leaves import failed_expression
from bus.rules.marks import Marked, RuleError
from bus.rules.run import Leaf, Run
from bus.rules.spec import Form, RuleFile, Sending
from bus.rules.watch import Part, Spot, Watch
from bus.sources.source import Source

CANONICAL = ("change.", "source.")
"""How paths into the canonical change begin."""


@dataclass(frozen=True, slots=True)
class Route:
    """One destination of a rule."""

    sending: Sending
    when: Leaf | None
    """Its condition as a closure: whether the message goes there."""
    to: AnyDestination


def unknown(name: str, destinations: Mapping[str, AnyDestination]) -> str:
    """Say that no file describes a destination, and which may be meant."""
    files = f"rules/destinations/{name}.yaml, nor rules/campuses/*/destinations/{name}.yaml"
    return f"no file {files}; {nearest(name, destinations)}"


def compile_routes(
    spec: RuleFile,
    marked: Marked,
    destinations: Mapping[str, AnyDestination],
    watch: Watch | None = None,
) -> tuple[Route, ...]:
    """Compile a rule's destinations; `watch` looks on. Raises `RuleError` for an unknown one, one named
    twice, a wrong `when`, and a form of the message that the receiver cannot take.
    """
    routes: list[Route] = []
    seen: set[str] = set()
    for number, sending in enumerate(spec.sendings):
        known = destinations.get(sending.to)
        if known is None:
            reason = unknown(sending.to, destinations)
            raise marked.error(("destinations", number), reason, "unknown-destination")
        if sending.to in seen:
            reason = f"{sending.to} is named twice: a message goes there once"
            raise marked.error(("destinations", number), reason, "duplicate-name")
        unfit = _whole(sending, spec) or _unfit(sending, known)
        if unfit is not None:
            raise marked.error(("destinations", number, "send"), unfit)
        seen.add(sending.to)
        when = _condition(sending, marked, number)
        if when is not None and watch is not None:
            when = watch.leaf(_spot(spec, sending, marked, number), when)
        routes.append(Route(sending, when, known))
    return tuple(routes)


def _whole(sending: Sending, spec: RuleFile) -> str | None:
    """Say why a message that is split is not sent on as a whole; None where it is not."""
    if spec.map is None or spec.map.each is None or sending.send is not Form.RAW:
        return None
    return f"{sending.to} would get several patients in one message: write send: canonical, hl7 or fhir"


def _unfit(sending: Sending, known: AnyDestination) -> str | None:
    """Say why what is sent does not fit a destination; None when it does, as far as can be told here."""
    if isinstance(known, PixV3Destination):
        return f"{sending.to} is told of changed identifiers alone: take it out; its file says of which"
    canonical = sending.send is Form.CANONICAL
    if sending.send in (Form.CANONICAL, Form.FHIR) and isinstance(known, MllpDestination):
        return f"{sending.to} takes HL7 v2 over MLLP: write send: raw, or send: hl7"
    if sending.send is not Form.RAW and isinstance(known, SoapDestination) and known.arguments is None:
        return f"{sending.to} takes the message's own XML: write send: raw, or arguments in its file"
    paths = set(paths_of(known))
    reads_change = bool(paths) and all(path.startswith(CANONICAL) for path in paths)
    if reads_change and not canonical:
        return f"{sending.to} reads the canonical change ({min(paths)}): write send: canonical"
    return None


def _condition(sending: Sending, marked: Marked, number: int) -> Leaf | None:
    if sending.when is None:
        return None
    at = ("destinations", number, "when")
    try:
        expression = Expression(sending.when)
    except ExpressionError as error:
        place = marked.inside(at, error.line, error.column)
        raise RuleError(marked.file, place, str(error), "bad-expression") from error
    to = sending.to

    def wanted(run: Run, source: Source) -> bool:
        try:
            return expression.test(run.context(source, msg=expression.reads_msg))
        except ExpressionError as error:
            hold = failed_expression(error, expression, f"destination {to}", f"destinations.{to}")
            raise HoldingError(hold) from error

    return wanted


def _spot(spec: RuleFile, sending: Sending, marked: Marked, number: int) -> Spot:
    return Spot(
        rule=spec.name,
        file=marked.file,
        place=marked.place(("destinations", number, "when")),
        part=Part.DESTINATION,
        field=f"destinations.{sending.to}",
        annotation=None,
        entry=None,
        text=sending.when or "",
        paths_below=False,
    )


def chosen(routes: Sequence[Route], run: Run, source: Source) -> tuple[Sending, ...]:
    """Return where this message goes. Raises `HoldingError` when a condition fails on it."""
    return tuple(route.sending for route in routes if route.when is None or route.when(run, source))
