"""Checks an exported policy against the numbers our own inference wrote.

usage: onnx_check.py FOLDER, which holds policy.onnx, expected.json and weights.safetensors

Checks the model with ONNX's checker, runs it in ONNX Runtime, and prints the largest
difference of an output and how many clear decisions differ. Exits with 1 when an
output differs by more than 1e-5 or a decision differs whose margin exceeds 2e-5.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
import safetensors.numpy


def target(head, row):
    if head == "discrete":
        return int(numpy.argmax(row))
    return 0 if row[0] > 1 / 3 else 2 if row[0] < -1 / 3 else 1


def main():
    folder = pathlib.Path(sys.argv[1])
    expected = json.loads((folder / "expected.json").read_text())
    model = onnx.load(folder / "policy.onnx")
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    session = onnxruntime.InferenceSession(folder / "policy.onnx", providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    assert names == expected["inputs"], (names, expected["inputs"])
    assert json.loads(metadata["assay.features"]) == names[:-2], metadata
    rows = numpy.array(expected["rows"], dtype=numpy.float64)
    feed = {name: rows[:, index : index + 1] for index, name in enumerate(names)}
    (found,) = session.run(None, feed)
    ours = numpy.array(expected["outputs"], dtype=numpy.float32)
    difference = float(numpy.abs(found - ours).max())
    head = metadata["assay.head"]
    decisions = [
        index
        for index, margin in enumerate(expected["margins"])
        if margin > 2e-5 and target(head, found[index]) != expected["targets"][index]
    ]
    weights = safetensors.numpy.load_file(folder / "weights.safetensors")
    graph = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    unequal = [name for name in weights if not numpy.array_equal(weights[name], graph["assay/" + name])]
    print(json.dumps({"difference": difference, "decisions": len(decisions), "unequal_weights": unequal}))
    sys.exit(0 if difference <= 1e-5 and not decisions and not unequal and len(weights) > 0 else 1)


if __name__ == "__main__":
    main()
