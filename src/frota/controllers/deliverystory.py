"""What is journalled of deliveries: what was sent and why, how it ended, what is in the way.
Each thing is said once, for as long as it stays the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from frota.controllers.clusterrecords import condition_of
from frota.controllers.story import Story
from frota.model.clusterstatus import ConditionType, Truth
from frota.model.decision import Stage
from frota.model.delivery import Delivery, DeliveryOutcome, Verdict
from frota.model.deliveryplan import Action, DeliveryPlan, Item
from frota.model.objects import ObjectKey
from frota.model.release import ClusterStatus

_NAMED_MOST = 3
_LINES_MOST = 20  # of one pass; what is more is counted in one line
_BAD = (Verdict.CONFLICT, Verdict.REFUSED, Verdict.FAILED)
_QUIET = frozenset({"Altered", "WrittenOnce", "Waits"})


class DeliveryStory:
    """Remembers what was said of one cluster. Lost at a restart: then it is said again."""

    def __init__(self, cluster: str) -> None:
        self._subject = f"Cluster/{cluster}"
        self._said: dict[object, str] = {}
        self._causes: dict[str, str] = {}

    def sends(self, story: Story, plan: DeliveryPlan, delivery: Delivery) -> None:
        """A delivery begins."""
        keys = {change.key for batch in delivery.batches for change in batch}
        items = [item for item in plan.items if item.key in keys]
        cause = self._causes[delivery.id] = delivery.id.rpartition("-")[2]
        drifts = [item for item in items if item.drifted]
        for item in drifts[:_LINES_MOST]:
            story.tell(
                Stage.DECISION, cause, self._subject, "DriftCorrected", f"{item.key}: {_why(item)}"
            )
        story.tell(Stage.ACTION, cause, self._subject, "Delivers", _counted(items))

    def ended(self, story: Story, outcome: DeliveryOutcome) -> None:
        """A delivery ended."""
        cause = self._causes.pop(outcome.delivery, "")
        bad = [result for result in outcome.results if result.verdict in _BAD]
        for result in bad[:_LINES_MOST]:
            held = ", ".join(f"{manager} holds {field}" for manager, field in result.managers[:3])
            text = f"{result.key}: {result.message}" + (f" ({held})" if held else "")
            if self._fresh((result.key, result.verdict), text):
                reason = result.verdict.capitalize()
                story.tell(Stage.OUTCOME, cause, self._subject, reason, text)
        counts = Counter(result.verdict.value for result in outcome.results)
        words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        story.tell(Stage.OUTCOME, cause, self._subject, "Delivered" if not bad else "Ended", words)

    def found(self, story: Story, plan: DeliveryPlan) -> None:
        """What a plan leaves as it is, and what it holds back."""
        held = plan.held
        if held is not None and self._fresh("held", held.plan):
            text = (
                f"{len(held.keys)} objects would be deleted, and wait for an approval: "
                f"{'; '.join(held.reasons)}. To go on: frota approve {held.plan}"
            )
            story.tell(Stage.DECISION, "", self._subject, "PruneHeld", text)
        left = [i for i in plan.items if i.action is Action.LEAVE and i.reason not in _QUIET]
        shown = 0
        for item in left:
            if item.reason == "PruneHeld" or not self._fresh(item.key, item.reason):
                continue
            shown += 1
            if shown <= _LINES_MOST:
                text = f"{item.key}: {_why(item)}"
                story.tell(Stage.DECISION, "", self._subject, item.reason, text)
        if not plan.waits:
            self._forget({item.key for item in plan.items}, keep_held=held is not None)

    def stands(self, story: Story, status: ClusterStatus, before: ClusterStatus | None) -> None:
        """Whether the cluster is there, and still the one that it was."""
        if before is not None and before.identity not in ("", status.identity):
            text = (
                "it is another cluster than before, or lost its storage (its kube-system was made "
                "anew): everything is delivered again"
            )
            story.tell(Stage.CAUSE, "", self._subject, "AnotherCluster", text)
        now = condition_of(status, ConditionType.REACHABLE)
        was = condition_of(before, ConditionType.REACHABLE)
        lost = was is not None and was.status is Truth.FALSE
        if now is not None and now.status is Truth.FALSE and not lost:
            story.tell(Stage.CAUSE, "", self._subject, now.reason, now.message)
        if now is not None and now.status is Truth.TRUE and lost:
            story.tell(Stage.CAUSE, "", self._subject, now.reason, "answers again")

    def _fresh(self, what: object, text: str) -> bool:
        if self._said.get(what) == text:
            return False
        self._said[what] = text
        return True

    def _forget(self, keys: set[ObjectKey], *, keep_held: bool) -> None:
        """What is well again may be said anew when it is not."""
        for what in list(self._said):
            key = what[0] if type(what) is tuple else what
            if key not in keys and not (what == "held" and keep_held):
                del self._said[what]


def _counted(items: Iterable[Item]) -> str:
    counts = Counter(item.action.value for item in items)
    named = [str(item.key) for item in items][:_NAMED_MOST]
    more = sum(counts.values()) - len(named)
    words = ", ".join(f"{count} to {action}" for action, count in sorted(counts.items()))
    return f"{words}: {', '.join(named)}" + (f" and {more} more" if more > 0 else "")


def _why(item: Item) -> str:
    """The reason, with who wrote what where the reason does not name them."""
    paths = [
        f"{diff.path} by {diff.writer or 'unknown'}"
        for diff in item.diffs[:_NAMED_MOST]
        if diff.path not in item.message
    ]
    return item.message + (f" ({', '.join(paths)})" if paths else "")
