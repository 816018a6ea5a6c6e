#!/bin/sh
# What to run on a machine with a GPU, in this order; about an hour. Figures and logs go to a folder of their own:
#   PYTHON=.venv/bin/python tests/benchmarks/gpu.sh [FOLDER]
# Each step is told of with its seconds; one that fails does not stop the others, and the script then ends with 1.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${PYTHON:-.venv/bin/python}
tailweave="$(dirname "$python")/tailweave"
out=${1:-gpu-figures}
export PYTHONPATH="$PWD" OMP_NUM_THREADS=1
command -v "$python" > /dev/null || {
  echo "$python is not there: set PYTHON to one that tailweave is installed for" >&2
  exit 2
}
"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
  echo "torch finds no CUDA device here: nothing to measure" >&2
  exit 2
}
mkdir -p "$out"
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv | tee "$out/card.csv"
failed=0

step() {  # NAME COMMAND...
  name=$1
  shift
  begun=$(date +%s)
  "$@" > "$out/$name.log" 2>&1 && said=done || { said="FAILED, see $out/$name.log"; failed=1; }
  echo "$name: $said, $(($(date +%s) - begun)) s" | tee -a "$out/steps.txt"
}

four_silos() {  # on one card
  kit="$out/kit"
  rm -rf "$kit"
  TAILWEAVE_LEDGERS="$PWD/$out/ledgers"
  TAILWEAVE_BIN="$(cd "$(dirname "$python")" && pwd)"
  export TAILWEAVE_LEDGERS TAILWEAVE_BIN
  "$tailweave" deploy init "$kit" --device cuda:0 --silo a --silo b --silo c --silo d || return 1
  "$python" - "$kit" << 'END' || return 1
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
for number, name in enumerate("abcd"):
    folder = Path(sys.argv[1]) / "silos" / name
    mine = np.arange(number, len(digits.data), 4)
    np.savez(folder / "rows.npz", x=digits.data[mine] / 16, y=digits.target[mine])
    settings = folder / "node.yaml"
    settings.chmod(0o600)
    settings.write_text(settings.read_text().replace("data: data.csv", "data: rows.npz", 1))
    settings.chmod(0o400)
END
  "$kit/start.sh" && "$tailweave" run configs/deploy-gpu.yaml --engine superlink --federation "$kit" --out "$out/kit-run" --force \
    --set 'generator={kind: diffusion, network: {kind: mlp, hidden: 256, layers: 3}, value-range: [0, 1], device: cuda}'
  code=$?
  "$kit/stop.sh"
  return "$code"
}

step gpu-tests "$python" -m pytest -q -m gpu tests
step selection "$python" tests/benchmarks/scale.py --one '{"method": "windows, sketch", "candidates": 200000, "picks": 50000, "columns": 512}'
step fashion-diffusion "$tailweave" run configs/fashion-diffusion.yaml --out "$out/fashion-diffusion" --force --set seeds=1 --set silos.follow=4 --set recursion.generations=1 --workers 4
step four-silos-one-card four_silos
exit "$failed"
