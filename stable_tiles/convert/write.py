"""Write the regions of a conversion: threads, receipts, percentiles in the same pass."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from stable_tiles.convert.plan import ConvertPlan
from stable_tiles.image.sources.source import Source
from stable_tiles.image.writer import ImageWriter
from stable_tiles.intensity import Histogram
from stable_tiles.ledger import Ledger, Receipt
from stable_tiles.progress import Progress
from stable_tiles.region import Region
from stable_tiles.remote.patience import stop_waiting


class RegionTask:
    """Reads one region, counts its values, writes it, keeps its receipt; for many threads.

    Parameters
    ----------
    source : Source
        Where pixels come from.
    writer : ImageWriter
        Where they go.
    ledger : Ledger
        Where receipts go.
    written : collection of Region
        Regions that an interrupted run wrote already; they are only counted.
    """

    def __init__(
        self, source: Source, writer: ImageWriter, ledger: Ledger, written: Sequence[Region]
    ) -> None:
        self._source, self._writer, self._ledger = source, writer, ledger
        self._written = frozenset(written)
        channels = source.description.shape[1]
        self.histogram = Histogram(channels, source.description.dtype)

    def __call__(self, region: Region) -> None:
        """Convert one region."""
        block = self._source.read(region)
        if region not in self._written:
            files = self._writer.write(region, block)
            self._ledger.record(Receipt.of(region, self._writer.store, files, {}))
        self.histogram.update(block)


def write_regions(plan: ConvertPlan, task: RegionTask, progress: Progress) -> None:
    """Convert all regions of a plan with a bounded number in flight.

    Stops within the time of one region when it is interrupted.
    """
    regions = plan.spec.layout.regions()
    progress("regions", 0, len(regions))
    done = 0
    with ThreadPoolExecutor(plan.workers) as pool:
        pending: set[Future[None]] = set()
        try:
            for region in regions:
                pending.add(pool.submit(task, region))
                if len(pending) > plan.workers:
                    done += _finish(pending)
                    progress("regions", done, len(regions))
            while pending:
                done += _finish(pending)
                progress("regions", done, len(regions))
        finally:
            stop_waiting()
            pool.shutdown(wait=True, cancel_futures=True)


def _finish(pending: set[Future[None]]) -> int:
    """Wait for at least one region; its error, if any, is raised here."""
    finished, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in finished:
        future.result()
    pending -= finished
    return len(finished)
