"""Times the Python package dnc (a checkout of ixaxaar/pytorch-dnc) for bench/run.js.

    python3 peer.py --peer DIR [--threads N]          answers requests, one JSON object a line, until its input ends
    python3 peer.py --peer DIR --case '{...}'         measures one case and prints the answer

Requests, each answered by one line of JSON ({"error": "..."} when it fails):

    {"op": "hello"}                                    versions, commit, threads, rate of its matrix product
    {"op": "prepare", "case": CASE}                    builds the model, checks one training step (finite numbers, a loss that falls)
    {"op": "measure", "repetitions": n, "seconds": s}  times at most n steps, at least 2, for about s seconds: {"times": [ms, ...],
                                                       "cpuTimes": [ms of processor time, ...], "peakBytes": n}

A case names the model ("dnc", "sam", "sdnc"), what is timed ("train": forward, loss, backward, Adam; "forward": the sequence without
gradients; "step": one time step without gradients, state carried) and the sizes, under the library's option names.

The package is used as it is. What this file adds from outside is only what it needs to run on a CPU build of faiss: two class names
it mentions without using them there. Its SAM and SDNC build and train a new faiss index for each batch element whenever a sequence
starts without a state, and this is what its own tasks do; "keepState": true hands the memory of the step before back instead
(detached and erased), which keeps the index, and is the faster way of using it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time


def lend_missing_faiss_names():
    """dnc/faiss_index.py names GPU classes in annotations and makes one object of them that a CPU index never uses."""
    import faiss

    for name in ("GpuResources", "StandardGpuResources"):
        if not hasattr(faiss, name):
            setattr(faiss, name, type(name, (), {}))
    return faiss.__version__


def build(case):
    import dnc

    options = case["options"]
    sizes = dict(
        input_size=options["inputSize"],
        hidden_size=options["hiddenSize"],
        rnn_type=options.get("rnnType", "lstm"),
        num_layers=options.get("numLayers", 1),
        num_hidden_layers=options.get("numHiddenLayers", 2),
        nr_cells=options["nrCells"],
        cell_size=options["cellSize"],
        read_heads=options["readHeads"],
    )
    if case["model"] == "dnc":
        return dnc.DNC(**sizes)
    sizes["sparse_reads"] = options["sparseReads"]
    if case["model"] == "sam":
        return dnc.SAM(**sizes)
    return dnc.SDNC(temporal_reads=options["temporalReads"], **sizes)


class Subject:
    """One case's model, its data and its optimizer."""

    def __init__(self, case):
        import torch

        torch.manual_seed(case.get("seed", 1))
        self.torch = torch
        self.case = case
        self.model = build(case)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.loss = torch.nn.BCEWithLogitsLoss()
        steps = 1 if case["measure"] == "step" else case["sequenceLength"]
        self.input = torch.randint(0, 2, (case["batchSize"], steps, case["options"]["inputSize"])).float()
        self.target = torch.randint(0, 2, (steps, case["batchSize"], case["options"]["inputSize"])).float()
        self.state = (None, None, None)

    def train(self):
        self.optimizer.zero_grad()
        # Version 2 answers time-major even with batch_first, and this is how the target was made.
        output, (_, memory, _) = self.model(self.input, self.state, reset_experience=True)
        loss = self.loss(output, self.target)
        loss.backward()
        self.optimizer.step()
        if self.case.get("keepState", False):
            self.state = (None, [self.detached(part) for part in memory], None)
        return loss.item()

    def detached(self, memory):
        return {name: value.detach() if self.torch.is_tensor(value) else value for name, value in memory.items()}

    def forward(self):
        with self.torch.no_grad():
            output, _ = self.model(self.input, (None, None, None), reset_experience=True)
        return output

    def step(self):
        with self.torch.no_grad():
            output, self.state = self.model(self.input, self.state)
        return output

    def check(self):
        """One training step and its gradients must be finite, and where training is timed, a few more must lower the loss."""
        first = self.train()
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None and not self.torch.isfinite(parameter.grad).all():
                raise ArithmeticError(f"the gradient of {name} is not finite")
        last = [self.train() for _ in range(3)][-1]
        # One time step alone has nothing to fall to: the package starts each sequence from a random controller state.
        if self.case["measure"] == "train" and not last < first:
            raise ArithmeticError(f"the loss does not fall: {first} at first, {last} after three steps more")
        self.state = (None, None, None)
        if self.case["measure"] != "train":
            self.model.eval()
            if not self.torch.isfinite(getattr(self, self.case["measure"])()).all():
                raise ArithmeticError("the output is not finite")
        return {"losses": [first, last], "parameters": sum(p.numel() for p in self.model.parameters())}

    def measure(self, repetitions, seconds):
        run = getattr(self, self.case["measure"])
        times, cpu_times, begin = [], [], time.perf_counter()
        while len(times) < repetitions and (len(times) < 2 or time.perf_counter() - begin < seconds):
            start, cpu_start = time.perf_counter(), time.process_time()
            run()
            times.append(1e3 * (time.perf_counter() - start))
            cpu_times.append(1e3 * (time.process_time() - cpu_start))
        return {"times": times, "cpuTimes": cpu_times, "peakBytes": peak_bytes()}


