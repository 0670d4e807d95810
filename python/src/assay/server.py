"""A server over HTTP, with the standard library alone."""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from assay.errors import AssayError, NotFound, Refused
from assay.run import Run

DEFAULT_URL = "http://127.0.0.1:8470"
TIMEOUT_SECONDS = 30.0
_RUN_ID_DIGITS = 32
_ENDED = {"done", "failed", "cancelled"}


def connect(url: str | None = None, key: str | None = None) -> "Server":
    """The server at `url`, else at `ASSAY_URL`, else on this machine; `key` defaults to `ASSAY_API_KEY`."""
    chosen = key or os.environ.get("ASSAY_API_KEY")
    if not chosen:
        raise AssayError("no key: pass one, or set ASSAY_API_KEY to a key of the server")
    return Server(url or os.environ.get("ASSAY_URL") or DEFAULT_URL, chosen)


class Server:
    """A server; every method is one request or one walk through pages."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._key = key

    def __repr__(self) -> str:
        return f"Server({self.url})"

    def runs(self) -> list[Run]:
        """Every run that the key may see, the newest first."""
        return [Run(self, row["summary"]) for row in self._items("/v1/runs")]

    def run(self, prefix: str) -> Run:
        """The one run whose id starts with `prefix`."""
        if len(prefix) == _RUN_ID_DIGITS:
            return Run(self, self._get(f"/v1/runs/{_quote(prefix)}")["summary"])
        found = [run for run in self.runs() if prefix and run.run_id.startswith(prefix.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            raise AssayError(f"`{prefix}` fits {len(found)} runs: give more digits")
        raise NotFound(f"no run `{prefix}` that this key may see on {self.url}")

    def run_file(self, run_id: str, name: str) -> bytes:
        """A file of a run."""
        if name == "equity.csv":
            return self._request("GET", f"/v1/runs/{_quote(run_id)}/equity?format=csv")[0]
        return self._request("GET", f"/v1/runs/{_quote(run_id)}/artefacts/{_quote(name)}")[0]

    def signals(self, model_id: str, start: str | None = None, end: str | None = None) -> pd.DataFrame:
        """Signals of a model by the close they were said at; `equity` is the paper account's, `latency_ms` from the
        close to the stored signal."""
        query = {name: value for name, value in {"start": start, "end": end}.items() if value}
        rows = [
            {**item["signal"], "mode": item["mode"], "latency_ms": item["latency_ms"], "equity": float(item["equity"])}
            for item in self._items(f"/v1/signals/{_quote(model_id)}", query)
        ]
        columns = ["ts", "seq", "action", "price_ref", "equity", "mode", "latency_ms", "symbol", "signature"]
        table = pd.DataFrame(rows, columns=columns)
        table.index = pd.to_datetime(table.pop("ts"), utc=True).rename("time")
        table["price_ref"] = table["price_ref"].astype(float)
        return table

    def streams(self) -> list[dict[str, Any]]:
        """Streams that the key may see."""
        return list(self._items("/v1/streams"))

    def datasets(self) -> pd.DataFrame:
        """What the lake holds."""
        return pd.DataFrame([row for row in self._items("/v1/datasets")])

    def submit(self, kind: str, **request: Any) -> "Job":
        """Queues a job; a repeated call after a broken connection would queue another one."""
        body = {"kind": kind, **request}
        answer = self._post("/v1/jobs", body, idempotency_key=uuid.uuid4().hex)
        return Job(self, answer)

    def job(self, job_id: str) -> "Job":
        """A scheduled job."""
        return Job(self, self._get(f"/v1/jobs/{_quote(job_id)}"))

    def _items(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = {**(query or {}), "limit": "200", **({"cursor": cursor} if cursor else {})}
            answer = self._get(f"{path}?{urllib.parse.urlencode(page)}")
            yield from answer["items"]
            cursor = answer["next"]
            if cursor is None:
                return

    def _get(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self._request("GET", path)[0]))

    def _post(self, path: str, body: Mapping[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return dict(json.loads(self._request("POST", path, json.dumps(body).encode(), headers)[0]))

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, int]:
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self._key}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.read(), answer.status
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except urllib.error.URLError as error:
            raise AssayError(f"{self.url} cannot be reached ({error.reason}): start it with `assay up`") from None


class Job:
    """A scheduled job."""

    def __init__(self, server: Server, answer: Mapping[str, Any]) -> None:
        self._server = server
        self.answer = dict(answer)
        """As the server describes it."""

    @property
    def job_id(self) -> str:
        """Its id."""
        return str(self.answer["job_id"])

    @property
    def status(self) -> str:
        """`queued`, `running`, `cancelling`, `cancelled`, `failed` or `done`."""
        return str(self.answer["status"])

    def __repr__(self) -> str:
        return f"Job({self.job_id[:12]}, {self.answer.get('kind')}, {self.status})"

    def wait(self, timeout_seconds: float = 3600.0) -> dict[str, Any]:
        """Waits for the end; the result. Raises when the job failed, was cancelled, or takes longer."""
        deadline = time.monotonic() + timeout_seconds
        while self.status not in _ENDED:
            if time.monotonic() > deadline:
                raise AssayError(f"job {self.job_id} is still {self.status} after {timeout_seconds:.0f} s")
            time.sleep(0.25)
            self.refresh()
        if self.status != "done":
            error = self.answer.get("error") or {}
            raise AssayError(f"job {self.job_id} {self.status}: {error.get('message', 'no message')}")
        return dict(self._server.job(self.job_id).answer["result"] or {})

    def refresh(self) -> None:
        """Asks the server how far it is."""
        self.answer = self._server.job(self.job_id).answer

    def cancel(self) -> None:
        """Asks for its end; the last checkpoint is kept."""
        self.answer = self._server._post(f"/v1/jobs/{_quote(self.job_id)}/cancel", {})


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _refusal(error: urllib.error.HTTPError) -> AssayError:
    try:
        problem = json.loads(error.read())
        refused = Refused(error.code, problem["code"], problem["detail"], problem.get("field"))
    except (ValueError, KeyError, TypeError):
        return Refused(error.code, "unknown", f"the server answered {error.code} {error.reason}")
    return NotFound(str(refused)) if refused.code == "not_found" else refused
