"""Runs a run's policy.onnx on the rows of its test split and compares it with our own inference.

usage: onnx_test_split.py RUN_FOLDER DECISIONS.json

Prints a JSON object: rows, the largest difference of an output, the rows whose decision differs though its margin
exceeds 2e-5, and every tie (a row whose margin does not). Exits with 1 when an output differs by more than 1e-5 or
a clear decision differs.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime

LARGEST_DIFFERENCE = 1e-5
CLEAR_MARGIN = 2e-5


def target(head, row):
    if head == "discrete":
        return int(numpy.argmax(row))
    return 0 if row[0] > 1 / 3 else 2 if row[0] < -1 / 3 else 1


def main():
    folder, decisions = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
    model = onnx.load(folder / "policy.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    config = json.loads((folder / "pins.json").read_text())
    for name in ("config_hash", "data_hash", "feature_hash"):
        assert metadata[name] == config[name], (name, metadata[name], config[name])
    session = onnxruntime.InferenceSession(folder / "policy.onnx", providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    rows = numpy.array(decisions["rows"], dtype=numpy.float64)
    assert rows.shape[1] == len(names), (rows.shape, names)
    (found,) = session.run(None, {name: rows[:, index : index + 1] for index, name in enumerate(names)})
    difference = float(numpy.abs(found - numpy.array(decisions["outputs"], dtype=numpy.float32)).max())
    head = metadata["assay.head"]
    ties = [row for row, margin in enumerate(decisions["margins"]) if margin <= CLEAR_MARGIN]
    differing = [row for row, ours in enumerate(decisions["targets"]) if target(head, found[row]) != ours]
    clear = sorted(set(differing) - set(ties))
    print(json.dumps({"rows": len(rows), "difference": difference, "disagreements": clear, "ties": ties}))
    sys.exit(0 if difference <= LARGEST_DIFFERENCE and not clear else 1)


if __name__ == "__main__":
    main()
