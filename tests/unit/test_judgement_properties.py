"""Judgement is a function of what is counted, and not of how that is written down.

The same ledger and the same rules give the same gates and the same verdict: after it was stored and
read, with its tables in another order, and in another process.
"""

from random import Random
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow_operator.api.evidence import RouteCounts
from shadow_operator.api.spec import Spec
from shadow_operator.api.status import Gate
from shadow_operator.core.judging.judgement import (
    Judgement,
    Ledger,
    Subject,
    advance,
    begin,
    decode,
    encode,
    judge,
    settle,
)
from shadow_operator.core.recording.alerts import Alert, Alerts
from shadow_operator.core.snapshot import LayerReading
from tests.support.readings import (
    EPOCH,
    comparators,
    control,
    mirror,
    mirrors,
    route,
    signature,
    snapshot,
    spec,
    table,
)

SUBJECT: Final = Subject("hal9", "hal9", "sha256:new", "sha256:old")
END: Final = 120.0
RULES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"comparison": {"ignore": [{"path": "$.a", "reason": "renamed"}]}},
    {"reference": {"mode": "None"}},
    {"gates": {"minimumPairs": {"perRoute": 1}, "matchRate": {"minPercent": "90"}}},
    {"comparison": {"critical": [{"path": "$.b", "reason": "money"}]}},
)
LAYERS: Final = ("Substrate", "Protocol", "Cognitive")
PLACES: Final = (
    "$.a text",
    "$.b number 1e-3",
    "$.b missing",
    "$.c type string>null",
    "$.time timestamp",
    "status status 200>404",
    "status status 200>503",
)

few = st.integers(0, 40)
many = st.integers(0, 3000)
places = st.dictionaries(st.sampled_from(PLACES), few, max_size=4)
whys = st.dictionaries(st.sampled_from(("401", "403", "404", "503")), few)


@st.composite
def routes(draw: st.DrawFn, name: str) -> RouteCounts:
    return route(
        draw(many),
        name=name,
        signatures=tuple(
            signature(where, pairs, first=10.0, last=10.0 + 30 * draw(st.integers(0, 3)))
            for where, pairs in draw(places).items()
        ),
        hinted=table(draw(places)),
        hinted_only=draw(few),
        overflow=draw(st.integers(0, 2)),
        present=draw(st.dictionaries(st.sampled_from(("$.a", "$.b")), st.sampled_from((0.5, 1.0)))),
        uniform=control(draw(few), draw(places), draw(places)),
        triggered=control(draw(few), draw(places), draw(places)),
        unproven=draw(whys),
        reference_statuses=draw(whys),
        incomparable=draw(st.dictionaries(st.sampled_from(("BodyTooLarge", "Memory")), few)),
        slower=draw(st.sampled_from((0.9, 1.0, 1.06, 1.3))),
        shadow_errors=draw(few),
        reference_errors=draw(few),
        shadow_timeouts=draw(few),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Give what two minutes of readings of two comparators leave."""
    names = draw(st.lists(st.sampled_from(("GET /a", "GET /b", "POST /c")), unique=True))
    words = st.dictionaries(st.sampled_from(("Method", "Upgrade", "Excluded", "GRPC")), few)
    heads = st.dictionaries(st.sampled_from(("authorization", "cookie", "x-api-key")), few)
    seen = [
        (tuple(draw(routes(name)) for name in names), draw(words), draw(heads)) for _ in range(2)
    ]
    healthy = draw(st.lists(st.booleans(), min_size=3, max_size=3))
    layers = tuple(
        LayerReading(layer, well, "" if well else "ill")
        for layer, well in zip(draw(st.permutations(LAYERS)), healthy, strict=True)
    )
    ledger, lost = begin(EPOCH, now=0.0, interval=30.0), draw(st.integers(0, 300))
    for now in (30.0, 60.0, 90.0, END):
        nothing_yet = now == 30.0
        read = [
            snapshot(
                *(() if nothing_yet else counted),
                time=now,
                pod=pod,
                skipped=skipped,
                credentials=credentials,
            )
            for pod, (counted, skipped, credentials) in zip("ab", seen, strict=True)
        ]
        copies = sum(one.received for one in read)
        ledger = advance(
            ledger,
            comparators(*read),
            mirrors(mirror(copies + lost)),
            now=now,
            mirroring=True,
            healthy=True,
            interval=30.0,
            layers=layers,
            spec=spec(),
        )
    answers = {"*": draw(st.dictionaries(st.sampled_from(("2xx", "404", "5xx")), many))}
    begun = draw(st.lists(st.sampled_from(("Slow", "Down")), unique=True))
    alerts = Alerts(
        configured=True,
        readings=4,
        begun=tuple(Alert(name=one, severity="warning", since=40.0) for one in begun),
    )
    return ledger.model_copy(update={"answers": answers, "alerts": alerts})


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    known = draw(st.sampled_from(((), LAYERS[:1], LAYERS)))
    soak = draw(st.sampled_from((60, 86_400)))
    return spec(**draw(st.sampled_from(RULES)), layers=list(known), soakSeconds=soak)


def judged(rules: Spec, ledger: Ledger) -> Judgement:
    return judge(rules, ledger, SUBJECT, now=END)


def stored(ledger: Ledger) -> Ledger:
    again = decode(encode(ledger))
    assert again is not None
    return again


TABLES: Final = frozenset({"processes", "routes", "signatures", "hinted", "paths", "uniform"})
"""Lists of which the order means nothing."""


def shuffled(ledger: Ledger, random: Random) -> Ledger:
    """Give the same ledger with every table in another order."""

    def turned(value: Any, orderless: bool) -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            random.shuffle(items)
            # A control is a pair of tables.
            return {k: turned(v, k in TABLES or ("triples" in value)) for k, v in items}
        if isinstance(value, list):
            members = [turned(member, False) for member in value]
            if orderless:
                random.shuffle(members)
            return members
        return value

    return Ledger.model_validate(turned(ledger.model_dump(mode="json"), False))


several = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@several
@given(specs(), ledgers())
def test_the_same_ledger_and_rules_give_the_same_judgement(rules: Spec, ledger: Ledger) -> None:
    once = judged(rules, ledger)
    assert judged(rules, ledger) == once
    assert judged(rules, stored(ledger)) == once


@several
@given(specs(), ledgers(), st.integers(0, 1000))
def test_the_order_in_which_counts_are_written_down_means_nothing(
    rules: Spec, ledger: Ledger, seed: int
) -> None:
    other = shuffled(ledger, Random(seed))  # noqa: S311 - repeatable
    assert judged(rules, other) == judged(rules, ledger)


def untold(gate: Gate) -> Gate:
    """Give a gate without its sentence: that names the rest of a soak, which a failure renews."""
    return gate.model_copy(update={"message": ""})


@several
@given(specs(), ledgers())
def test_what_was_decided_is_decided_again(rules: Spec, ledger: Ledger) -> None:
    once = judged(rules, ledger)
    settled = settle(rules, ledger, once, now=END)
    again = judged(rules, stored(settled))
    assert list(map(untold, again.gates)) == list(map(untold, once.gates))
    assert again.blocked_by == once.blocked_by
    assert (again.verdict and again.verdict.decision) == (once.verdict and once.verdict.decision)
