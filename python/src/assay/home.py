"""A home folder, read without a server."""

import json
import os
import pathlib

from assay.errors import AssayError, NotFound
from assay.run import Run


def open_home(path: str | os.PathLike[str] | None = None) -> "Home":
    """The home at `path`, else at `ASSAY_HOME`, else `.assay` in the user's home folder."""
    chosen = path or os.environ.get("ASSAY_HOME") or pathlib.Path.home() / ".assay"
    folder = pathlib.Path(chosen)
    if not folder.is_dir():
        raise NotFound(f"there is no home folder {folder}: run `assay demo`, or name another folder")
    return Home(folder)


class Home:
    """A home folder; nothing here writes to it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def runs(self) -> list[Run]:
        """Every run with a readable summary, the newest first."""
        summaries = []
        for path in (self.folder / "runs").glob("*/run.json"):
            try:
                summaries.append(json.loads(path.read_text()))
            except (OSError, ValueError):
                continue
        summaries.sort(key=lambda summary: (-int(summary["created_at_ms"]), summary["run_id"]))
        return [Run(self, summary) for summary in summaries]

    def run(self, prefix: str) -> Run:
        """The one run whose id starts with `prefix`."""
        found = [run for run in self.runs() if prefix and run.run_id.startswith(prefix.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            raise AssayError(f"`{prefix}` fits {len(found)} runs: give more digits")
        raise NotFound(f"no run `{prefix}` in {self.folder}: `assay run list` shows the runs")

    def run_file(self, run_id: str, name: str) -> bytes:
        """A file of a run."""
        if pathlib.PurePath(name).name != name:
            raise AssayError(f"`{name}` is not the name of a file")
        path = self.folder / "runs" / run_id / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"run {run_id[:12]} has no {name}: is it finished?") from None
