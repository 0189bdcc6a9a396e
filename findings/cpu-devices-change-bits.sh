#!/usr/bin/env bash
# The number of virtual CPU devices changes the bits of a program that runs on one of them: each
# device adds a thread to XLA's one pool, and long sums are cut to suit the pool.
#
# Training turns last bits into other networks, so a seed run with eight virtual devices, to try
# sharded code on a laptop, is not that seed's run with one. More cores do the same. Equal pools
# give equal bits: PJRT_NPROC sets the threads that devices then add to.
# Versions: jax 0.10.2. Run: 2026-11-29, Python 3.11, two cores. The gradient of a dense layer of
# 256 x 64 weights for 2,000 examples, on the first device, by its threads and devices:
#   2 threads, 1 or 4 devices: alike
#   2 threads, 8 devices: other bits, as 8 threads and 1 device have them
#   the product x.T @ x of the same arrays: alike in all four
# Instead: compare runs of equal pools, or within a tolerance.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export JAX_PLATFORMS=cpu PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6
cat > "$work/gradient.py" <<'EOF'
import hashlib

import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
x = jnp.asarray(rng.standard_normal((2000, 256)), jnp.float32)
w = jnp.asarray(rng.standard_normal((256, 64)) * 0.05, jnp.float32)
gradient = jax.jit(jax.grad(lambda w: jnp.sum(jnp.tanh(x @ w) ** 2)))(w)
product = jax.jit(lambda x: x.T @ x)(x)
print(*(hashlib.sha256(np.asarray(a).tobytes()).hexdigest()[:12] for a in (gradient, product)))
EOF

found() { # threads, devices
  PJRT_NPROC=$1 XLA_FLAGS="--xla_force_host_platform_device_count=$2" \
    "$work/venv/bin/python" "$work/gradient.py"
}

one=$(found 2 1) four=$(found 2 4) eight=$(found 2 8) threads=$(found 8 1)
printf 'threads, devices: gradient, product\n'
printf '2, 1: %s\n2, 4: %s\n2, 8: %s\n8, 1: %s\n' "$one" "$four" "$eight" "$threads"

if [[ $one != "$four" || $eight != "$threads" || ${one% *} == "${eight% *}" || ${one#* } != "${eight#* }" ]]; then
  echo changed
  exit 1
fi
