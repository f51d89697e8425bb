"""How fast a target has been of late.

Streams and answers that come whole are told apart: the one begins with its first word, the other with its
last. Averages remember peaks: a slower answer than the average counts in full at once, faster ones bring it
down over ten seconds. What is not heard of for a minute or two is forgotten by and by, so that a target
which was slow once is tried again.
"""

from __future__ import annotations

from collections import deque
from math import exp

_SETTLES = 10.0  # seconds over which faster answers bring an average down
_FORGETS = 60.0  # seconds over which an average sinks that nothing more is heard of
_MOMENT = 0.001  # seconds that two samples of the same moment share, as they would in a crowd of calls
_RECENT = 128  # answers that a percentile is taken of
_ENOUGH = 20  # answers that it takes at the least
_FEW = 32  # answers after which it is sorted out anew, but sooner while they are few
_STALLING = 5.0  # times the median
_FAILURE = 1.0  # seconds that a failure counts for at the least; the next one in a row counts twice as much,
_MOST_FAILURE = 15.0  # and so on up to this, unless it took longer


class Latency:
    """Moving averages and the usual worst of one target."""

    __slots__ = ("_first", "_token", "_whole", "streams", "wholes")

    def __init__(self) -> None:
        self._first = Average()
        self._token = Average(peaks=False)
        self._whole = Average()
        self.streams = Recent()
        """Seconds in which streams began of late. What failed or was given up is not among them."""
        self.wholes = Recent()
        """The same for answers that came whole."""

    def observe(self, now: float, first_token: float, per_token: float | None) -> None:
        """Take note of a stream: seconds to its first word, and for each token after that."""
        self._first.add(now, first_token)
        self.streams.add(first_token)
        if per_token is not None:
            self._token.add(now, per_token)

    def observe_whole(self, now: float, seconds: float) -> None:
        """Take note of an answer that came whole after so many seconds."""
        self._whole.add(now, seconds)
        self.wholes.add(seconds)

    def outlasted(self, now: float, seconds: float, *, whole: bool = False) -> None:
        """Take note that somebody gave up after so many seconds in which no answer had begun."""
        average = self._whole if whole else self._first
        if seconds > (average.value(now) or 0.0):
            average.add(now, seconds)

    def failed(self, now: float, seconds: float) -> None:
        """Take note of a failure, so that a target which fails at once is not the fastest of all."""
        for average in (self._first, self._whole):
            twice = 2 * (average.value(now) or 0.0)
            average.add(now, max(seconds, min(max(_FAILURE, twice), _MOST_FAILURE)))

    def first_token(self, now: float) -> float | None:
        """Seconds to a stream's first word, by a moving average that remembers peaks; None: not known."""
        return self._first.value(now)

    def per_token(self, now: float) -> float | None:
        """Seconds for each token after the first; None: not known."""
        return self._token.value(now)

    def whole(self, now: float) -> float | None:
        """Seconds to an answer that comes whole, by an average that remembers peaks; None: not known."""
        return self._whole.value(now)


class Average:
    """A moving average in which time counts, and not the number of samples."""

    __slots__ = ("_at", "_peaks", "_value")

    def __init__(self, *, peaks: bool = True) -> None:
        self._peaks = peaks
        self._value: float | None = None
        self._at = 0.0

    def add(self, now: float, sample: float) -> None:
        """Take in one sample."""
        known, passed = self._value, now - self._at
        self._at = now
        if known is not None:
            if passed > _MOMENT:
                known *= exp(-passed / _FORGETS)
            else:
                passed = _MOMENT
            if not self._peaks or sample < known:
                sample += (known - sample) * exp(-passed / _SETTLES)
        self._value = sample

    def value(self, now: float) -> float | None:
        """The average now; None before the first sample."""
        known = self._value
        passed = now - self._at
        return known if known is None or passed <= 0 else known * exp(-passed / _FORGETS)


class Recent:
    """The latest samples, the one that 95 of 100 do not exceed, and what is unusual beside them."""

    __slots__ = ("_samples", "_until_sorted", "p95", "silence")

    def __init__(self) -> None:
        self.p95: float | None = None
        """The percentile, sorted out anew after every few samples; None as long as they are too few."""
        self.silence: float | None = None
        """Seconds after which an answer that has not begun is unusual; None as long as too few are known.

        The percentile; but where more than one answer in twenty stalls, that is a stall itself, so it is a
        multiple of the median at the most.
        """
        self._samples: deque[float] = deque(maxlen=_RECENT)
        self._until_sorted = _ENOUGH

    def add(self, sample: float) -> None:
        """Take in one sample, in seconds."""
        self._samples.append(sample)
        self._until_sorted = left = self._until_sorted - 1
        if not left:
            self._sort()

    def _sort(self) -> None:
        ordered = sorted(self._samples)
        self.p95 = p95 = ordered[-(-95 * len(ordered) // 100) - 1]
        self.silence = min(p95, ordered[len(ordered) // 2] * _STALLING)
        self._until_sorted = min(_FEW, len(ordered) // 2)
