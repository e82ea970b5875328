"""Work in blocks on several threads: results, errors and BLAS's threads are as if there were one."""

import contextlib
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
import traceback
import weakref

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base import blas_threads, blocks
from minitorch_np.base.blocks import all_cores, block_length, borrowed, in_blocks, later, set_threads, slices

switched = pytest.mark.skipif(
    blas_threads.switch() is None, reason="this NumPy has a BLAS whose threads cannot be switched"
)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(autouse=True)
def four_threads():
    set_threads(4)
    yield
    set_threads(None)


def test_blocks_are_halved_until_they_fit_into_a_cache():
    assert block_length(100, 2**17 - 1) == 100  # one block, so no threads
    assert block_length(100, 2**17) == 50
    assert block_length(16, 2**20) == 4
    assert block_length(3, 2**30) == 1
    assert slices(0, 5) == [slice(0, 0)]  # an empty batch is one block


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_results_are_in_order(threads):
    set_threads(threads)
    with all_cores():
        assert in_blocks(lambda block: block.start, slices(17, 2)) == list(range(0, 17, 2))


@switched
def test_two_blocks_are_computed_at_the_same_time():
    both = threading.Barrier(2)  # which only two threads together can pass
    with all_cores():
        in_blocks(lambda block: both.wait(timeout=30), slices(2, 1))


def test_without_all_cores_there_are_no_threads():
    assert set(in_blocks(lambda block: threading.get_ident(), slices(9, 1))) == {threading.get_ident()}


def test_blocks_inside_a_block_are_computed_where_they_are():
    def outer(block):
        return set(in_blocks(lambda inner: threading.get_ident(), slices(4, 1))) == {threading.get_ident()}

    with all_cores():
        assert all(in_blocks(outer, slices(8, 1)))


@pytest.mark.parametrize("error", [IndexError, ValueError, SystemExit])
def test_an_error_is_raised_with_its_traceback_once_no_block_runs(error):
    running = set()

    def fails_in_the_last(block):
        running.add(block.start)
        time.sleep(0.01)
        running.discard(block.start)
        if block.start == 7:
            raise error("the last block")

    with all_cores():
        with pytest.raises(error, match="the last block") as raised:
            in_blocks(fails_in_the_last, slices(8, 1))
        assert not running
        assert "fails_in_the_last" in "".join(traceback.format_tb(raised.value.__traceback__))
        assert in_blocks(lambda block: block.start, slices(4, 1)) == [0, 1, 2, 3]


def test_ctrl_c_inside_a_block_stops_the_work_and_puts_blas_back():
    before, done = blas_threads.blas_threads(), []

    def interrupted(block):
        done.append(block.start)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt), all_cores():
        in_blocks(interrupted, slices(1000, 1))
    assert len(done) < 1000
    assert blas_threads.blas_threads() == before


def test_what_the_caller_has_set_holds_in_all_threads():
    with all_cores(), np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        in_blocks(lambda block: np.ones(1) / np.zeros(1) if block.start == 7 else time.sleep(0.01), slices(8, 1))


