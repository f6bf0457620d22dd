"""A stretch of a run that may pay for what one step asks of a provider."""

from collections.abc import Sequence
from typing import Any

from jobs.context import Context, Part
from jobs.job import Bill, BillState, Step
from jobs.ledger import Caps

KEPT = "paid"  # the folder of what was bought, in the names of assets


class Paying(Part):
    """Fits `models.requests.Payer`. Bills belong to the step's inputs, not to its attempt: what a crash left open is
    found again by the attempt that follows."""

    def __init__(self, whole: Context, step: Step, caps: Caps) -> None:
        super().__init__(whole, 0.0, 1.0)
        self._step = step
        self._caps = caps

    def reserve(self, call: str, provider: str, microusd: int) -> Bill:
        """Promise up to `microusd`, see `Ledger.reserve`. call: which of the step's paid calls, if it makes several."""
        step, asked = self._step, f"{self._step.input_key}:{call}"
        return self.store.reserve(
            self.job.id, self.fence, step.key, step.attempt, asked, provider, microusd, self._caps
        )

    def move(
        self,
        bill_id: str,
        state: BillState,
        *,
        remote: dict[str, Any] | None = None,
        microusd: int | None = None,
    ) -> Bill:
        """The next state of a bill, see `Ledger.move_bill`."""
        fence = self.fence if state == "submitting" else None
        return self.store.move_bill(bill_id, state, remote=remote, microusd=microusd, fence=fence)

    def note(self, bill_id: str, remote: dict[str, Any]) -> Bill:
        """Keep more of what is known of a call."""
        return self.store.note_bill(bill_id, remote)

    def keep(self, bill_id: str, results: Sequence[tuple[bytes, str]]) -> None:
        """Put the results of a paid call (bytes, media type) on the disk, all or none, before its bill says so. Not
        fenced: they are paid for."""
        items = [(f"{KEPT}/{bill_id}/{number}", *result) for number, result in enumerate(results)]
        self.store.put_assets(self.job.id, items)

    def kept(self, bill_id: str) -> list[bytes]:
        """The results that were kept, [] if there are none."""
        folder = f"{KEPT}/{bill_id}/"
        names = [asset.name for asset in self.store.assets(self.job.id) if asset.name.startswith(folder)]
        return [self.read(name) for name in sorted(names, key=lambda name: int(name.removeprefix(folder)))]

    def cancelled(self) -> bool:
        """Whether a person wants the work to end for good, and not only this process."""
        return self.store.job(self.job.id).cancel_requested
