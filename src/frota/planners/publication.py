"""What the control plane writes for a cluster with delivery ``pull``. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from frota.model.bundle import NOTHING, Bundle, Envelope, Packed, Position, Refused
from frota.planners.bundles import Signer, TrustedKey, opened, pack, seal


@dataclass(frozen=True, slots=True)
class Present:
    """What is in the store: the text of the head (None: there is none), and the highest
    position that the control plane knows to have published, which it keeps itself."""

    head: bytes | None = None
    known: Position = NOTHING


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be there. ``envelope`` is None when the head says it already; then nothing
    needs to be written but, if it is missing, the bundle. ``doubt`` says why the head that
    is there is worth nothing; empty when it is well."""

    position: Position
    bundle: Packed
    envelope: bytes | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who signs, and when. ``rollback``: the reason of a new rollback order, empty for
    none; ``trusted``: older keys whose heads still count as ours."""

    signer: Signer
    made: int
    rollback: str = ""
    trusted: tuple[TrustedKey, ...] = ()


def publication(bundle: Bundle, present: Present, stamp: Stamp) -> Publication:
    """The next publication of a cluster. The same bundle under the same key changes
    nothing, unless a rollback is ordered. Raises ValueError as ``pack`` and ``seal`` do.

    A rollback order starts a new count, above which agents follow whatever comes, and
    below which they follow nothing: it is for a control plane that lost its memory, or for
    agents that know a higher number than it does. To bring back earlier objects it is not
    needed; those are published like any others.
    """
    packed = pack(bundle)
    head, key, doubt = _present(bundle, present.head, (stamp.signer.public, *stamp.trusted))
    if head is not None and _says(head, packed, present, stamp) and key == stamp.signer.public.id:
        return Publication(head.position, packed)
    last = max(present.known, head.position if head else NOTHING)
    order, sequence, reason = last.order, last.sequence + 1, head.reason if head else ""
    if stamp.rollback:
        order, sequence, reason = order + 1, 1, stamp.rollback
    envelope = Envelope(
        fleet=bundle.fleet,
        cluster=bundle.cluster,
        sequence=sequence,
        digest=packed.digest,
        size=len(packed.text),
        made=stamp.made,
        order=order,
        reason=reason or ("the reason is in an earlier envelope" if order else ""),
    )
    return Publication(envelope.position, packed, seal(envelope, stamp.signer), doubt)


def _says(head: Envelope, packed: Packed, present: Present, stamp: Stamp) -> bool:
    return (
        head.digest == packed.digest
        and head.size == len(packed.text)
        and head.position >= present.known
        and not stamp.rollback
    )


def _present(
    bundle: Bundle, text: bytes | None, keys: Iterable[TrustedKey]
) -> tuple[Envelope | None, str, str]:
    """The head that is there, the id of the key it was signed with, and what is wrong with
    it. One that is not ours, or another cluster's, is as if there were none."""
    if text is None:
        return None, "", ""
    try:
        head, key = opened(text, keys)
    except Refused as refused:
        return None, "", refused.message
    if (head.fleet, head.cluster) != (bundle.fleet, bundle.cluster):
        return None, "", f"the head was for cluster {head.cluster} of fleet {head.fleet}"
    return head, key, ""