def peak_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return 1024 * int(line.split()[1])
    return None


def limit_memory(gigabytes):
    """An allocation beyond this fails in here, instead of taking the machine's last memory: its SAM keeps an [N, N] matrix too."""
    resource.setrlimit(resource.RLIMIT_DATA, (gigabytes << 30, gigabytes << 30))


def product_rate():
    """GFlop/s of torch's matrix product: says at once whether a slow reference BLAS is behind it."""
    import torch

    n = 512
    a, b = torch.randn(n, n), torch.randn(n, n)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best / 1e9


def libraries():
    """The file names of the linear algebra libraries in use (without their folders)."""
    with open("/proc/self/maps") as maps:
        files = {line.split()[-1] for line in maps if "blas" in line.lower()}
    return sorted({os.path.basename(os.path.realpath(file)) for file in files})


def commit_of(folder):
    answer = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True)
    return answer.stdout.strip() or None


class Session:
    def __init__(self, folder):
        self.folder = folder
        self.subject = None

    def answer(self, request):
        if request["op"] == "hello":
            return self.hello()
        if request["op"] == "prepare":
            self.subject = Subject(request["case"])
            return self.subject.check()
        if request["op"] == "measure":
            return self.subject.measure(request["repetitions"], request["seconds"])
        raise ValueError(f"no such request: {request['op']}")

    def hello(self):
        import torch

        return {
            "commit": commit_of(self.folder),
            "torch": torch.__version__,
            "faiss": self.faiss,
            "threads": torch.get_num_threads(),
            "productGflops": product_rate(),
            "libraries": libraries(),
        }

    def start(self, threads):
        sys.path.insert(0, self.folder)
        self.faiss = lend_missing_faiss_names()
        import torch

        torch.set_num_threads(threads)


def main():
    arguments = argparse.ArgumentParser(description="Times the Python package dnc; see the head of this file.")
    arguments.add_argument("--peer", required=True, help="a checkout of ixaxaar/pytorch-dnc")
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--gigabytes", type=int, default=6, help="memory it may take (6)")
    arguments.add_argument("--case", help="one case as JSON: measure it, print the answer, end")
    given = arguments.parse_args()
    limit_memory(given.gigabytes)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)  # read when torch is imported
    os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)
    # PyTorch's threads and OpenBLAS's are two sets: left to spin, the idle ones of one take the cores from the other's, worst where
    # other processes run too. Sleeping makes the package faster here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    answers, sys.stdout = sys.stdout, sys.stderr  # what the package prints must not come between the answers
    session = Session(given.peer)
    session.start(given.threads)

    def reply(request):
        try:
            answer = session.answer(request)
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), file=answers, flush=True)

    if given.case is not None:
        reply({"op": "hello"})
        reply({"op": "prepare", "case": json.loads(given.case)})
        reply({"op": "measure", "repetitions": 20, "seconds": 2})
        return
    for line in sys.stdin:
        reply(json.loads(line))


if __name__ == "__main__":
    main()
