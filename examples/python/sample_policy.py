"""Samples strings from a checkpoint of Thermoflow at any β, with the probabilities of the Rust program.

Example: python3 sample_policy.py runs/a/checkpoints/4000 --beta 1 3 -n 5

Copy `Policy`, 60 lines of code: it needs PyTorch and safetensors only. It is for strings of one length (TFBind8 and the
like) and every kind of conditioning. With --json the output is what `thermoflow score --input` reads, which says the
same log P_F.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from functools import reduce
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn.functional import leaky_relu, linear
from torch.nn.utils.rnn import pad_sequence


class Policy:
    """P_F(s' | s; β) over the distinct strings s' that are one letter longer than s."""

    def __init__(self, file: Path, alphabet: str = "ACGT", growth: str = "prepend-append", words: int = 1) -> None:
        with safe_open(file, "pt") as tensors:
            about = tensors.metadata()
            self.weights = {name: tensors.get_tensor(name).double() for name in tensors.keys()}  # noqa: SIM118
        self.spec, self.alphabet, self.growth = json.loads(about["spec"]), alphabet, growth
        kinds = {width: len(alphabet) ** width for width in range(1, words + 1)}  # Σ (length + 1 − width)·kinds features
        self.length = (int(about["features"]) + sum((w - 1) * kinds[w] for w in kinds)) // sum(kinds.values())
        self.shapes = {width: (self.length + 1 - width, kinds[width]) for width in kinds}
        self.positive = self.spec.get("logit_scale") == "positive" and "logit" in self.spec["conditioning"]
        self.clip = self.spec["logit_clip"] if self.spec["parity"] == "published" else math.inf

    def mlp(self, part: str, x: Tensor) -> Tensor:
        """Linear layers forward.{part}.0, .2, … with LeakyReLU between them: `[n, in]` to `[n, out]`."""
        weights = sorted(name for name in self.weights if name.startswith(f"forward.{part}.") and "weight" in name)
        for layer, name in enumerate(weights):
            x = linear(leaky_relu(x) if layer else x, self.weights[name], self.weights[name.replace("weight", "bias")])
        return x

    def children(self, state: str) -> list[str]:
        """The distinct strings after one step: on AA, appending A and prepending it is one choice."""
        prepended = [letter + state for letter in self.alphabet if self.growth == "prepend-append"]
        return list(dict.fromkeys([state + letter for letter in self.alphabet] + prepended))

    def embed(self, states: list[str]) -> Tensor:
        """Encoded states, which are one-hot letters and words, zeros where there is none yet: `[states, E]`."""
        ones = {width: torch.zeros(len(states), *shape, dtype=torch.double) for width, shape in self.shapes.items()}
        for row, state in enumerate(states):
            for width in ones:
                for place in range(len(state) + 1 - width):
                    word = [self.alphabet.index(letter) for letter in state[place : place + width]]
                    ones[width][row, place, reduce(lambda rank, one: rank * len(self.alphabet) + one, word)] = 1
        return self.mlp("encoder", torch.cat([rows.flatten(1) for rows in ones.values()], 1))

    def embed_beta(self, beta: Tensor) -> Tensor:
        """Encoded β, which is β itself, log β for a positive scale, or a thermometer code: `[n]` to `[n, 32]`."""
        code = beta.double()[:, None]
        if self.spec["conditioning"] == "layer-thermometer":
            bins = torch.linspace(*self.spec["thermometer_range"], self.spec["thermometer_bins"], dtype=torch.double)
            code = (code - bins) / (bins[1] - bins[0])
            code = code if self.spec["parity"] == "published" else code.clamp(0, 1)
        elif self.positive:
            code = code.clamp(max=self.spec.get("beta_limit") or math.inf).log()
        return self.mlp("beta_encoder", code)

    def log_probs(self, states: list[str], beta: Tensor) -> tuple[list[list[str]], Tensor]:
        """The children of each state and their log P_F at the state's β: `[states, most children]`, padded with −∞."""
        children = [self.children(state) for state in states]
        counts = torch.tensor([len(some) for some in children])
        edges = [self.embed(states).repeat_interleave(counts, 0), self.embed([s for some in children for s in some])]
        conditioning, scale = self.spec["conditioning"], torch.ones(())
        if conditioning != "unconditional":
            embedded = self.embed_beta(beta)
            if "logit" in conditioning:  # the paper's method: T(β) times a score that knows no β
                scale = self.mlp("logit_scaler", embedded).repeat_interleave(counts)
                scale = scale.clamp(-20, 20).exp() if self.positive else scale
            if "layer" in conditioning:
                edges.append(embedded.repeat_interleave(counts, 0))
        scores = self.mlp("scorer", torch.cat(edges, 1))
        logits = scale * scores[:, 0] + scores[:, 1:].sum(1)  # the second column, if any, is not scaled
        logits = logits if conditioning == "unconditional" else logits.clamp(-self.clip, self.clip)
        rows = pad_sequence(logits.split(counts.tolist()), batch_first=True, padding_value=-math.inf)
        return children, rows.log_softmax(1)

    def log_prob(self, states: list[str], beta: float) -> float:
        """Σ log P_F of a trajectory, given as all its states from "" to the finished string, nats."""
        children, log_p = self.log_probs(states[:-1], torch.full((len(states) - 1,), beta))
        chosen = torch.tensor([some.index(state) for some, state in zip(children, states[1:])])
        steps = log_p.gather(1, chosen[:, None])
        return (steps.clamp(-self.clip) if self.spec["conditioning"] == "unconditional" else steps).sum().item()

    def sample(self, beta: Tensor) -> list[list[str]]:
        """A trajectory for each β, as its states."""
        walks = [[""] for _ in beta]
        for _ in range(self.length):
            children, log_p = self.log_probs([walk[-1] for walk in walks], beta)
            for walk, some, place in zip(walks, children, torch.multinomial(log_p.exp(), 1)):
                walk.append(some[place])
        return walks


def positive(text: str) -> float:
    """A β from the command line."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"β is {text}; it must be positive and finite")
    return float(text)


def main() -> None:
    """Samples as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="checkpoint directory, or its policy.safetensors")
    parser.add_argument("--beta", type=positive, nargs="+", default=[1.0], help="inverse temperatures [1]")
    parser.add_argument("-n", "--number", type=int, default=10, help="samples for each β [10]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alphabet", default="ACGT", help="letters of the task, in its order [ACGT]")
    parser.add_argument("--growth", choices=["prepend-append", "append-only"], default="prepend-append",
                        help="as [config.task] of run.toml says [prepend-append]")
    parser.add_argument("--words", type=int, default=1, help="as [config.task] of run.toml says [1]")
    parser.add_argument("--json", action="store_true", help="print input of `thermoflow score`, and log P_F")
    args = parser.parse_args()
    file = args.checkpoint / "policy.safetensors" if args.checkpoint.is_dir() else args.checkpoint
    try:
        policy = Policy(file, args.alphabet, args.growth, args.words)
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise SystemExit(f"error: {file} is not the policy of a checkpoint: {error}") from error
    if policy.spec.get("parameterization") == "state-action":
        raise SystemExit(f"error: {file} scores actions (policy.parameterization); this reads policies that score edges")
    features = policy.weights["forward.encoder.0.weight"].shape[1]
    if sum(places * kinds for places, kinds in policy.shapes.values()) != features:
        raise SystemExit(f"error: {file} is not about strings of one length over {args.alphabet}, words of {args.words}: {features} features")
    torch.manual_seed(args.seed)
    beta = torch.tensor(args.beta, dtype=torch.double).repeat_interleave(args.number)
    walks = policy.sample(beta)
    log_pf = [policy.log_prob(walk, b) for walk, b in zip(walks, beta.tolist())]
    if args.json:
        trajectories = [{"states": walk} for walk in walks]
        print(json.dumps({"beta": beta.tolist(), "trajectories": trajectories, "log_pf": log_pf}))
        return
    print("x,beta,log_pf")
    for walk, b, log_p in zip(walks, beta.tolist(), log_pf):
        print(f"{walk[-1]},{b:g},{log_p:.6f}")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