def test_where_no_thread_can_start_the_caller_does_all(monkeypatch):
    def cannot(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", cannot)
    monkeypatch.setattr(blocks, "_helpers", blocks._Helpers())
    with all_cores():
        assert in_blocks(lambda block: block.start, slices(6, 1)) == list(range(6))


def test_a_blas_that_cannot_be_switched_is_left_alone(monkeypatch):
    monkeypatch.setattr(blas_threads, "switch", lambda: None)
    with all_cores():
        assert set(in_blocks(lambda block: threading.get_ident(), slices(9, 1))) == {threading.get_ident()}


@switched
def test_another_thread_does_what_is_needed_later():
    both = threading.Barrier(2)
    with all_cores():
        job = later(lambda block: (both.wait(timeout=30), threading.get_ident()), None)
        both.wait(timeout=30)
        assert job.result()[1] != threading.get_ident()


def test_without_all_cores_the_caller_does_it_when_it_asks_for_the_result():
    done = []
    job = later(done.append, 3)
    assert not done
    job.result()
    assert done == [3]


def test_a_job_that_is_stopped_ends_or_never_begins():
    running = set()

    def work(block):
        running.add(block)
        time.sleep(0.01)
        running.discard(block)

    with all_cores():
        jobs = [later(work, number) for number in range(20)]
        for job in jobs:
            job.stop()
        assert not running


def test_an_error_of_a_later_job_comes_with_its_result():
    def fails(block):
        raise IndexError("in the job")

    with all_cores():
        job = later(fails, None)
        with pytest.raises(IndexError, match="in the job") as raised:
            job.result()
    assert "fails" in "".join(traceback.format_tb(raised.value.__traceback__))


@switched
def test_fewer_threads_are_used_after_set_threads():
    def used():
        with all_cores():
            return len(set(in_blocks(lambda block: (time.sleep(0.01), threading.get_ident())[1], slices(40, 1))))

    set_threads(6)
    assert used() > 2
    set_threads(2)
    assert used() == 2
    with all_cores():
        jobs = [later(lambda block: (time.sleep(0.01), threading.get_ident())[1], None) for _ in range(20)]
        assert len({job.result() for job in jobs}) == 2


@switched
def test_blas_has_one_thread_until_the_last_user_has_ended():
    switch = blas_threads.switch()
    before = switch.get()
    switch.set(2)
    try:
        inside, leave = threading.Event(), threading.Event()

        def other():
            with all_cores():
                inside.set()
                leave.wait(30)

        thread = threading.Thread(target=other)
        with all_cores():
            assert switch.get() == 1
            thread.start()
            inside.wait(30)
        assert switch.get() == 1
        assert blas_threads.blas_threads() == 2
        leave.set()
        thread.join()
        assert switch.get() == 2
    finally:
        switch.set(before)


def test_buffers_are_lent_again_inside_all_cores_only():
    made = []

    def make(size):
        made.append(size)
        return np.empty(size)

    def use(size):
        with borrowed(make, size) as buffer:
            return buffer

    assert use(3) is not use(3)
    with all_cores():
        assert use(4) is use(4)
        with borrowed(make, 4) as one, borrowed(make, 4) as other:
            assert one is not other
    with all_cores():
        use(4)
    assert made == [3, 3, 4, 4, 4]


@pytest.mark.parametrize("count", [0, -1, 1.5, "two", True, 1_000_000])
def test_a_number_of_threads_is_at_least_one(count):
    with pytest.raises(
        ValueError, match=r"set_threads: expected a whole number of threads from 1 to 1024, got .* gain nothing"
    ):
        set_threads(count)


@pytest.mark.parametrize("give", [range, iter, lambda count: (i for i in range(count)), np.arange])
@pytest.mark.parametrize("cores", [False, True])
def test_blocks_may_be_anything_that_can_be_listed(give, cores):
    give = {iter: lambda count: iter(range(count))}.get(give, give)
    with all_cores() if cores else contextlib.nullcontext():
        assert in_blocks(lambda block: block * block, give(5)) == [0, 1, 4, 9, 16]
        assert in_blocks(lambda block: block, give(0)) == []


def test_an_error_of_a_generator_of_blocks_is_raised_as_it_is():
    def broken():
        yield 1
        raise TypeError("from the generator")

    with pytest.raises(TypeError, match="from the generator"):
        in_blocks(lambda block: block, broken())


@pytest.mark.parametrize("blocks", [8, None, slice(0, 3), np.ones(())], ids=repr)
def test_what_is_no_list_of_blocks_is_refused(blocks):
    with pytest.raises(ValueError, match=r"in_blocks: expected blocks in a list, such as blocks_of\(x\), got "):
        in_blocks(lambda block: block, blocks)


def test_work_that_was_called_already_or_stands_second_is_refused():
    for work in (None, [slice(0, 3)]):
        with pytest.raises(
            ValueError, match=r"in_blocks: expected a function of one block first, got .* not yet called"
        ):
            in_blocks(work, print)


@pytest.mark.parametrize("x", [[1.0, 2.0], [[1.0]], 5, np.float64(3), np.ones(()), None, range(5)], ids=repr)
def test_blocks_are_those_of_an_array(x):
    with pytest.raises(ValueError, match=r"blocks_of: expected an array with one row per example, got .*asarray"):
        mt.blocks_of(x)


def test_empty_arrays_and_single_rows_are_one_block():
    assert mt.blocks_of(np.ones((0, 3))) == [slice(0, 0)]
    assert mt.blocks_of(np.ones((5, 0))) == [slice(0, 5)]
    assert mt.blocks_of(np.ones((1, 2**19))) == [slice(0, 1)]
    with blocks.small_blocks():
        assert mt.blocks_of(np.ones((0, 3))) == [slice(0, 0)]
        assert mt.blocks_of(np.ones((1, 3))) == [slice(0, 1)]
        assert mt.blocks_of(np.ones((5, 3))) == [slice(0, 3), slice(3, 5)]
    assert mt.blocks_of(np.ones((5, 3))) == [slice(0, 5)]


@pytest.mark.parametrize("useful", [4, 0, None, "yes", test_empty_arrays_and_single_rows_are_one_block])
def test_all_cores_takes_no_number_of_threads_and_no_function(useful):
    with pytest.raises(ValueError, match=r"all_cores: useful is True or False, got .*@all_cores\(\).*set_threads"):
        all_cores(useful)  # before the `with`: a decorator without parentheses never comes to one


def test_all_cores_decorates_a_function():
    @all_cores()
    def squares(count):
        return blocks.inside_all_cores(), in_blocks(lambda block: block * block, range(count))

    assert squares(3) == squares(3) == (True, [0, 1, 4])
    assert not blocks.inside_all_cores()


def test_a_generator_may_end_all_cores_in_another_context():
    before = blas_threads.blas_threads()

    def steps():
        with all_cores():
            yield in_blocks(lambda block: block, range(3))

    running = steps()
    assert contextvars.copy_context().run(next, running) == [0, 1, 2]
    assert contextvars.copy_context().run(list, running) == []
    assert not blocks.inside_all_cores()
    assert blas_threads.blas_threads() == before


@switched
def test_waiting_threads_keep_nothing_of_what_they_have_done():
    both = threading.Barrier(2)

    def kept_after(count):
        array = np.ones(count)

        def work(block, array=array):
            both.wait(timeout=30)

        with all_cores():
            in_blocks(work, slices(2, 1))
        return weakref.ref(array)

    set_threads(2)
    array = kept_after(1000)
    gc.collect()
    end = time.monotonic() + 10  # the other thread may still be on its way back to waiting
    while array() is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert array() is None


def test_the_number_of_threads_may_change_at_any_time():
    def changes(block):
        set_threads(block % 5 + 1)
        return block

    done = threading.Event()

    def change():
        while not done.is_set():
            set_threads(3)
            set_threads(1)

    other = threading.Thread(target=change)
    with all_cores():
        other.start()
        try:
            for _ in range(200):
                assert in_blocks(changes, range(8)) == list(range(8))
        finally:
            done.set()
            other.join()


class Scaled(mt.Layer):
    """y = x * k, in blocks."""

    uses_blocks = True

    def build(self, input_shape):
        self.k = self.add_parameter(input_shape, "ones")

    def forward(self, x):
        y = np.empty_like(x)

        def compute(block):
            y[block] = x[block] * self.k.value

        in_blocks(compute, mt.blocks_of(x))
        self.cache = x
        return y

    def backward(self, dy):
        x = self.cache
        self.k.grad = sum(in_blocks(lambda block: (x[block] * dy[block]).sum(axis=0), mt.blocks_of(x)))
        return dy * self.k.value


class Overwrites(Scaled):
    """What is right in one block, and only there."""

    def backward(self, dy):
        x = self.cache

        def compute(block):
            self.k.grad = (x[block] * dy[block]).sum(axis=0)

        in_blocks(compute, mt.blocks_of(x))
        return dy * self.k.value


class CachesABlock(Scaled):
    def forward(self, x):
        def compute(block):
            self.cache = x[block]
            return x[block] * self.k.value

        return np.concatenate(in_blocks(compute, mt.blocks_of(x)))

    def backward(self, dy):
        self.k.grad = (self.cache * dy[-len(self.cache) :]).sum(axis=0)
        return dy * self.k.value


def test_gradcheck_meets_several_blocks_in_a_small_array():
    mt.assert_gradients(Scaled(), (5, 3))
    for wrong in (Overwrites(), CachesABlock()):
        report = mt.gradcheck(wrong, (5, 3), raise_exception=False)
        assert report.verdict == "fail"
        assert report.tensors["k"].verdict == "fail"
        assert report.tensors["x"].verdict == "pass"


def test_the_environment_gives_the_number_of_threads(monkeypatch):
    set_threads(None)
    monkeypatch.setenv("MINITORCH_NP_THREADS", "3")
    assert blocks.thread_count() == 3
    monkeypatch.setenv("MINITORCH_NP_THREADS", "many")
    with pytest.raises(
        ValueError, match=r"MINITORCH_NP_THREADS: expected a whole number of threads from 1 to 1024, got 'many'"
    ):
        blocks.thread_count()


# Whole networks

IMAGES = """
import sys
import numpy as np
import minitorch_np as mt
from minitorch_np.base import blocks
rng = np.random.default_rng(0)
x, y = rng.normal(size=(48, 12, 12, 3)), rng.integers(0, 3, 48)
def trained(dtype="float32", seed=0):
    blocks.LEAST, blocks.MOST = 2**8, 2**9  # so that small images have many blocks
    layers = [mt.Input((12, 12, 3)), mt.Conv2D(8, 3, padding="same"), mt.BatchNormalization(), mt.ReLU(), mt.MaxPooling2D()]
    layers += [mt.Conv2D(8, 3, strides=2), mt.ReLU(), mt.Flatten(), mt.Dense(3)]
    model = mt.Sequential(layers, rng=seed, dtype=dtype).compile(mt.Adam(0.01), mt.CrossEntropyLoss())
    model.fit(x.astype(dtype), y, epochs=5, batch_size=16)
    return model
def bits(model, x=x):
    return b"".join(p.value.tobytes() for p in model.parameters().values()) + model.predict(x).tobytes()
"""

SEQUENCES = """
import hashlib
from minitorch_np.base import functions
blocks.LEAST, blocks.MOST, functions._LARGE_PRODUCT = 2**8, 2**9, 2**12
words, labels = rng.normal(size=(64, 20, 16)), rng.integers(0, 90, 64)
def layers():
    states = mt.Flatten()
    yield [mt.LSTM(24)]
    yield [mt.GRU(24)]
    yield [mt.GRU(24, reset_after=False)]
    yield [mt.SimpleRNN(24)]
    yield [mt.Bidirectional(mt.LSTM(8, return_sequences=True)), states]
    yield [mt.MultiHeadAttention(2, 8), states]
def all_bits():
    for dtype in ("float32", "float64"):
        for some in layers():
            model = mt.Sequential([mt.Input((20, 16)), *some, mt.Dense(90)], rng=0, dtype=dtype)
            model.compile(mt.Adam(0.01, global_clipnorm=1.0), mt.CrossEntropyLoss())
            model.fit(words.astype(dtype), labels, epochs=10, batch_size=32)
            print(hashlib.sha256(bits(model, words)).hexdigest())
"""


def output_of(program, **environment):
    environment = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", IMAGES + program], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_network_has_the_same_bits_for_any_number_of_threads():
    program = "import hashlib\nfor d in ('float32', 'float64'): print(hashlib.sha256(bits(trained(d))).hexdigest())"
    found = {
        output_of(program, OPENBLAS_NUM_THREADS=str(blas), MINITORCH_NP_THREADS=str(own))
        for blas, own in [(1, 1), (2, 1), (1, 2), (2, 3), (8, 8)]
    }
    assert len(found) == 1


def test_a_sequence_network_has_the_same_bits_for_any_number_of_threads():
    found = {
        output_of(SEQUENCES + "all_bits()", OPENBLAS_NUM_THREADS=str(blas), MINITORCH_NP_THREADS=str(own))
        for blas, own in [(1, 1), (2, 1), (1, 2), (2, 3), (8, 8)]
    }
    assert len(found) == 1
    assert len(set(found.pop().split())) == 12


def test_with_one_thread_blas_has_one_for_every_model():
    program = """
import hashlib
x, y = rng.normal(size=(256, 300)), rng.integers(0, 10, 256)
model = mt.Sequential([mt.Input((300,)), mt.Dense(333), mt.ReLU(), mt.Dense(10)], rng=0)
model.compile(mt.SGD(0.1), mt.CrossEntropyLoss()).fit(x, y, epochs=3, batch_size=128)
print(hashlib.sha256(bits(model, x)).hexdigest())
"""
    found = {output_of(program, OPENBLAS_NUM_THREADS=str(blas), MINITORCH_NP_THREADS="1") for blas in (1, 2, 3, 8)}
    assert len(found) == 1


def test_networks_that_are_trained_in_threads_of_the_user_do_not_disturb_each_other():
    output_of("""
from concurrent.futures import ThreadPoolExecutor
alone = [bits(trained(seed=seed)) for seed in range(4)]
with ThreadPoolExecutor(4) as pool:
    models = list(pool.map(lambda seed: trained(seed=seed), range(4)))
assert [bits(model) for model in models] == alone
""")


@forks
def test_a_forked_process_has_threads_of_its_own():
    output_of(
        """
import os
before = bits(trained())
child = os.fork()
if child == 0:
    os._exit(0 if bits(trained()) == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
        MINITORCH_NP_THREADS="3",
    )


@forks
def test_a_process_that_is_forked_during_a_fit_gets_blas_as_it_was():
    output_of(
        """
import os, threading
from minitorch_np.base.blas_threads import blas_threads, switch
from minitorch_np.base.blocks import all_cores
before, inside, leave = blas_threads(), threading.Event(), threading.Event()
def fit():
    with all_cores():
        inside.set()
        leave.wait()
thread = threading.Thread(target=fit)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    os._exit(0 if switch() is None or switch().get() == before else 3)
leave.set()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
        OPENBLAS_NUM_THREADS="2",
    )


def test_workers_of_joblib_compute_the_same():
    pytest.importorskip("joblib")
    output_of(
        """
from joblib import Parallel, delayed
def job(seed):
    return bits(trained(seed=seed))
alone = [job(seed) for seed in range(2)]
assert Parallel(n_jobs=2)(delayed(job)(seed) for seed in range(2)) == alone
""",
        MINITORCH_NP_THREADS="2",
    )


def test_outputs_are_never_written_into_again(rng):
    model = mt.Sequential([mt.Input((8, 8, 3)), mt.Conv2D(4, 3), mt.MaxPooling2D(), mt.Flatten(), mt.Dense(1)], rng=0)
    conv, seen = model.layers[0], []
    forward, backward = conv.forward, conv.backward

    def noting(function):
        def noted(array):
            result = function(array)
            seen.append((result, result.copy()))
            return result

        return noted

    conv.forward, conv.backward, conv.wants_dx = noting(forward), noting(backward), True
    x = rng.normal(size=(8, 8, 8, 3)).astype(np.float32)
    with all_cores():
        for _ in range(3):
            y = model(x * rng.normal(), training=True)
            model.backward(np.ones_like(y))
    assert len(seen) >= 3
    for result, copy in seen:
        np.testing.assert_array_equal(result, copy)


def test_an_interpreter_that_ends_while_threads_wait_ends():
    output_of("trained()", MINITORCH_NP_THREADS="8")
