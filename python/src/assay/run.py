"""A training run, wherever its files are."""

import io
import json
from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd


class Source(Protocol):
    """Where the files of runs come from: a server or a home folder."""

    def run_file(self, run_id: str, name: str) -> bytes:
        """The bytes of a file of a run."""


class Run:
    """A run: its summary, and its artefacts as data frames with UTC times."""

    def __init__(self, source: Source, summary: Mapping[str, Any]) -> None:
        self._source = source
        self.summary = dict(summary)
        """As `assay run show` prints it."""

    @property
    def run_id(self) -> str:
        """32 hexadecimal digits."""
        return str(self.summary["run_id"])

    def __repr__(self) -> str:
        return f"Run({self.run_id[:12]}, {self.summary.get('algorithm')}, {self.summary.get('dataset')})"

    def file(self, name: str) -> bytes:
        """An artefact, such as `policy.onnx` or `config.json`."""
        return self._source.run_file(self.run_id, name)

    def equity(self) -> pd.DataFrame:
        """The equity curve on the test split: one row per candle close; `equity` in units of the quote currency.

        The values are nearest binary floats; `file("equity.csv")` has them to the last unit.
        """
        return self._table("equity.csv", "time_ms")

    def trades(self) -> pd.DataFrame:
        """Every fill on the test split."""
        return self._table("trades.csv", "time_ms").drop(columns="time")

    def candles(self) -> pd.DataFrame:
        """The candles of the test split, by open time."""
        return self._table("candles.csv", "open_time_ms")

    def curves(self) -> pd.DataFrame:
        """Training curves by environment steps."""
        return pd.read_csv(io.BytesIO(self.file("curves.csv"))).set_index("timesteps")

    def metrics(self) -> dict[str, Any]:
        """The judgement on the test split; an undefined metric is `None` with its reason beside it."""
        return dict(json.loads(self.file("metrics.json")))

    def _table(self, name: str, time: str) -> pd.DataFrame:
        table = pd.read_csv(io.BytesIO(self.file(name)))
        table.index = pd.to_datetime(table.pop(time), unit="ms", utc=True).rename("time")
        return table
