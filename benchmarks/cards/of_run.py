"""Cards of a finished run: its jobs' settings as its tables have them, and whether what is judged is what it ran on."""

from collections.abc import Mapping

import pandas as pd

from heatmark.benchmarks.cards.cards import CardTables
from heatmark.benchmarks.data.base import Dataset, sample_digest
from heatmark.benchmarks.schema import DIGESTS
from heatmark.benchmarks.tables.jobs import Job


def as_of_run(found: CardTables, job: Job, dataset: Dataset) -> CardTables:
    """Return cards that were made on a run's model and some of its pictures, with the digests of the run's tables.

    Args:
        found: the cards.
        job: the run's job.
        dataset: the pictures that were judged.

    Raises:
        ValueError: where the model is not the job's, or a picture is none of the job's.
    """
    facts = dict(job.setting)
    judged = str(found.cards["weights_digest"].iloc[0])
    if judged != facts["weights_digest"]:
        raise ValueError(
            f"the model is not the run's any more: digest {judged}, expected {facts['weights_digest']}; sweep again"
        )
    known = {entry.digest for entry in job.request.entries}
    if strange := [dataset.name_of(i) for i in range(len(dataset)) if sample_digest(dataset[i]) not in known]:
        raise ValueError(f"{len(strange)} pictures are none of the run's, such as {strange[0]}; sweep again")
    of_tables = {name: facts[name] for name in ("weights", "dataset", *DIGESTS)}
    return CardTables(found.cards.assign(**of_tables), found.agreement.assign(**of_tables))


def together(every: list[CardTables]) -> CardTables:
    """Return the cards of several jobs in one table each."""
    cards, pairs = ([getattr(each, name) for each in every] for name in ("cards", "agreement"))
    return CardTables(pd.concat(cards, ignore_index=True), pd.concat(pairs, ignore_index=True))


def given(job: Job) -> Mapping[str, object]:
    """Return the configuration that a job was given.

    Raises:
        ValueError: for a job of Python, which has none.
    """
    config = job.request.facts.get("config")
    if not isinstance(config, Mapping) or not isinstance(config.get("model"), Mapping):
        raise ValueError(
            f"the job {job.setting['model']} on {job.setting['dataset']} was not run by heatmark sweep, so its model "
            "and pictures are not recorded: hm.cards judges metrics on objects"
        )
    return config
